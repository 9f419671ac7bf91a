// Writes vectors/<CASE>.table.hex, 256 words of 8 bits in the order of their addresses, into a unit after reset.
// With USED = 0 nothing is written. `ready` rises when the last word is in.
module quasar_table_tb #(
  parameter CASE = "case",
  parameter integer USED = 1
) (
  input  logic       clk,
  input  logic       reset,
  output logic       write_enable,
  output logic [7:0] write_address,
  output logic [7:0] write_data,
  output logic       ready
);
  logic [7:0] entries [0:255];
  logic [8:0] next;

  initial if (USED != 0) $readmemh({"vectors/", CASE, ".table.hex"}, entries);

  assign ready = next == 9'd256 && !write_enable;

  always_ff @(posedge clk) begin
    write_enable <= !reset && USED != 0 && next != 9'd256;
    write_address <= next[7:0];
    write_data <= entries[next[7:0]];
    if (reset) next <= USED != 0 ? 9'd0 : 9'd256;
    else if (next != 9'd256) next <= next + 9'd1;
  end
endmodule
