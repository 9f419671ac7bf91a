// A memory with one write port and one read port; the word read comes one cycle after its address.
//
// A read in the cycle of a write to the same address gives the old word; no unit here depends on it.
module quasar_memory #(
  parameter integer BITS = 16,
  parameter integer DEPTH = 256,
  parameter integer ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
  input  logic                    clk,
  input  logic                    write,
  input  logic [ADDRESS_BITS-1:0] write_address,
  input  logic [BITS-1:0]         write_word,
  input  logic [ADDRESS_BITS-1:0] read_address,
  output logic [BITS-1:0]         read_word
);
  logic [BITS-1:0] words [0:DEPTH-1];

  always_ff @(posedge clk) begin
    if (write) words[write_address] <= write_word;
    read_word <= words[read_address];
  end
endmodule
