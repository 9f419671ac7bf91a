// ⌊√radicand⌋, exact, one result bit a stage: ROOT_BITS cycles, a root each cycle.
//
// With q the bits found so far and r = (radicand bits so far) − q², a stage tries q' = 2q + 1:
// r' = 4r + b − (4q + 1), b the next two radicand bits. Where r' < 0 the bit is 0 and the next stage gives the
// 2q + 1 back in its own addition: 4(r + 2q + 1) + b − (4q + 1) = 4r + b + (4q + 3).
// −(4q + 1) is …¬q 11 in two's complement, so both cases add {q or ¬q, 11}: one adder a stage.
// |r'| < 2^(i+2) after stage i (q has i bits before it, 0 ≤ r ≤ 2q when restored): i + 3 bits.
module quasar_square_root #(
  parameter integer ROOT_BITS = 22
) (
  input  logic                   clk,
  input  logic                   reset,
  input  logic                   in_valid,
  input  logic [2*ROOT_BITS-1:0] radicand,
  output logic                   out_valid,
  output logic [ROOT_BITS-1:0]   root
);
  genvar i;
  generate
    for (i = 0; i < ROOT_BITS; i = i + 1) begin : stage
      localparam integer LEFT = 2 * (ROOT_BITS - i);  // radicand bits not used before this stage
      logic [LEFT-1:0] bits_before;
      logic [i+2:0] shifted, operand, remainder_next;
      logic [i:0] found;

      if (i == 0) begin : head
        assign bits_before = radicand;
        assign shifted = {1'b0, bits_before[LEFT-1:LEFT-2]};
        assign operand = 3'b111;
        always_ff @(posedge clk) found <= ~remainder_next[i+2];
      end else begin : tail
        logic subtract;
        assign bits_before = stage[i-1].keep.bits;
        assign subtract = ~stage[i-1].keep.remainder[i+1];
        assign shifted = {stage[i-1].keep.remainder[i:0], bits_before[LEFT-1:LEFT-2]};
        assign operand = {subtract, stage[i-1].found ^ {i{subtract}}, 2'b11};
        always_ff @(posedge clk) found <= {stage[i-1].found, ~remainder_next[i+2]};
      end
      assign remainder_next = shifted + operand;

      if (i < ROOT_BITS - 1) begin : keep
        logic [LEFT-3:0] bits;
        logic [i+2:0] remainder;
        always_ff @(posedge clk) begin
          bits <= bits_before[LEFT-3:0];
          remainder <= remainder_next;
        end
      end else begin : last
        logic unused;
        assign unused = &{1'b0, remainder_next[i+1:0]};
      end
    end
  endgenerate

  assign root = stage[ROOT_BITS-1].found;
  quasar_delay #(.BITS(1), .CYCLES(ROOT_BITS), .CLEARED(1)) valid_line (
    .clk(clk), .reset(reset), .in(in_valid), .out(out_valid));
endmodule
