// Output of attention: the weighted sums divided by ΣP and requantised, LANES results a cycle.
//
//   U = (O·R + 2^(k+6)) >> (k+7); y = clamp((U·M + 2^(S−1)) >> S, lo, hi)
//
// Lane l holds O, R and k in its own part of the input words, lane 0 low; M and S (1…47) come with each word and
// serve all lanes; lo and hi do not change while results are inside. Latency: 13 cycles.
//
// |O| ≤ 128·ΣP = 128·Z and R·Z ≤ 2^(k+15): |O·R| ≤ 2^(k+22) and |U| ≤ 2^15, 17 bits. SUM_BITS holds O: with
// A = 8, 24 bits to 257 tokens, 27 bits to 2056, 28 bits to 4096. One multiplier of 27 × 18 bits does O·R while
// SUM_BITS ≤ 27 (two beyond), another one U·M (|M| < 2^16): two a lane.
module quasar_context #(
  parameter integer LANES = 4,
  parameter integer SUM_BITS = 24,
  parameter integer OUT_BITS = 8
) (
  input  logic                      clk,
  input  logic                      reset,
  input  logic [OUT_BITS-1:0]       lo,
  input  logic [OUT_BITS-1:0]       hi,
  input  logic                      in_valid,
  input  logic [LANES*SUM_BITS-1:0] in_sums,
  input  logic [LANES*16-1:0]       in_reciprocals,
  input  logic [LANES*5-1:0]        in_exponents,
  input  logic [16:0]               in_multiplier,
  input  logic [5:0]                in_shift,
  output logic                      out_valid,
  output logic [LANES*OUT_BITS-1:0] out_codes
);
  // Cycle 7 in the lanes needs M, cycle 9 needs S − 1.
  logic [16:0] multiplier;
  logic [5:0] shift, shift_less_one;
  quasar_delay #(.BITS(17), .CYCLES(7), .CLEARED(0)) multiplier_line (
    .clk(clk), .reset(reset), .in(in_multiplier), .out(multiplier));
  quasar_delay #(.BITS(6), .CYCLES(8), .CLEARED(0)) shift_line (
    .clk(clk), .reset(reset), .in(in_shift), .out(shift));
  always_ff @(posedge clk) shift_less_one <= shift - 6'd1;
  quasar_delay #(.BITS(1), .CYCLES(13), .CLEARED(1)) valid_line (
    .clk(clk), .reset(reset), .in(in_valid), .out(out_valid));

  genvar i;
  generate
    for (i = 0; i < LANES; i = i + 1) begin : lane
      quasar_context_lane #(.SUM_BITS(SUM_BITS), .OUT_BITS(OUT_BITS)) unit (
        .clk(clk), .lo(lo), .hi(hi), .sum(in_sums[i*SUM_BITS +: SUM_BITS]),
        .reciprocal(in_reciprocals[i*16 +: 16]), .exponent(in_exponents[i*5 +: 5]),
        .multiplier(multiplier), .shift_less_one(shift_less_one), .code(out_codes[i*OUT_BITS +: OUT_BITS]));
    end
  endgenerate
endmodule
