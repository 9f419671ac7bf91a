// Test of a quasar_gelu: loads vectors/<CASE>.table.hex (256 words of 8 bits), then replays the case.
//
// Input word: code (8 bits, signed). Output word: out (8 bits).
module quasar_gelu_tb #(
  parameter CASE = "quasar_gelu",
  parameter integer VECTORS = 1
) (
  input  logic        clk,
  input  logic        reset,
  output logic        done,
  output logic [31:0] errors
);
  logic in_valid, out_valid, ready, write_enable;
  logic [7:0] word, found, write_address, write_data;

  quasar_replay_tb #(.IN_WORD(8), .OUT_WORD(8), .CASE(CASE), .VECTORS(VECTORS)) replay (
    .clk(clk), .reset(reset), .ready(ready), .in_valid(in_valid), .word(word), .out_valid(out_valid), .found(found),
    .done(done), .errors(errors)
  );

  quasar_table_tb #(.CASE(CASE)) loader (
    .clk(clk), .reset(reset), .write_enable(write_enable), .write_address(write_address), .write_data(write_data),
    .ready(ready)
  );

  quasar_gelu unit (
    .clk(clk), .reset(reset), .write_enable(write_enable), .write_address(write_address), .write_data(write_data),
    .in_valid(in_valid), .code(word), .out_valid(out_valid), .out(found)
  );
endmodule
