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

  genvar i;
  generate
    for (i = 1; i < 2 * LEAVES; i = i + 1) begin : node
      logic [SUM_BITS-1:0] value;
      if (i >= LEAVES + LANES) begin : padding
        assign value = {SUM_BITS{1'b0}};
      end else if (i >= LEAVES && SUM_BITS > IN_BITS) begin : leaf
        assign value = {{SUM_BITS-IN_BITS{1'b0}}, in[(i-LEAVES)*IN_BITS +: IN_BITS]};
      end else if (i >= LEAVES) begin : narrow_leaf
        assign value = in[(i-LEAVES)*IN_BITS +: SUM_BITS];
      end else begin : add
        always_ff @(posedge clk) value <= node[2*i].value + node[2*i+1].value;
      end
    end
    if (LANES == 1) begin : ignored
      logic unused;
      assign unused = clk;
    end
  endgenerate
  assign sum = node[1].value;
endmodule
