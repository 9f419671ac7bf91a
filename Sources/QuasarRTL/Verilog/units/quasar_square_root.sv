// ⌊√radicand⌋, exact, one result bit per stage: ROOT_BITS cycles, a root each cycle.
//
// With q the bits found so far and r = (radicand bits so far) − q², a stage tries q' = 2q + 1:
// r' = 4r + b − (4q + 1), b the next two radicand bits. Where r' < 0 the bit is 0 and the next stage gives the
// 2q + 1 back in its own addition: 4(r + 2q + 1) + b − (4q + 1) = 4r + b + (4q + 3).
// −(4q + 1) is …¬q 11 in two's complement, so both cases add {q or ¬q, 11}: one adder per stage.
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
  // Behind stage i: the radicand bits not used yet on top, the remainder in i + 3 bits, i + 1 root bits.
  logic [2*ROOT_BITS-1:0] bits_before [0:ROOT_BITS-1];
  logic [2*ROOT_BITS-1:0] bits [0:ROOT_BITS-1];
  logic [ROOT_BITS+1:0] remainder [0:ROOT_BITS-1];
  logic [ROOT_BITS-1:0] found [0:ROOT_BITS-1];
  assign bits_before[0] = radicand;

  generate
    for (genvar i = 0; i < ROOT_BITS; i = i + 1) begin : gen_stage
      logic [i+2:0] shifted, operand, remainder_next;
      assign remainder_next = shifted + operand;

      if (i == 0) begin : gen_first
        assign shifted = {1'b0, radicand[2*ROOT_BITS-1 -: 2]};
        assign operand = 3'b111;
        always_ff @(posedge clk) found[0] <= {{ROOT_BITS-1{1'b0}}, ~remainder_next[2]};
      end else begin : gen_next
        logic subtract;
        assign bits_before[i] = bits[i-1];
        assign subtract = ~remainder[i-1][i+1];
        assign shifted = {remainder[i-1][i:0], bits_before[i][2*ROOT_BITS-1 -: 2]};
        assign operand = {subtract, found[i-1][i-1:0] ^ {i{subtract}}, 2'b11};
        always_ff @(posedge clk) found[i] <= {found[i-1][ROOT_BITS-2:0], ~remainder_next[i+2]};
      end

      always_ff @(posedge clk) begin
        bits[i] <= {bits_before[i][2*ROOT_BITS-3:0], 2'b00};
        remainder[i] <= {{ROOT_BITS-1-i{1'b0}}, remainder_next};
      end
    end
  endgenerate

  assign root = found[ROOT_BITS-1];
  quasar_delay #(.BITS(1), .CYCLES(ROOT_BITS), .CLEARED(1)) valid_line (
    .clk(clk), .reset(reset), .in(in_valid), .out(out_valid));
endmodule
