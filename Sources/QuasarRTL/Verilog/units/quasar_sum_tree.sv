// Sum of LANES unsigned numbers, ⌈log2 LANES⌉ cycles (LANES = 1: none, a wire).
//
// Heap order: node i adds nodes 2i and 2i + 1, node 1 is the sum, the leaves fill up to a power of two with
// zeros. SUM_BITS must hold the sum; the constant top bits of the first levels vanish in synthesis.
module quasar_sum_tree #(
  parameter integer LANES = 8,
  parameter integer IN_BITS = 16,
  parameter integer SUM_BITS = IN_BITS + $clog2(LANES)
) (
  input  logic                     clk,
  input  logic [LANES*IN_BITS-1:0] in,
  output logic [SUM_BITS-1:0]      sum
);
  localparam integer LEAVES = 1 << $clog2(LANES);

  logic [SUM_BITS-1:0] value [1:2*LEAVES-1];

  generate
    for (genvar i = 1; i < 2 * LEAVES; i = i + 1) begin : gen_node
      if (i >= LEAVES + LANES) begin : gen_padding
        assign value[i] = {SUM_BITS{1'b0}};
      end else if (i >= LEAVES && SUM_BITS > IN_BITS) begin : gen_leaf
        assign value[i] = {{SUM_BITS-IN_BITS{1'b0}}, in[(i-LEAVES)*IN_BITS +: IN_BITS]};
      end else if (i >= LEAVES) begin : gen_narrow_leaf
        assign value[i] = in[(i-LEAVES)*IN_BITS +: SUM_BITS];
      end else begin : gen_add
        logic [SUM_BITS-1:0] added;
        always_ff @(posedge clk) added <= value[2*i] + value[2*i+1];
        assign value[i] = added;
      end
    end
  endgenerate
  assign sum = value[1];
endmodule
