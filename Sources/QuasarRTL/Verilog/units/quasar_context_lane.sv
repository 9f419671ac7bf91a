// One lane of the output of attention, see quasar_context for the bounds.
//
// U = ((O·R >> (k+6)) + 1) >> 1. The shift by k + 6 takes 6 (BELOW) by wiring, then steps of 8, 2 and 1, each keeping
// the bits that can still reach U's 18: nothing is lost above because |O·R| ≤ 2^(k+22).
module quasar_context_lane #(
  parameter integer SUM_BITS = 24,
  parameter integer OUT_BITS = 8
) (
  input  logic                                   clk,
  input  logic [SUM_BITS-1:0]                    sum,             // cycle 0
  input  quasar_inverse_t                        inverse,         // cycle 0
  input  logic [quasar_pkg::MULTIPLIER_BITS-1:0] multiplier,      // cycle 7
  input  logic [quasar_pkg::SHIFT_BITS-1:0]      shift_less_one,  // cycle 9
  input  logic [OUT_BITS-1:0]                    lo,              // cycle 12
  input  logic [OUT_BITS-1:0]                    hi,              // cycle 12
  output logic [OUT_BITS-1:0]                    code             // cycle 13
);
  // k ≤ 20: |O·R| ≤ 2^42 and the bits 6 … 6 + 24 + 18 − 1 are all that a step may look at.
  localparam integer PRODUCT_BITS = SUM_BITS + 17 > 48 ? SUM_BITS + 17 : 48;

  // Cycles 1 to 3: operands, product, second register.
  logic [SUM_BITS-1:0] sum1;
  logic [15:0] reciprocal1;
  logic [4:0] log3;
  logic signed [SUM_BITS+16:0] sum_wide, reciprocal_wide, product, exact;
  logic [PRODUCT_BITS-1:0] extended;
  assign sum_wide = {{17{sum1[SUM_BITS-1]}}, sum1};
  assign reciprocal_wide = {{SUM_BITS+1{1'b0}}, reciprocal1};
  always_ff @(posedge clk) begin
    sum1 <= sum;
    reciprocal1 <= inverse.reciprocal;
    product <= sum_wide * reciprocal_wide;
    exact <= product;
  end
  quasar_delay #(.BITS(5), .CYCLES(3), .CLEARED(0)) log_line (
    .clk(clk), .reset(1'b0), .in(inverse.log), .out(log3));
  generate
    if (PRODUCT_BITS > SUM_BITS + 17) begin : gen_extend
      assign extended = {{PRODUCT_BITS-SUM_BITS-17{exact[SUM_BITS+16]}}, exact};
    end else begin : gen_whole
      assign extended = exact;
    end
  endgenerate

  localparam integer BELOW = 15 - quasar_pkg::CONTEXT_FRACTION_BITS - 1;  // R has 15 bits below its first

  // Cycles 4 to 6: k's bits 4–3, 2–1, 0 and the rounding.
  logic [24:0] coarse, coarse_next;
  logic [18:0] middle, middle_next;
  logic [17:0] fine;
  logic [2:0] log4;
  logic log5;
  logic [16:0] context_value;
  // k ≤ 20: 0, 8 or 16.
  assign coarse_next = log3[4] ? extended[BELOW+16 +: 25] : log3[3] ? extended[BELOW+8 +: 25] : extended[BELOW +: 25];
  assign middle_next = log4[2:1] == 2'd0 ? coarse[18:0]
                     : log4[2:1] == 2'd1 ? coarse[20:2]
                     : log4[2:1] == 2'd2 ? coarse[22:4] : coarse[24:6];
  assign fine = log5 ? middle[18:1] : middle[17:0];
  always_ff @(posedge clk) begin
    coarse <= coarse_next;
    log4 <= log3[2:0];
    middle <= middle_next;
    log5 <= log4[0];
    context_value <= fine[17:1] + {16'd0, fine[0]};  // (fine + 1) >> 1
  end

  // Cycles 7 to 9: operand register, U·M, second register. |U·M| < 2^31.
  logic [16:0] context7;
  logic signed [31:0] context_wide, multiplier_wide, scaled, scaled_exact;
  assign context_wide = {{15{context7[16]}}, context7};
  assign multiplier_wide = {{15{multiplier[16]}}, multiplier};
  always_ff @(posedge clk) begin
    context7 <= context_value;
    scaled <= context_wide * multiplier_wide;
    scaled_exact <= scaled;
  end

  // Cycles 10 to 13.
  quasar_round_clamp #(.VALUE_BITS(32), .OUT_BITS(OUT_BITS)) rounding (
    .clk(clk), .value(scaled_exact), .shift_less_one(shift_less_one), .lo(lo), .hi(hi), .out(code));
endmodule
