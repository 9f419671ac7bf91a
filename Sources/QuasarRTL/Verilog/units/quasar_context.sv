// Output of attention: the weighted sums divided by ΣP and requantised, LANES results per cycle.
//
//   U = (O·R + 2^(k+6)) >> (k+7); y = clamp((U·M + 2^(S−1)) >> S, lo, hi)
//
// Lane l holds O, R and k in its own part of the input words, lane 0 low; M and S (1…47), lo and hi come with each word and
// serve all lanes. Latency: quasar_pkg::CONTEXT_CYCLES = 13.
//
// |O| ≤ 128·ΣP = 128·Z and R·Z ≤ 2^(k+15): |O·R| ≤ 2^(k+22) and |U| ≤ 2^15, 17 bits. SUM_BITS holds O: with
// A = 8, 24 bits to 257 tokens, 27 bits to 2056, 28 bits to 4096. One multiplier of 27 × 18 bits does O·R while
// SUM_BITS ≤ 27 (two beyond), another one U·M (|M| < 2^16): two per lane.
module quasar_context #(
  parameter integer LANES = 4,
  parameter integer SUM_BITS = 24,
  parameter integer OUT_BITS = 8
) (
  input  logic                                      clk,
  input  logic                                      reset,
  input  logic                                      in_valid,
  input  logic [LANES-1:0]                          in_used,  // of the others the outputs do not count
  input  logic [LANES*SUM_BITS-1:0]                 in_sums,
  input  logic [LANES*quasar_pkg::INVERSE_BITS-1:0] in_inverses,
  input  quasar_scale_t                             in_scale,
  input  logic [OUT_BITS-1:0]                       in_lo,
  input  logic [OUT_BITS-1:0]                       in_hi,
  output logic                                      out_valid,
  output logic [LANES*OUT_BITS-1:0]                 out_codes
);
  localparam integer CYCLES = quasar_pkg::CONTEXT_CYCLES;

  // Control goes to the lanes in the cycles in which they need it: M 7, S − 1 9, the limits 12.
  logic [quasar_pkg::MULTIPLIER_BITS-1:0] multiplier;
  logic [quasar_pkg::SHIFT_BITS-1:0] shift, shift_less_one;
  logic [OUT_BITS-1:0] lo, hi;
  quasar_delay #(.BITS(quasar_pkg::MULTIPLIER_BITS), .CYCLES(7), .CLEARED(0)) multiplier_line (
    .clk(clk), .reset(reset), .in(in_scale.multiplier), .out(multiplier));
  quasar_delay #(.BITS(quasar_pkg::SHIFT_BITS), .CYCLES(8), .CLEARED(0)) shift_line (
    .clk(clk), .reset(reset), .in(in_scale.shift), .out(shift));
  always_ff @(posedge clk) shift_less_one <= shift - 6'd1;
  quasar_delay #(.BITS(2 * OUT_BITS), .CYCLES(CYCLES - 1), .CLEARED(0)) limit_line (
    .clk(clk), .reset(reset), .in({in_lo, in_hi}), .out({lo, hi}));
  quasar_delay #(.BITS(1), .CYCLES(CYCLES), .CLEARED(1)) valid_line (
    .clk(clk), .reset(reset), .in(in_valid), .out(out_valid));

  generate
    for (genvar i = 0; i < LANES; i = i + 1) begin : gen_lane
      quasar_context_lane #(.SUM_BITS(SUM_BITS), .OUT_BITS(OUT_BITS)) lane (
        .clk(clk), .sum(in_sums[i*SUM_BITS +: SUM_BITS]),
        .inverse(in_inverses[i*quasar_pkg::INVERSE_BITS +: quasar_pkg::INVERSE_BITS]), .multiplier(multiplier),
        .shift_less_one(shift_less_one), .lo(lo), .hi(hi), .code(out_codes[i*OUT_BITS +: OUT_BITS]));
    end
  endgenerate

`ifndef SYNTHESIS
  always @(posedge clk) if (!reset && in_valid === 1'b1) begin
    assert (in_scale.shift != 0 && {26'd0, in_scale.shift} <= quasar_pkg::LARGEST_SHIFT)
    else $fatal(1, "shift %0d is outside 1…47", in_scale.shift);
    assert (in_scale.multiplier != 17'h10000) else $fatal(1, "multiplier −2^16; |M| < 2^16");
    assert ($signed(in_lo) <= $signed(in_hi))
    else $fatal(1, "limits %0d…%0d are empty", $signed(in_lo), $signed(in_hi));
  end
  generate
    for (genvar i = 0; i < LANES; i = i + 1) begin : gen_bounds
      quasar_inverse_t inverse;
      logic signed [63:0] product, bound;
      assign inverse = in_inverses[i*quasar_pkg::INVERSE_BITS +: quasar_pkg::INVERSE_BITS];
      assign product = $signed({{64-SUM_BITS{in_sums[i*SUM_BITS+SUM_BITS-1]}}, in_sums[i*SUM_BITS +: SUM_BITS]})
                       * $signed({48'd0, inverse.reciprocal});
      assign bound = 64'sd1 <<< (inverse.log + 22);
      always @(posedge clk) if (!reset && in_valid === 1'b1 && in_used[i]) begin
        assert (inverse.reciprocal[15] && inverse.log <= 20)
        else $fatal(1, "R = %0d, k = %0d; R ≥ 2^15 and k ≤ 20", inverse.reciprocal, inverse.log);
        assert (product <= bound && product >= -bound)
        else $fatal(1, "O·R = %0d is beyond 2^(k+22), k = %0d", product, inverse.log);
      end
    end
  endgenerate
`endif
endmodule
