// ⌊numerator / divisor⌋, one quotient bit per stage: QUOTIENT_BITS cycles, a division each cycle.
//
// Needs divisor ≥ 1, DIVISOR_BITS ≥ 2, QUOTIENT_BITS ≥ 2 and numerator < divisor·2^QUOTIENT_BITS.
//
// A stage subtracts the divisor from the doubled remainder; where that went below zero the next stage gives
// it back in the same addition: 2(r + d) + b − d = 2r + b + d. The sign of each stage is the (inverted)
// quotient bit, the same as with restoring, at one adder per stage. −d ≤ r < d, so DIVISOR_BITS + 1 bits hold r
// and sums may be formed modulo 2^(DIVISOR_BITS+1).
module quasar_divider #(
  parameter integer QUOTIENT_BITS = 16,
  parameter integer DIVISOR_BITS = 16
) (
  input  logic                                  clk,
  input  logic                                  reset,
  input  logic                                  in_valid,
  input  logic [DIVISOR_BITS+QUOTIENT_BITS-1:0] numerator,
  input  logic [DIVISOR_BITS-1:0]               divisor,
  output logic                                  out_valid,
  output logic [QUOTIENT_BITS-1:0]              quotient
);
  localparam integer R = DIVISOR_BITS + 1;

  // In front of stage i: numerator bits still to come above the quotient bits found so far, remainder, divisor.
  // Behind it the same, registered; the last stage needs its digits only.
  logic [QUOTIENT_BITS-1:0] digits_before [0:QUOTIENT_BITS-1];
  logic [R-1:0] remainder_before [0:QUOTIENT_BITS-1];
  logic [DIVISOR_BITS-1:0] divisor_before [0:QUOTIENT_BITS-1];
  logic [QUOTIENT_BITS-1:0] digits [0:QUOTIENT_BITS-1];
  logic [R-1:0] remainder [0:QUOTIENT_BITS-1];
  logic [DIVISOR_BITS-1:0] divisor_kept [0:QUOTIENT_BITS-1];
  assign digits_before[0] = numerator[QUOTIENT_BITS-1:0];
  assign remainder_before[0] = {1'b0, numerator[DIVISOR_BITS+QUOTIENT_BITS-1:QUOTIENT_BITS]};
  assign divisor_before[0] = divisor;

  generate
    for (genvar i = 0; i < QUOTIENT_BITS; i = i + 1) begin : gen_stage
      logic [R-1:0] remainder_next;
      logic [DIVISOR_BITS-2:0] flipped_high;
      logic flipped_low, subtract, unused_column;
      if (i > 0) begin : gen_link
        assign digits_before[i] = digits[i-1];
        assign remainder_before[i] = remainder[i-1];
        assign divisor_before[i] = divisor_kept[i-1];
      end

      // a − d = a + ¬d + 1; the lowest column (1 + subtract) makes the carry, so one carry chain does both.
      // The flipped divisor comes in two parts because yosys gives the sum of fewer parts the direct input of
      // the carry cells, and only the other one shares their LUTs: half the LUTs.
      assign subtract = ~remainder_before[i][R-1];
      assign flipped_high = divisor_before[i][DIVISOR_BITS-1:1] ^ {DIVISOR_BITS-1{subtract}};
      assign flipped_low = divisor_before[i][0] ^ subtract;
      assign {remainder_next, unused_column} = {remainder_before[i][R-2:0], digits_before[i][QUOTIENT_BITS-1], 1'b1}
                                             + {subtract, flipped_high, flipped_low, subtract};
      always_ff @(posedge clk) begin
        digits[i] <= {digits_before[i][QUOTIENT_BITS-2:0], ~remainder_next[R-1]};
        remainder[i] <= remainder_next;
        divisor_kept[i] <= divisor_before[i];
      end
    end
  endgenerate

  assign quotient = digits[QUOTIENT_BITS-1];
  quasar_delay #(.BITS(1), .CYCLES(QUOTIENT_BITS), .CLEARED(1)) valid_line (
    .clk(clk), .reset(reset), .in(in_valid), .out(out_valid));

`ifndef SYNTHESIS
  always @(posedge clk) if (!reset && in_valid === 1'b1) begin
    assert (divisor != 0) else $fatal(1, "divisor 0");
    assert (numerator[DIVISOR_BITS+QUOTIENT_BITS-1:QUOTIENT_BITS] < divisor || divisor == 0)
    else $fatal(1, "%0d / %0d needs more than %0d bits", numerator, divisor, QUOTIENT_BITS);
  end
`endif
endmodule
