// Tables out of stream words: 256 entries of 16 bits, one a cycle.
//
// Cycles of a word: STREAM_BITS/16. start comes before the first word; out one cycle after the entry's cycle.
module quasar_table_writer #(
  parameter integer STREAM_BITS = 128
) (
  input  logic                   clk,
  input  logic                   reset,
  input  logic                   start,
  input  logic                   in_valid,
  input  logic [STREAM_BITS-1:0] in_word,
  output logic                   in_done,
  output logic                   table_write,
  output logic [7:0]             table_address,
  output logic [15:0]            table_value
);
  logic valid, finished;
  logic [15:0] value;
  logic [7:0] address;
  quasar_gearbox #(.IN_BITS(STREAM_BITS), .OUT_BITS(16)) gearbox (
    .clk(clk), .start(start), .in_valid(in_valid), .in_done(in_done), .in_word(in_word), .finished(finished),
    .out_valid(valid), .out_ready(1'b1), .out_last(&address), .out_item(value));

  always_ff @(posedge clk) begin
    if (reset || start) begin
      address <= 8'd0;
      finished <= 1'b0;
    end else if (valid) begin
      address <= address + 8'd1;
      if (&address) finished <= 1'b1;
    end
    table_write <= !reset && valid;
    table_address <= address;
    table_value <= value;
  end
endmodule
