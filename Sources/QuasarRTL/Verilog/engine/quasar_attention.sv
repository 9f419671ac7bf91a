// From scores to probability codes: score ring, two quasar_softmax in lockstep, writes of P, and the inverses of the blocks.
//
// Scores come as beats of the drain: rows 2e and 2e + 1 (two queries) of a tile by SOFTMAX keys. The pairs of a row tile advance
// together, key tile by key tile. A beat names its pair's place in the ring of PAIRS row pairs (2^⌈log2(2·ROWS + 1)⌉) and its
// chunk = ⌊key/SOFTMAX⌋; the beat that completes a pair is marked in_last and brings what belongs to the pair: block slot 0…2,
// query (index of row 2e in its block, even), whether row 2e + 1 exists, whether the pair is the last one of its block, and
// how many keys the pair's last chunk holds (1…SOFTMAX). Keys beyond and rows that do not exist may hold anything.
//
// `scale` (M_e, S_e) and `chunks` = n = ⌈T/SOFTMAX⌉ of the command keep still from its first beat to its last block_ready.
// No beat waits: the drain gives 2·SOFTMAX scores a cycle at most and the reader takes as many. A pair's place is free
// again when it is read, at most 2·ROWS pairs later.
//
// Cycles, with d_k the cycle of pair k's last beat, t = ⌈log2 SOFTMAX⌉ and rf_k the cycle after its last read:
//   rf_k = max(rf_(k−1), d_k + START) + n, START = 2;
//   write of chunk c: rf_k + t + 12 + c, c = 0 … n − 1;
//   block_ready, if it is the last pair of a block: rf_k + n + 2·t + 30.
// So d_k + 2·n + 2·t + 32 without a wait, and then the whole block's inverses can be read and its codes are written.
//
// A write holds the codes (unsigned bytes) of chunk write_chunk of query write_query of block write_slot, and with write_second
// those of query write_query + 1 above them. Codes beyond the row's last key are 0. R inverses leave one cycle
// after read_slot and read_group (quasar_inverse_file). The table is written while no pair is inside.
module quasar_attention #(
  parameter integer ROWS = 2,
  parameter integer TOKENS = 9,
  parameter integer DRAIN = 3,
  parameter integer SOFTMAX = 3,
  parameter integer MAX_TOKENS = 64,
  parameter integer SCORE_BITS = 24,
  parameter integer ACTIVATION_BITS = 8,
  parameter integer CHUNKS = (MAX_TOKENS + SOFTMAX - 1) / SOFTMAX,
  parameter integer CHUNK_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1,
  parameter integer COUNT_BITS = $clog2(CHUNKS + 1),
  parameter integer PAIR_BITS = $clog2(2 * ROWS + 1),
  parameter integer QUERY_BITS = $clog2(TOKENS),
  parameter integer LANE_BITS = $clog2(SOFTMAX + 1),
  parameter integer GROUP_BITS = TOKENS > DRAIN ? $clog2(TOKENS / DRAIN) : 1
) (
  input  logic                                          clk,
  input  logic                                          reset,
  input  logic                                          table_write,
  input  logic [quasar_pkg::EXPONENT_FRACTION_BITS-1:0] table_address,
  input  logic [quasar_pkg::EXPONENT_ENTRY_BITS-1:0]    table_value,
  input  quasar_scale_t                                 scale,
  input  logic [COUNT_BITS-1:0]                         chunks,
  // A beat, cycle 0.
  input  logic                                          in_valid,
  input  logic [2*SOFTMAX*SCORE_BITS-1:0]               in_scores,      // [row][key]
  input  logic [PAIR_BITS-1:0]                          in_pair,
  input  logic [CHUNK_BITS-1:0]                         in_chunk,
  input  logic                                          in_last,
  input  logic [1:0]                                    in_slot,        // with in_last, like all that follow
  input  logic [QUERY_BITS-1:0]                         in_query,
  input  logic                                          in_second,
  input  logic                                          in_block_last,
  input  logic [LANE_BITS-1:0]                          in_lanes,
  // To the memory of the probabilities.
  output logic                                          write,
  output logic                                          write_second,
  output logic [1:0]                                    write_slot,
  output logic [QUERY_BITS-1:0]                         write_query,
  output logic [CHUNK_BITS-1:0]                         write_chunk,
  output logic [2*SOFTMAX*8-1:0]                        write_codes,    // [row][key]
  // To the sequencer and the context lanes.
  output logic                                          block_ready,
  output logic [1:0]                                    block_slot,
  input  logic [1:0]                                    read_slot,      // cycle 0
  input  logic [GROUP_BITS-1:0]                         read_group,     // cycle 0
  output logic [DRAIN*quasar_pkg::INVERSE_BITS-1:0]     read_inverses   // cycle 1
);
  localparam integer A = ACTIVATION_BITS;
  localparam integer TREE = $clog2(SOFTMAX);
  localparam integer PLACE_BITS = 2 + QUERY_BITS + 1;  // slot, query, last of its block
  localparam integer INVERSE_BITS = quasar_pkg::INVERSE_BITS;
  localparam [CHUNK_BITS-1:0] ONE = 1;
  localparam integer SUM_BITS = $clog2(MAX_TOKENS * ((1 << A) - 1) + 1);

  // Rows, one chunk a cycle.
  logic row_valid, row_last, row_second;
  logic [PLACE_BITS-1:0] row_place;
  logic [LANE_BITS-1:0] row_lanes;
  logic [2*SOFTMAX*SCORE_BITS-1:0] row_scores;
  quasar_score_reader #(
    .PAIRS(1 << PAIR_BITS), .CHUNKS(CHUNKS), .LANES(SOFTMAX), .SCORE_BITS(SCORE_BITS),
    .TAG_BITS(PLACE_BITS + 1 + LANE_BITS)
  ) reader (
    .clk(clk), .reset(reset), .chunks(chunks), .in_valid(in_valid), .in_last(in_last), .in_pair(in_pair),
    .in_chunk(in_chunk), .in_scores(in_scores), .in_tag({in_slot, in_query, in_block_last, in_second, in_lanes}),
    .out_valid(row_valid), .out_last(row_last), .out_tag({row_place, row_second, row_lanes}), .out_scores(row_scores));

  // A row that does not exist does not enter the second unit; one that does stays in step with the first unit's.
  logic [1:0] codes_valid, codes_last, inverse_valid, row_exists;
  logic [2*SOFTMAX*A-1:0] codes;
  logic [2*INVERSE_BITS-1:0] inverses;
  assign row_exists = {row_second, 1'b1};
  generate
    for (genvar i = 0; i < 2; i = i + 1) begin : gen_unit
      quasar_inverse_t inverse;
      logic [SUM_BITS-1:0] sum;
      quasar_softmax #(
        .TOKENS(MAX_TOKENS), .LANES(SOFTMAX), .SCORE_BITS(SCORE_BITS), .ACTIVATION_BITS(A)
      ) softmax (
        .clk(clk), .reset(reset), .table_write(table_write), .table_address(table_address), .table_value(table_value),
        .in_valid(row_valid & row_exists[i]), .in_last(row_last & row_exists[i]), .in_lanes(row_lanes), .in_scale(scale),
        .in_scores(row_scores[i*SOFTMAX*SCORE_BITS +: SOFTMAX*SCORE_BITS]), .out_valid(codes_valid[i]),
        .out_last(codes_last[i]), .out_codes(codes[i*SOFTMAX*A +: SOFTMAX*A]), .row_valid(inverse_valid[i]),
        .row_sum(sum), .row_inverse(inverse));
      assign inverses[i*INVERSE_BITS +: INVERSE_BITS] = inverse;
