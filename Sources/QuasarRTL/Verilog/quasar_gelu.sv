// GELU as a table: out = table[code + 128] for a signed 8-bit code, registered (LATENCY = 1).
//
// The table has 256 entries of 8 bits; an entry holds the whole activation code of A ≤ 8 bits, zero-extended where
// A < 8. Narrow codes use the entries 1…255. write_enable stores write_data at write_address = code + 128.
module quasar_gelu (
  input  logic       clk,
  input  logic       reset,
  input  logic       write_enable,
  input  logic [7:0] write_address,
  input  logic [7:0] write_data,
  input  logic       in_valid,
  input  logic [7:0] code,
  output logic       out_valid,
  output logic [7:0] out
);
  logic [7:0] entries [0:255];

  always_ff @(posedge clk) begin
    if (write_enable) entries[write_address] <= write_data;
    // code + 128 modulo 256 turns the sign bit over.
    out <= entries[{!code[7], code[6:0]}];
    out_valid <= !reset && in_valid;
  end
endmodule
