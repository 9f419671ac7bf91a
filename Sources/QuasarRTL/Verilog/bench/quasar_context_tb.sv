// Streams sums through quasar_context and compares every code.
//
// Files, one hexadecimal word per line:
//   vectors/CASE.parameters.hex, 32 bits (8 digits): one word, lo [15:0], hi [31:16] (two's complement).
//   vectors/CASE.in.hex, 56·LANES + 28 bits, VECTORS words: lane l holds O [31:0] (two's complement), R [47:32],
//     k [55:48] at bit 56·l; above the lanes M [19:0] (two's complement of 17 bits), S [27:20].
//   vectors/CASE.out.hex, LANES·OUT_BITS bits: as many.
// The first pass has no gaps and is measured; the second one sends the first words again with random gaps. Without a word
// the limits are turned over, as nothing but a word may use them.
module quasar_context_tb #(
  parameter CASE = "context",
  parameter integer VECTORS = 16,
  parameter integer LANES = 4,
  parameter integer SUM_BITS = 24,
  parameter integer OUT_BITS = 8
) (
  input  logic        clk,
  input  logic        reset,
  output logic        done,
  output logic [31:0] errors
);
  localparam integer IN_BITS = 56 * LANES + 28;
  localparam integer GAP_VECTORS = VECTORS < 1000 ? VECTORS : 1000;
  localparam integer PATIENCE = 200;

  logic [31:0] parameters [0:0];
  logic [IN_BITS-1:0] inputs [0:VECTORS-1];
  logic [LANES*OUT_BITS-1:0] outputs [0:VECTORS-1];
  initial begin
    $readmemh({"vectors/", CASE, ".parameters.hex"}, parameters);
    $readmemh({"vectors/", CASE, ".in.hex"}, inputs);
    $readmemh({"vectors/", CASE, ".out.hex"}, outputs);
  end

  logic in_valid, out_valid;
  logic [31:0] header;
  logic [IN_BITS-1:0] in_word;
  logic [LANES*SUM_BITS-1:0] in_sums;
  logic [LANES*quasar_pkg::INVERSE_BITS-1:0] in_inverses;
  logic [OUT_BITS-1:0] gap;
  assign gap = {OUT_BITS{!in_valid}};
  logic [LANES*OUT_BITS-1:0] out_codes;
  generate
    for (genvar i = 0; i < LANES; i = i + 1) begin : gen_lane
      assign in_sums[i*SUM_BITS +: SUM_BITS] = in_word[56*i +: SUM_BITS];
      assign in_inverses[i*quasar_pkg::INVERSE_BITS +: quasar_pkg::INVERSE_BITS] =
        {in_word[56*i+48 +: 5], in_word[56*i+32 +: 16]};
    end
  endgenerate
  quasar_context #(.LANES(LANES), .SUM_BITS(SUM_BITS), .OUT_BITS(OUT_BITS)) unit (
    .clk(clk), .reset(reset), .in_valid(in_valid), .in_used({LANES{1'b1}}), .in_sums(in_sums), .in_inverses(in_inverses),
    .in_scale({in_word[56*LANES +: 17], in_word[56*LANES+20 +: 6]}), .in_lo(gap ^ header[0 +: OUT_BITS]),
    .in_hi(gap ^ header[16 +: OUT_BITS]), .out_valid(out_valid), .out_codes(out_codes));

  // phase 1: without gaps, 2: with gaps, 3: nothing more may come, 4: finished.
  integer phase, sent, received, quiet, cycle, first_in, first_out, last_out, found, interval, wanted;
  logic [31:0] random;
  logic [LANES*OUT_BITS-1:0] expected;
  assign interval = VECTORS > 1 ? (last_out - first_out) / (VECTORS - 1) : 1;
  assign header = parameters[0];
  assign expected = outputs[received];
  assign wanted = phase == 1 ? VECTORS : GAP_VECTORS;

  always @(posedge clk) begin
    if (reset) begin
      phase <= 1; sent <= 0; received <= 0; quiet <= 0; cycle <= 0;
      first_in <= 0; first_out <= 0; last_out <= 0; random <= 32'h2468ace;
      in_valid <= 0; done <= 0; errors <= 0; found <= 0;
    end else begin
      cycle <= cycle + 1;
      quiet <= quiet + 1;
      random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
      in_valid <= 0;
      if ((phase == 1 && sent < VECTORS) || (phase == 2 && sent < GAP_VECTORS && random[0])) begin
        in_valid <= 1;
        in_word <= inputs[sent];
        sent <= sent + 1;
      end
      if (phase == 1 && in_valid && first_in == 0) first_in <= cycle;
      if (out_valid === 1'b1 && (phase == 1 || phase == 2)) begin
        quiet <= 0;
        received <= received + 1;
        if (phase == 1 && received == 0) first_out <= cycle;
        if (phase == 1 && received == VECTORS - 1) last_out <= cycle;
        if (out_codes !== expected) begin
          found <= found + 1;
          if (found <= 5)
            $display("%0s word %0d: expected %h, found %h", CASE, received, expected, out_codes);
        end
        if (received == wanted - 1) begin
          phase <= phase + 1;
          sent <= 0;
          received <= 0;
        end
      end else if (out_valid !== 1'b0 && (phase == 3 || out_valid !== 1'b1)) found <= found + 1;
      if (phase == 3 && quiet > PATIENCE) phase <= 4;
      if ((phase == 1 || phase == 2) && quiet > PATIENCE) begin
        $display("%0s: no output for %0d cycles after %0d words", CASE, quiet, received);
        found <= found + 1;
        phase <= 4;
      end
      if (phase == 4 && !done) begin
        done <= 1;
        errors <= found;
        if (found == 0)
          $display("PASS %0s vectors=%0d latency=%0d interval=%0d", CASE, VECTORS, first_out - first_in, interval);
        else $display("FAIL %0s errors=%0d of %0d", CASE, found, VECTORS + GAP_VECTORS);
      end
    end
  end
endmodule