`ifndef SYNTHESIS
      always @(posedge clk) if (!reset && inverse_valid[i] === 1'b1) begin
        assert ({{32-SUM_BITS{1'b0}}, sum} >= (1 << A) - 1) else $fatal(1, "Z = %0d without the largest score's code", sum);
      end
`endif
    end
    for (genvar i = 0; i < 2 * SOFTMAX; i = i + 1) begin : gen_byte
      if (A < 8) begin : gen_extend
        assign write_codes[i*8 +: 8] = {{8-A{1'b0}}, codes[i*A +: A]};
      end else begin : gen_whole
        assign write_codes[i*8 +: 8] = codes[i*A +: A];
      end
    end
  endgenerate

  // The place of a row goes with its last chunk to the cycle before its first code and stays until the next row's.
  logic place_valid;
  logic [PLACE_BITS-1:0] place_next, place;
  quasar_delay #(.BITS(1), .CYCLES(TREE + 10), .CLEARED(1)) place_valid_line (
    .clk(clk), .reset(reset), .in(row_valid & row_last), .out(place_valid));
  quasar_delay #(.BITS(PLACE_BITS), .CYCLES(TREE + 10), .CLEARED(0)) place_line (
    .clk(clk), .reset(reset), .in(row_place), .out(place_next));
  always_ff @(posedge clk) begin
    if (place_valid) place <= place_next;
    if (reset) write_chunk <= {CHUNK_BITS{1'b0}};
    else if (codes_valid[0]) write_chunk <= codes_last[0] ? {CHUNK_BITS{1'b0}} : write_chunk + ONE;
  end
  assign write = codes_valid[0];
  assign write_second = codes_valid[1];
  assign {write_slot, write_query} = place[PLACE_BITS-1:1];

  // And on to the cycle before its inverse.
  logic [PLACE_BITS-1:0] stored;
  logic block_last;
  quasar_delay #(.BITS(PLACE_BITS), .CYCLES(TREE + 17), .CLEARED(0)) stored_line (
    .clk(clk), .reset(reset), .in(place), .out(stored));
  quasar_inverse_file #(.TOKENS(TOKENS), .DRAIN(DRAIN)) file (
    .clk(clk), .reset(reset), .write_slot(stored[PLACE_BITS-1 -: 2]), .write_query(stored[QUERY_BITS:1]),
    .write(inverse_valid), .write_inverses(inverses), .read_slot(read_slot), .read_group(read_group),
    .read_inverses(read_inverses));
  logic [1:0] stored_slot;
  always_ff @(posedge clk) begin
    block_last <= stored[0];
    stored_slot <= stored[PLACE_BITS-1 -: 2];
    block_ready <= inverse_valid[0] & block_last & ~reset;
    block_slot <= stored_slot;
  end

`ifndef SYNTHESIS
  initial begin
    assert (TOKENS % SOFTMAX == 0) else $fatal(1, "%0d keys a tile in chunks of %0d", TOKENS, SOFTMAX);
  end
  always @(posedge clk) if (!reset) begin
    if (in_valid === 1'b1 && in_last) begin
      assert (in_slot != 2'd3 && !in_query[0] && {{32-QUERY_BITS{1'b0}}, in_query} + {31'd0, in_second} < TOKENS)
      else $fatal(1, "query %0d of block slot %0d is none", in_query, in_slot);
    end
    assert (!(codes_valid[1] === 1'b1 && (codes_valid[0] !== 1'b1 || codes_last[0] !== codes_last[1])))
    else $fatal(1, "the two units are out of step");
  end
`endif
endmodule
