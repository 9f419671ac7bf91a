// 1/Z of the queries of three blocks, written for two queries and read for DRAIN queries a cycle.
//
// A write stores the inverses of query write_query (even) of block write_slot and, with write[1], of the one behind it; the
// address comes one cycle before. A read of group g gives queries g·DRAIN … g·DRAIN + DRAIN − 1 one cycle after its address,
// query g·DRAIN in the low bits. A read in the cycle of a write, or earlier, gives the old inverse. DRAIN divides TOKENS.
module quasar_inverse_file #(
  parameter integer TOKENS = 9,
  parameter integer DRAIN = 3,
  parameter integer QUERY_BITS = $clog2(TOKENS),
  parameter integer GROUP_BITS = TOKENS > DRAIN ? $clog2(TOKENS / DRAIN) : 1
) (
  input  logic                                      clk,
  input  logic                                      reset,
  input  logic [1:0]                                write_slot,      // cycle 0
  input  logic [QUERY_BITS-1:0]                     write_query,     // cycle 0
  input  logic [1:0]                                write,           // cycle 1
  input  logic [2*quasar_pkg::INVERSE_BITS-1:0]     write_inverses,  // cycle 1
  input  logic [1:0]                                read_slot,       // cycle 0
  input  logic [GROUP_BITS-1:0]                     read_group,      // cycle 0
  output logic [DRAIN*quasar_pkg::INVERSE_BITS-1:0] read_inverses    // cycle 1
);
  localparam integer BITS = quasar_pkg::INVERSE_BITS;
  generate
    for (genvar i = 0; i < DRAIN; i = i + 1) begin : gen_lane
      quasar_inverse_lane #(.TOKENS(TOKENS), .DRAIN(DRAIN), .LANE(i)) lane (
        .clk(clk), .write_slot(write_slot), .write_query(write_query), .write(write), .write_inverses(write_inverses),
        .read_slot(read_slot), .read_group(read_group), .inverse(read_inverses[i*BITS +: BITS]));
    end
  endgenerate

`ifndef SYNTHESIS
  initial begin
    assert (TOKENS >= 2 && TOKENS % DRAIN == 0) else $fatal(1, "%0d tokens in groups of %0d", TOKENS, DRAIN);
  end
  logic [1:0] slot;
  logic [QUERY_BITS-1:0] query;
  always @(posedge clk) begin
    slot <= write_slot;
    query <= write_query;
    if (!reset && write[0] === 1'b1) begin
      assert (slot != 2'd3 && !query[0] && {{32-QUERY_BITS{1'b0}}, query} + {31'd0, write[1]} < TOKENS)
      else $fatal(1, "query %0d of block %0d is none", query, slot);
    end
    assert (reset || !(write[1] === 1'b1 && write[0] !== 1'b1)) else $fatal(1, "a second query without the first");
  end
`endif
endmodule
