// Streams rows of scores through quasar_softmax and compares every code, Z, k and R.
//
// n = ⌈ROW_TOKENS/LANES⌉. Files, one hexadecimal word per line:
//   vectors/CASE.parameters.hex, 24 bits (6 digits): word 0 holds M [15:0] and S [23:16], word 1 + f holds E[f]
//     [15:0], f = 0…255.
//   vectors/CASE.in.hex, LANES·SCORE_BITS bits: VECTORS·n chunks.
//   vectors/CASE.out.hex, max(LANES·ACTIVATION_BITS, 56) bits: per row n chunks of codes and one word with R
//     [15:0], k [23:16], Z [55:24].
// The first pass has no gaps and is measured; the second one sends the first rows again with random gaps. Control of
// a row comes with its last chunk and is turned over in all other cycles, as nothing else may use it.
module quasar_softmax_tb #(
  parameter CASE = "softmax",
  parameter integer VECTORS = 16,
  parameter integer TOKENS = 197,
  parameter integer ROW_TOKENS = TOKENS,
  parameter integer LANES = 8,
  parameter integer SCORE_BITS = 26,
  parameter integer ACTIVATION_BITS = 8
) (
  input  logic        clk,
  input  logic        reset,
  output logic        done,
  output logic [31:0] errors
);
  localparam integer CHUNKS = (ROW_TOKENS + LANES - 1) / LANES;
  localparam integer LAST_LANES = ROW_TOKENS - (CHUNKS - 1) * LANES;
  localparam integer LANE_BITS = $clog2(LANES + 1);
  localparam integer SUM_BITS = $clog2(TOKENS * ((1 << ACTIVATION_BITS) - 1) + 1);
  localparam integer CODE_BITS = LANES * ACTIVATION_BITS;
  localparam integer WORD_BITS = CODE_BITS > 56 ? CODE_BITS : 56;
  localparam integer WORDS = VECTORS * CHUNKS;
  localparam integer GAP_ROWS = VECTORS < 40 ? VECTORS : 40;
  localparam integer PATIENCE = 4 * CHUNKS + 400;

  logic [23:0] parameters [0:256];
  logic [LANES*SCORE_BITS-1:0] inputs [0:WORDS-1];
  logic [WORD_BITS-1:0] outputs [0:WORDS+VECTORS-1];
  initial begin
    $readmemh({"vectors/", CASE, ".parameters.hex"}, parameters);
    $readmemh({"vectors/", CASE, ".in.hex"}, inputs);
    $readmemh({"vectors/", CASE, ".out.hex"}, outputs);
  end

  logic table_write, in_valid, in_last, out_valid, out_last, row_valid;
  logic [7:0] table_address;
  logic [23:0] table_word, header;
  logic [LANES*SCORE_BITS-1:0] in_scores;
  logic [CODE_BITS-1:0] out_codes;
  logic [SUM_BITS-1:0] row_sum;
  quasar_inverse_t row_inverse;
  logic [LANE_BITS-1:0] in_lanes;
  quasar_scale_t in_scale;
  assign in_lanes = {LANE_BITS{!in_last}} ^ LAST_LANES[LANE_BITS-1:0];
  assign in_scale = {quasar_pkg::SCALE_BITS{!in_last}} ^ {1'b0, header[15:0], header[21:16]};
  quasar_softmax #(
    .TOKENS(TOKENS), .LANES(LANES), .SCORE_BITS(SCORE_BITS), .ACTIVATION_BITS(ACTIVATION_BITS)
  ) unit (
    .clk(clk), .reset(reset), .table_write(table_write), .table_address(table_address),
    .table_value(table_word[15:0]), .in_valid(in_valid), .in_last(in_last), .in_lanes(in_lanes), .in_scale(in_scale),
    .in_scores(in_scores), .out_valid(out_valid), .out_last(out_last), .out_codes(out_codes),
    .row_valid(row_valid), .row_sum(row_sum), .row_inverse(row_inverse));

  // phase 0: table, 1: without gaps, 2: with gaps, 3: nothing more may come, 4: finished.
  integer phase, sent, codes, rows, loaded, quiet, cycle, first_in, first_out, last_start;
  integer found, interval, wanted_rows;
  logic [31:0] random;
  logic [WORD_BITS-1:0] expected, expected_row;
  logic [55:0] row_word;
  assign interval = VECTORS > 1 ? (last_start - first_out) / (VECTORS - 1) : CHUNKS;
  assign header = parameters[0];
  assign expected = outputs[codes + codes / CHUNKS];
  assign expected_row = outputs[rows * (CHUNKS + 1) + CHUNKS];
  assign row_word = {{32-SUM_BITS{1'b0}}, row_sum, 3'b0, row_inverse};
  assign wanted_rows = phase == 1 ? VECTORS : GAP_ROWS;

  always @(posedge clk) begin
    if (reset) begin
      phase <= 0; sent <= 0; codes <= 0; rows <= 0; loaded <= 0; quiet <= 0; cycle <= 0;
      first_in <= 0; first_out <= 0; last_start <= 0; random <= 32'h7654321;
      table_write <= 0; in_valid <= 0; in_last <= 0; done <= 0; errors <= 0; found <= 0;
    end else begin
      cycle <= cycle + 1;
      quiet <= quiet + 1;
      random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
      table_write <= phase == 0 && loaded < 256;
      in_valid <= 0;
      in_last <= 0;
      if (phase == 0) begin
        table_word <= parameters[loaded < 256 ? loaded + 1 : 0];
        table_address <= loaded[7:0];
        loaded <= loaded + 1;
        if (loaded > 256) begin
          phase <= 1;
          quiet <= 0;
        end
      end
      if ((phase == 1 && sent < WORDS) || (phase == 2 && sent < GAP_ROWS * CHUNKS && random[0])) begin
        in_valid <= 1;
        in_last <= sent % CHUNKS == CHUNKS - 1;
        in_scores <= inputs[sent];
        sent <= sent + 1;
      end
      if (phase == 1 && in_valid && first_in == 0) first_in <= cycle;
      if (phase == 1 || phase == 2) begin
        if (out_valid === 1'b1) begin
          quiet <= 0;
          codes <= codes + 1;
          if (phase == 1 && codes == 0) first_out <= cycle;
          if (phase == 1 && codes == WORDS - CHUNKS) last_start <= cycle;
          if (codes >= wanted_rows * CHUNKS || out_codes !== expected[CODE_BITS-1:0]
              || out_last !== (codes % CHUNKS == CHUNKS - 1)) begin
            found <= found + 1;
            if (found <= 5)
              $display("%0s row %0d chunk %0d: expected %h, found %h", CASE, codes / CHUNKS, codes % CHUNKS,
                       expected[CODE_BITS-1:0], out_codes);
          end
        end
        if (row_valid === 1'b1) begin
          quiet <= 0;
          rows <= rows + 1;
          if (row_word !== expected_row[55:0]) begin
            found <= found + 1;
            if (found <= 5)
              $display("%0s row %0d: expected Z, k, R %h, found %h", CASE, rows, expected_row[55:0], row_word);
          end
          // Z, k and R of a row come after its codes.
          if (rows == wanted_rows - 1) begin
            if (codes != wanted_rows * CHUNKS) found <= found + 1;
            phase <= phase + 1;
            sent <= 0;
            codes <= 0;
            rows <= 0;
          end
        end
        if (quiet > PATIENCE) begin
          $display("%0s: no output for %0d cycles after %0d chunks", CASE, quiet, codes);
          found <= found + 1;
          phase <= 4;
        end
      end
      if ((phase == 3 && (out_valid !== 1'b0 || row_valid !== 1'b0)) || (^{out_valid, row_valid}) === 1'bx)
        found <= found + 1;
      if (phase == 3 && quiet > PATIENCE) phase <= 4;
      if (phase == 4 && !done) begin
        done <= 1;
        errors <= found;
        if (found == 0)
          $display("PASS %0s vectors=%0d latency=%0d interval=%0d", CASE, VECTORS, first_out - first_in, interval);
        else $display("FAIL %0s errors=%0d of %0d", CASE, found, (VECTORS + GAP_ROWS) * (CHUNKS + 1));
      end
    end
  end
endmodule
