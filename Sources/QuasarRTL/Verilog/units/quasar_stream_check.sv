// The rule of a stream with valid and ready, as assertions: a word that is offered stays until it is taken.
//
// Outside synthesis only.
module quasar_stream_check #(
  parameter integer BITS = 8
) (
  input logic            clk,
  input logic            reset,
  input logic            valid,
  input logic            ready,
  input logic [BITS-1:0] data
);
`ifndef SYNTHESIS
  logic waits;
  logic [BITS-1:0] offered;
  always_ff @(posedge clk) begin
    waits <= !reset && valid && !ready;
    offered <= data;
  end
  always @(posedge clk) if (!reset && waits === 1'b1) begin
    assert (valid === 1'b1) else $fatal(1, "valid fell before ready");
    assert (data === offered) else $fatal(1, "data changed from %h to %h before ready", offered, data);
  end
`endif
endmodule
