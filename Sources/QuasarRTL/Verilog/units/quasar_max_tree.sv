// Largest of LANES signed numbers, ⌈log2 LANES⌉ cycles (LANES = 1: none, a wire).
//
// Heap order as in quasar_sum_tree; the leaves fill up with the lowest number.
module quasar_max_tree #(
  parameter integer LANES = 8,
  parameter integer BITS = 26
) (
  input  logic                  clk,
  input  logic [LANES*BITS-1:0] in,
  output logic [BITS-1:0]       largest
);
  localparam integer LEAVES = 1 << $clog2(LANES);

  logic signed [BITS-1:0] value [1:2*LEAVES-1];
  logic signed [BITS-1:0] larger [0:LEAVES-1];

  generate
    for (genvar i = 1; i < 2 * LEAVES; i = i + 1) begin : gen_node
      if (i >= LEAVES + LANES) begin : gen_padding
        assign value[i] = {1'b1, {BITS-1{1'b0}}};
      end else if (i >= LEAVES) begin : gen_leaf
        assign value[i] = in[(i-LEAVES)*BITS +: BITS];
      end else begin : gen_compare
        always_ff @(posedge clk) larger[i] <= value[2*i] < value[2*i+1] ? value[2*i+1] : value[2*i];
        assign value[i] = larger[i];
      end
    end
  endgenerate
  assign largest = value[1];
endmodule
