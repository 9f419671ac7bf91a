// A queue in memory between a producer and a consumer with valid and ready; it says how many places are free.
//
// A word passes in the cycle in which valid and ready are high; one word a cycle on either side. A word is offered two
// cycles after it was taken; its place is free in the cycle after it has left. DEPTH is a power of two.
module quasar_stream_fifo #(
  parameter integer BITS = 64,
  parameter integer DEPTH = 64,
  parameter integer COUNT_BITS = $clog2(DEPTH + 1)
) (
  input  logic                  clk,
  input  logic                  reset,
  input  logic                  in_valid,
  output logic                  in_ready,
  input  logic [BITS-1:0]       in_data,
  output logic                  out_valid,
  input  logic                  out_ready,
  output logic [BITS-1:0]       out_data,
  output logic [COUNT_BITS-1:0] free
);
  localparam integer ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam [COUNT_BITS-1:0] ALL = DEPTH[COUNT_BITS-1:0];
  localparam [COUNT_BITS-1:0] ONE = 1;

  logic [ADDRESS_BITS-1:0] tail, head, next_head;
  logic put, take;
  assign in_ready = free != {COUNT_BITS{1'b0}};
  assign put = in_valid & in_ready;
  assign take = out_valid & out_ready;
  assign next_head = head + {{ADDRESS_BITS-1{1'b0}}, take};

  // The memory reads the word that is offered in the next cycle; a word written in this cycle is not read yet.
  always_ff @(posedge clk) begin
    if (reset) begin
      tail <= {ADDRESS_BITS{1'b0}};
      head <= {ADDRESS_BITS{1'b0}};
      free <= ALL;
      out_valid <= 1'b0;
    end else begin
      if (put) tail <= tail + {{ADDRESS_BITS-1{1'b0}}, 1'b1};
      head <= next_head;
      if (put && !take) free <= free - ONE;
      if (take && !put) free <= free + ONE;
      out_valid <= take ? free + ONE < ALL : free < ALL;
    end
  end
  quasar_memory #(.BITS(BITS), .DEPTH(1 << ADDRESS_BITS)) places (
    .clk(clk), .write(put), .write_address(tail), .write_word(in_data), .read_address(next_head), .read_word(out_data));

`ifndef SYNTHESIS
  initial assert (DEPTH >= 2 && (1 << ADDRESS_BITS) == DEPTH) else $fatal(1, "DEPTH %0d is no power of two", DEPTH);
  always @(posedge clk) if (!reset) begin
    assert (free <= ALL) else $fatal(1, "%0d of %0d places are free", free, DEPTH);
    assert (!(put && free == 0)) else $fatal(1, "a word is put into a full queue");
    assert (!(take && free == ALL)) else $fatal(1, "a word is taken from an empty queue");
  end
  quasar_stream_check #(.BITS(BITS)) unit (
    .clk(clk), .reset(reset), .valid(out_valid), .ready(out_ready), .data(out_data));
`endif
endmodule
