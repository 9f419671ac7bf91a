// Spill register: one word of delay between a producer and a consumer with valid and ready, both sides registered.
//
// A word passes in the cycle in which valid and ready are high. `in_ready` and `out_valid` come from registers, so no
// combinational path crosses the boundary; one word per cycle passes while the consumer is ready. When it stops, the word
// that is already accepted goes to a second register and in_ready falls one cycle later. Latency: 1 cycle.
module quasar_spill #(
  parameter integer BITS = 8
) (
  input  logic            clk,
  input  logic            reset,
  input  logic            in_valid,
  output logic            in_ready,
  input  logic [BITS-1:0] in_data,
  output logic            out_valid,
  input  logic            out_ready,
  output logic [BITS-1:0] out_data
);
  logic full;  // `spilled` holds a word
  logic [BITS-1:0] spilled;
  logic taken;  // the output register takes a word at the next edge, or stays empty
  assign taken = out_ready | ~out_valid;
  assign in_ready = ~full;

  always_ff @(posedge clk) begin
    if (reset) begin
      out_valid <= 1'b0;
      full <= 1'b0;
    end else if (taken) begin
      out_valid <= in_valid | full;
      full <= 1'b0;
    end else if (in_valid) full <= 1'b1;
    if (taken) out_data <= full ? spilled : in_data;
    if (!full) spilled <= in_data;
  end

`ifndef SYNTHESIS
  quasar_stream_check #(.BITS(BITS)) producer (
    .clk(clk), .reset(reset), .valid(in_valid), .ready(in_ready), .data(in_data));
  quasar_stream_check #(.BITS(BITS)) unit (
    .clk(clk), .reset(reset), .valid(out_valid), .ready(out_ready), .data(out_data));
`endif
endmodule
