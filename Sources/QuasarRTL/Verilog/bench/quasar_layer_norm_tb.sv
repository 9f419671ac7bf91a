// Streams tokens through quasar_layer_norm and compares every code.
//
// The unit is made for WIDTH elements and gets tokens of TOKEN_WIDTH = D. n = ⌈D/LANES⌉. Files, one hexadecimal word per line:
//   vectors/CASE.parameters.hex, 92 bits (23 digits): word 0 holds E [39:0], lo [55:40], hi [71:56] (two's
//     complement of 16 bits); word 1 + i holds of channel i M [16:0] in [19:0], S [27:20], B [91:28] (two's
//     complement; the bits beyond the port's width are ignored).
//   vectors/CASE.in.hex, LANES·16 bits: VECTORS·n chunks. vectors/CASE.out.hex, LANES·OUT_BITS bits: as many.
// The first pass has no gaps and is measured; the second one sends the first tokens again with random gaps.
module quasar_layer_norm_tb #(
  parameter CASE = "layer_norm",
  parameter integer VECTORS = 16,
  parameter integer WIDTH = 192,
  parameter integer TOKEN_WIDTH = WIDTH,
  parameter integer LANES = 8,
  parameter integer OUT_BITS = 8
) (
  input  logic        clk,
  input  logic        reset,
  output logic        done,
  output logic [31:0] errors
);
  localparam integer CHUNKS = (TOKEN_WIDTH + LANES - 1) / LANES;
  localparam integer CHUNK_BITS = WIDTH > LANES ? $clog2((WIDTH + LANES - 1) / LANES) : 1;
  localparam integer WIDTH_BITS = $clog2(WIDTH + 1);
  localparam integer LANE_BITS = LANES > 1 ? $clog2(LANES) : 1;
  localparam integer WORDS = VECTORS * CHUNKS;
  localparam integer GAP_WORDS = (VECTORS < 40 ? VECTORS : 40) * CHUNKS;
  localparam integer PATIENCE = 4 * CHUNKS + 400;

  logic [91:0] parameters [0:TOKEN_WIDTH];
  logic [LANES*16-1:0] inputs [0:WORDS-1];
  logic [LANES*OUT_BITS-1:0] outputs [0:WORDS-1];
  initial begin
    $readmemh({"vectors/", CASE, ".parameters.hex"}, parameters);
    $readmemh({"vectors/", CASE, ".in.hex"}, inputs);
    $readmemh({"vectors/", CASE, ".out.hex"}, outputs);
  end

  logic norm_write, channel_write, in_valid, in_last, out_valid, out_last;
  logic [CHUNK_BITS-1:0] channel_chunk;
  logic [LANE_BITS-1:0] channel_lane;
  logic [91:0] channel_word, header;
  logic [LANES*16-1:0] in_values;
  logic [LANES*OUT_BITS-1:0] out_codes;
  quasar_layer_norm #(.WIDTH(WIDTH), .LANES(LANES), .OUT_BITS(OUT_BITS)) unit (
    .clk(clk), .reset(reset), .width(TOKEN_WIDTH[WIDTH_BITS-1:0]), .norm_write(norm_write), .norm_epsilon(header[39:0]),
    .norm_lo(header[40 +: OUT_BITS]), .norm_hi(header[56 +: OUT_BITS]), .channel_write(channel_write),
    .channel_chunk(channel_chunk), .channel_lane(channel_lane),
    .channel({channel_word[90:28], channel_word[16:0], channel_word[25:20]}),
    .in_valid(in_valid), .in_last(in_last), .in_values(in_values), .out_valid(out_valid), .out_last(out_last),
    .out_codes(out_codes));

  // phase 0: parameters, 1: without gaps, 2: with gaps, 3: nothing more may come, 4: finished.
  integer phase, sent, received, loaded, chunk, lane, quiet, cycle, first_in, first_out, last_start;
  integer found, interval;
  logic [31:0] random;
  logic [LANES*OUT_BITS-1:0] expected;
  assign interval = VECTORS > 1 ? (last_start - first_out) / (VECTORS - 1) : CHUNKS;
  assign header = norm_write ? parameters[0] : ~parameters[0];
  assign expected = outputs[received];

  always @(posedge clk) begin
    if (reset) begin
      phase <= 0; sent <= 0; received <= 0; loaded <= 0; chunk <= 0; lane <= 0; quiet <= 0; cycle <= 0;
      first_in <= 0; first_out <= 0; last_start <= 0; random <= 32'h1234567;
      norm_write <= 0; channel_write <= 0; in_valid <= 0; in_last <= 0; done <= 0; errors <= 0; found <= 0;
    end else begin
      cycle <= cycle + 1;
      quiet <= quiet + 1;
      random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
      norm_write <= phase == 0 && loaded == 0;
      channel_write <= phase == 0 && loaded < TOKEN_WIDTH;
      in_valid <= 0;
      in_last <= 0;
      if (phase == 0) begin
        channel_word <= parameters[loaded < TOKEN_WIDTH ? loaded + 1 : 0];
        channel_chunk <= chunk[CHUNK_BITS-1:0];
        channel_lane <= lane[LANE_BITS-1:0];
        lane <= lane == LANES - 1 ? 0 : lane + 1;
        if (lane == LANES - 1) chunk <= chunk + 1;
        loaded <= loaded + 1;
        if (loaded > TOKEN_WIDTH) begin
          phase <= 1;
          quiet <= 0;
        end
      end
      if ((phase == 1 && sent < WORDS) || (phase == 2 && sent < GAP_WORDS && random[0])) begin
        in_valid <= 1;
        in_last <= sent % CHUNKS == CHUNKS - 1;
        in_values <= inputs[sent];
        sent <= sent + 1;
      end
      if (phase == 1 && in_valid && first_in == 0) first_in <= cycle;
      if (out_valid === 1'b1 && (phase == 1 || phase == 2)) begin
        quiet <= 0;
        received <= received + 1;
        if (phase == 1 && received == 0) first_out <= cycle;
        if (phase == 1 && received == WORDS - CHUNKS) last_start <= cycle;
        if (out_codes !== expected || out_last !== (received % CHUNKS == CHUNKS - 1)) begin
          found <= found + 1;
          if (found <= 5)
            $display("%0s token %0d chunk %0d: expected %h, found %h", CASE, received / CHUNKS,
                     received % CHUNKS, expected, out_codes);
        end
        if (received == (phase == 1 ? WORDS : GAP_WORDS) - 1) begin
          phase <= phase + 1;
          sent <= 0;
          received <= 0;
        end
      end else if (out_valid !== 1'b0 && (phase == 3 || out_valid !== 1'b1)) found <= found + 1;
      if (phase == 3 && quiet > PATIENCE) phase <= 4;
      if ((phase == 1 || phase == 2) && quiet > PATIENCE) begin
        $display("%0s: no output for %0d cycles after %0d chunks", CASE, quiet, received);
        found <= found + 1;
        phase <= 4;
      end
      if (phase == 4 && !done) begin
        done <= 1;
        errors <= found;
        if (found == 0)
          $display("PASS %0s vectors=%0d latency=%0d interval=%0d", CASE, VECTORS, first_out - first_in, interval);
        else $display("FAIL %0s errors=%0d of %0d", CASE, found, WORDS + GAP_WORDS);
      end
    end
  end
endmodule
