// ⌊numerator / divisor⌋, one quotient bit a stage: QUOTIENT_BITS cycles, a division each cycle.
//
// Needs divisor ≥ 1, DIVISOR_BITS ≥ 2, QUOTIENT_BITS ≥ 2 and numerator < divisor·2^QUOTIENT_BITS.
//
// A stage subtracts the divisor from the doubled remainder; where that went below zero the next stage gives
// it back in the same addition: 2(r + d) + b − d = 2r + b + d. The sign of each stage is the (inverted)
// quotient bit, the same as with restoring, at one adder a stage. −d ≤ r < d, so DIVISOR_BITS + 1 bits hold r
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

  genvar i;
  generate
    for (i = 0; i < QUOTIENT_BITS; i = i + 1) begin : stage
      // Numerator bits still to come above, quotient bits found so far below.
      logic [QUOTIENT_BITS-1:0] digits, digits_before;
      logic [R-1:0] remainder_before, remainder_next;
      logic [DIVISOR_BITS-2:0] flipped_high;
      logic [DIVISOR_BITS-1:0] divisor_before;
      logic flipped_low, subtract, unused;

      if (i == 0) begin : head
        assign digits_before = numerator[QUOTIENT_BITS-1:0];
        assign remainder_before = {1'b0, numerator[DIVISOR_BITS+QUOTIENT_BITS-1:QUOTIENT_BITS]};
        assign divisor_before = divisor;
      end else begin : tail
        assign digits_before = stage[i-1].digits;
        assign remainder_before = stage[i-1].keep.remainder;
        assign divisor_before = stage[i-1].keep.divisor_kept;
      end

      // a − d = a + ¬d + 1; the lowest column (1 + subtract) makes the carry, so one carry chain does both.
      // The flipped divisor comes in two parts because yosys gives the sum of fewer parts the direct input of
      // the carry cells, and only the other one shares their LUTs: half the LUTs.
      assign subtract = ~remainder_before[R-1];
      assign flipped_high = divisor_before[DIVISOR_BITS-1:1] ^ {DIVISOR_BITS-1{subtract}};
      assign flipped_low = divisor_before[0] ^ subtract;
      assign {remainder_next, unused} = {remainder_before[R-2:0], digits_before[QUOTIENT_BITS-1], 1'b1}
                                      + {subtract, flipped_high, flipped_low, subtract};
      always_ff @(posedge clk) digits <= {digits_before[QUOTIENT_BITS-2:0], ~remainder_next[R-1]};

      if (i < QUOTIENT_BITS - 1) begin : keep
        logic [R-1:0] remainder;
        logic [DIVISOR_BITS-1:0] divisor_kept;
        always_ff @(posedge clk) begin
          remainder <= remainder_next;
          divisor_kept <= divisor_before;
        end
      end else begin : last
        logic unused_remainder;
        assign unused_remainder = &{1'b0, remainder_next[R-2:0]};
      end
    end
  endgenerate

  assign quotient = stage[QUOTIENT_BITS-1].digits;
  quasar_delay #(.BITS(1), .CYCLES(QUOTIENT_BITS), .CLEARED(1)) valid_line (
    .clk(clk), .reset(reset), .in(in_valid), .out(out_valid));
endmodule
