// One lane of the output of attention, see quasar_context for the bounds.
//
// U = ((O·R >> (k+6)) + 1) >> 1. The shift by k + 6 takes 6 by wiring, then steps of 8, 2 and 1, each keeping
// the bits that can still reach U's 18: nothing is lost above because |O·R| ≤ 2^(k+22).
module quasar_context_lane #(
  parameter integer SUM_BITS = 24,
  parameter integer OUT_BITS = 8
) (
  input  logic                clk,
  input  logic [OUT_BITS-1:0] lo,
  input  logic [OUT_BITS-1:0] hi,
  input  logic [SUM_BITS-1:0] sum,            // cycle 0
  input  logic [15:0]         reciprocal,     // cycle 0
  input  logic [4:0]          exponent,       // cycle 0
  input  logic [16:0]         multiplier,     // cycle 7
  input  logic [5:0]          shift_less_one, // cycle 9
  output logic [OUT_BITS-1:0] code            // cycle 13
);
  // k ≤ 20: |O·R| ≤ 2^42 and the bits 6 … 6 + 24 + 18 − 1 are all that a step may look at.
  localparam integer PRODUCT_BITS = SUM_BITS + 17 > 48 ? SUM_BITS + 17 : 48;

  // Cycles 1 to 3: operands, product, second register.
  logic [SUM_BITS-1:0] sum1;
  logic [15:0] reciprocal1;
  logic [4:0] exponent3;
  logic signed [SUM_BITS+16:0] sum_wide, reciprocal_wide, product, exact;
  logic [PRODUCT_BITS-1:0] extended;
  assign sum_wide = {{17{sum1[SUM_BITS-1]}}, sum1};
  assign reciprocal_wide = {{SUM_BITS+1{1'b0}}, reciprocal1};
  always_ff @(posedge clk) begin
    sum1 <= sum;
    reciprocal1 <= reciprocal;
    product <= sum_wide * reciprocal_wide;
    exact <= product;
  end
  quasar_delay #(.BITS(5), .CYCLES(3), .CLEARED(0)) exponent_line (
    .clk(clk), .reset(1'b0), .in(exponent), .out(exponent3));
  generate
    if (PRODUCT_BITS > SUM_BITS + 17) begin : extend
      assign extended = {{PRODUCT_BITS-SUM_BITS-17{exact[SUM_BITS+16]}}, exact};
    end else begin : whole
      assign extended = exact;
    end
  endgenerate

  // Cycles 4 to 6: k's bits 4–3, 2–1, 0 and the rounding.
  logic [24:0] coarse, coarse_next;
  logic [18:0] middle, middle_next;
  logic [17:0] fine;
  logic [18:0] plus_one;
  logic [2:0] exponent4;
  logic exponent5, unused;
  logic [16:0] context_value;
  assign coarse_next = exponent3[4:3] == 2'd0 ? extended[30:6]
                     : exponent3[4:3] == 2'd1 ? extended[38:14]
                     : exponent3[4:3] == 2'd2 ? extended[46:22] : {{8{extended[47]}}, extended[46:30]};
  assign middle_next = exponent4[2:1] == 2'd0 ? coarse[18:0]
                     : exponent4[2:1] == 2'd1 ? coarse[20:2]
                     : exponent4[2:1] == 2'd2 ? coarse[22:4] : coarse[24:6];
  assign fine = exponent5 ? middle[18:1] : middle[17:0];
  assign plus_one = {fine[17], fine} + 19'd1;
  always_ff @(posedge clk) begin
    coarse <= coarse_next;
    exponent4 <= exponent3[2:0];
    middle <= middle_next;
    exponent5 <= exponent4[0];
    context_value <= plus_one[17:1];
  end

  // Cycles 7 to 9: operand register, U·M, second register. |U·M| < 2^31.
  logic [16:0] context7;
  logic signed [33:0] context_wide, multiplier_wide, scaled, scaled_exact;
  assign context_wide = {{17{context7[16]}}, context7};
  assign multiplier_wide = {{17{multiplier[16]}}, multiplier};
  always_ff @(posedge clk) begin
    context7 <= context_value;
    scaled <= context_wide * multiplier_wide;
    scaled_exact <= scaled;
  end
  assign unused = &{1'b0, plus_one[18], plus_one[0], extended[PRODUCT_BITS-1:47], extended[5:0]};

  // Cycles 10 to 13.
  quasar_round_clamp #(.VALUE_BITS(34), .OUT_BITS(OUT_BITS)) rounding (
    .clk(clk), .value(scaled_exact), .shift_less_one(shift_less_one), .lo(lo), .hi(hi), .out(code));
endmodule
