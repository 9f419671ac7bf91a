// A memory of words of BYTES bytes with one write port, an enable for every byte, and one read port.
//
// The word read comes two cycles after its address: the memory's own register and its output register, which read_clear
// sets to 0. A read in the cycle of a write to the same address gives the old bytes. Written so that synthesis makes block RAM where it is deep.
module quasar_byte_memory #(
  parameter integer BYTES = 9,
  parameter integer DEPTH = 512,
  parameter integer ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
  input  logic                    clk,
  input  logic [BYTES-1:0]        write_bytes,
  input  logic [ADDRESS_BITS-1:0] write_address,
  input  logic [BYTES*8-1:0]      write_word,
  input  logic [ADDRESS_BITS-1:0] read_address,  // cycle 0
  input  logic                    read_clear,    // cycle 1
  output logic [BYTES*8-1:0]      read_word      // cycle 2
);
  logic [BYTES*8-1:0] words [0:DEPTH-1];
  logic [BYTES*8-1:0] latched;

  always_ff @(posedge clk) begin
    for (int i = 0; i < BYTES; i = i + 1) begin
      if (write_bytes[i]) words[write_address][8*i +: 8] <= write_word[8*i +: 8];
    end
    latched <= words[read_address];
    read_word <= read_clear ? {BYTES*8{1'b0}} : latched;
  end

`ifndef SYNTHESIS
  always @(posedge clk) if (write_bytes != 0) begin
    assert ({{(32-ADDRESS_BITS){1'b0}}, write_address} < DEPTH)
    else $fatal(1, "byte written at %0d of %0d words", write_address, DEPTH);
  end
`endif
endmodule
