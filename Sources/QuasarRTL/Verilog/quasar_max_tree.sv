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

  genvar i;
  generate
    for (i = 1; i < 2 * LEAVES; i = i + 1) begin : node
      logic signed [BITS-1:0] value;
      if (i >= LEAVES + LANES) begin : padding
        assign value = {1'b1, {BITS-1{1'b0}}};
      end else if (i >= LEAVES) begin : leaf
        assign value = in[(i-LEAVES)*BITS +: BITS];
      end else begin : compare
        always_ff @(posedge clk)
          value <= node[2*i].value < node[2*i+1].value ? node[2*i+1].value : node[2*i].value;
      end
    end
    if (LANES == 1) begin : ignored
      logic unused;
      assign unused = clk;
    end
  endgenerate
  assign largest = node[1].value;
endmodule
