// Ring of score rows between the drain and the softmax units: row pairs come in interleaved and leave one after another.
//
// A row pair is `chunks` words of 2·LANES scores, row 2e low and row 2e + 1 high, chunk 0 … chunks − 1. Its words are written
// in any order and between those of other pairs, at most one a cycle, at the pair's place in the ring; the word marked
// in_last comes last and brings the tag. From then on the pair is complete: its tag and place enter a FIFO. The reader takes
// pairs in the order in which they became complete, one chunk a cycle, the next pair directly behind.
//
// A pair that is completed in cycle d is read in cycles s … s + chunks − 1, s = max(d + START, end of the pair before + 1),
// START = 2; a word is at the output registers READ = 2 cycles after its read, out_tag with every word. The next pair may
// take the place from the cycle after the last read on. out_last marks a pair's last word.
//
// `chunks` keeps still from a pair's last word to its last read.
module quasar_score_reader #(
  parameter integer PAIRS = 8,
  parameter integer CHUNKS = 22,
  parameter integer LANES = 3,
  parameter integer SCORE_BITS = 24,
  parameter integer TAG_BITS = 12,
  parameter integer PAIR_BITS = $clog2(PAIRS),
  parameter integer CHUNK_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1,
  parameter integer COUNT_BITS = $clog2(CHUNKS + 1)
) (
  input  logic                          clk,
  input  logic                          reset,
  input  logic [COUNT_BITS-1:0]         chunks,    // 1…CHUNKS
  input  logic                          in_valid,
  input  logic                          in_last,
  input  logic [PAIR_BITS-1:0]          in_pair,
  input  logic [CHUNK_BITS-1:0]         in_chunk,
  input  logic [2*LANES*SCORE_BITS-1:0] in_scores,
  input  logic [TAG_BITS-1:0]           in_tag,    // with in_last
  output logic                          out_valid,
  output logic                          out_last,
  output logic [TAG_BITS-1:0]           out_tag,
  output logic [2*LANES*SCORE_BITS-1:0] out_scores
);
  localparam integer WORD_BITS = 2 * LANES * SCORE_BITS;
  localparam integer ADDRESS_BITS = PAIR_BITS + CHUNK_BITS;
  localparam [PAIR_BITS-1:0] NEXT = 1;
  localparam [CHUNK_BITS-1:0] ONE = 1;

  // Complete pairs. Each holds a place of the ring, so there are never more than PAIRS.
  logic [PAIR_BITS+TAG_BITS-1:0] complete [0:PAIRS-1];
  logic [PAIR_BITS-1:0] complete_in, complete_out;
  logic waiting, take;
  assign waiting = complete_in != complete_out;
  always_ff @(posedge clk) begin
    if (in_valid & in_last) complete[complete_in] <= {in_pair, in_tag};
    if (reset) begin
      complete_in <= {PAIR_BITS{1'b0}};
      complete_out <= {PAIR_BITS{1'b0}};
    end else begin
      if (in_valid & in_last) complete_in <= complete_in + NEXT;
      if (take) complete_out <= complete_out + NEXT;
    end
  end

  // The reader: address of the cycle, and whether there is one.
  logic reading, last;
  logic [PAIR_BITS-1:0] pair;
  logic [CHUNK_BITS-1:0] chunk, last_chunk;
  logic [TAG_BITS-1:0] tag;
  assign last = chunk == last_chunk;
  assign take = waiting & (~reading | last);
  always_ff @(posedge clk) begin
    last_chunk <= chunks[CHUNK_BITS-1:0] - ONE;
    reading <= ~reset & (take | (reading & ~last));
    chunk <= take ? {CHUNK_BITS{1'b0}} : chunk + ONE;
    if (take) {pair, tag} <= complete[complete_out];
  end

  logic [WORD_BITS-1:0] word;
  logic [TAG_BITS-1:0] tag1;
  logic reading1, last1;
  quasar_memory #(.BITS(WORD_BITS), .DEPTH(1 << ADDRESS_BITS)) scores (
    .clk(clk), .write(in_valid), .write_address({in_pair, in_chunk}), .write_word(in_scores),
    .read_address({pair, chunk}), .read_word(word));
  always_ff @(posedge clk) begin
    reading1 <= reading & ~reset;
    last1 <= reading & last;
    tag1 <= tag;
    out_valid <= reading1 & ~reset;
    out_last <= last1;
    out_tag <= tag1;
    out_scores <= word;
  end

`ifndef SYNTHESIS
  initial begin
    assert (PAIRS == 1 << PAIR_BITS) else $fatal(1, "%0d places are no power of two", PAIRS);
  end
  // Places that hold scores which are not read yet, and the FIFO's length.
  logic held [0:PAIRS-1];
  logic closed [0:PAIRS-1];
  integer place, length;
  logic [31:0] row_chunks;
  assign row_chunks = {{32-COUNT_BITS{1'b0}}, chunks};
  always @(posedge clk) begin
    if (reset) begin
      length <= 0;
      for (place = 0; place < PAIRS; place = place + 1) begin
        held[place] <= 1'b0;
        closed[place] <= 1'b0;
      end
    end else begin
      length <= length + (in_valid && in_last ? 1 : 0) - (take ? 1 : 0);
      if (reading && last) begin
        held[pair] <= 1'b0;
        closed[pair] <= 1'b0;
      end
      if (in_valid) begin
        held[in_pair] <= 1'b1;
        if (in_last) closed[in_pair] <= 1'b1;
      end
    end
  end
  always @(posedge clk) if (!reset) begin
    assert (!(in_last === 1'b1 && in_valid === 1'b0)) else $fatal(1, "in_last without in_valid");
    if (in_valid === 1'b1) begin
      assert (row_chunks != 0 && row_chunks <= CHUNKS && {{32-CHUNK_BITS{1'b0}}, in_chunk} < row_chunks)
      else $fatal(1, "chunk %0d of %0d", in_chunk, chunks);
      assert (!(held[in_pair] && closed[in_pair])) else $fatal(1, "place %0d is written before it is read", in_pair);
    end
    assert (length <= PAIRS) else $fatal(1, "more than %0d complete pairs", PAIRS);
  end
`endif
endmodule
