// GELU as a table: out = table[code + 128] for a signed 8-bit code, registered: 1 cycle.
//
// The table has 256 entries of 8 bits; an entry holds the whole activation code of A ≤ 8 bits, zero-extended where
// A < 8. Narrow codes use the entries 1…255. write_enable stores write_data at write_address = code + 128, in a cycle
// without a code.
module quasar_gelu (
  input  logic                                      clk,
  input  logic                                      reset,
  input  logic                                      write_enable,
  input  logic [quasar_pkg::GELU_ADDRESS_BITS-1:0]  write_address,
  input  logic [quasar_pkg::CODE_BITS-1:0]          write_data,
  input  logic                                      in_valid,
  input  logic [quasar_pkg::CODE_BITS-1:0]          code,
  output logic                                      out_valid,
  output logic [quasar_pkg::CODE_BITS-1:0]          out
);
  logic [quasar_pkg::CODE_BITS-1:0] entries [0:255];

  always_ff @(posedge clk) begin
    if (write_enable) entries[write_address] <= write_data;
    // code + 128 modulo 256 turns the sign bit over.
    out <= entries[{!code[7], code[6:0]}];
    out_valid <= !reset && in_valid;
  end

`ifndef SYNTHESIS
  always @(posedge clk) if (!reset && in_valid === 1'b1) begin
    assert (write_enable === 1'b0) else $fatal(1, "the table is written while a code is looked up");
  end
`endif
endmodule
