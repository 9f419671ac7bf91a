// Operands on the input side of the array (X; H, which also serves K): INPUTS columns of WORD_TOKENS bytes.
//
// Channel c of a token is in column c mod INPUTS; the address is token word·S + ⌊c / INPUTS⌋, S steps a token word.
// Router: one column, the bytes of write_bytes. Norm: one byte lane, NORM columns from norm_column, a multiple of NORM.
// A command uses one of both. What is written in a cycle is read at an address of the next cycle.
module quasar_operand_memory #(
  parameter integer INPUTS = 8,
  parameter integer WORD_TOKENS = 9,
  parameter integer NORM = 4,
  parameter integer DEPTH = 64,
  parameter integer ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1,
  parameter integer COLUMN_BITS = INPUTS > 1 ? $clog2(INPUTS) : 1,
  parameter integer BYTE_BITS = WORD_TOKENS > 1 ? $clog2(WORD_TOKENS) : 1
) (
  input  logic                            clk,
  input  logic                            reset,
  input  logic                            write,
  input  logic [INPUTS-1:0]               write_columns,  // one of them
  input  logic [ADDRESS_BITS-1:0]         write_address,
  input  logic [WORD_TOKENS-1:0]          write_bytes,
  input  logic [WORD_TOKENS*8-1:0]        write_word,
  input  logic                            norm_write,
  input  logic [COLUMN_BITS-1:0]          norm_column,
  input  logic [ADDRESS_BITS-1:0]         norm_address,
  input  logic [BYTE_BITS-1:0]            norm_byte,
  input  logic [NORM*8-1:0]               norm_codes,
  input  logic [ADDRESS_BITS-1:0]         read_address,   // cycle 0
  output logic [INPUTS*WORD_TOKENS*8-1:0] read_words      // cycle 2: byte κ·WORD_TOKENS + t
);
  logic [ADDRESS_BITS-1:0] address;
  logic [WORD_TOKENS-1:0] norm_bytes;
  assign address = norm_write ? norm_address : write_address;
  generate
    for (genvar i = 0; i < WORD_TOKENS; i = i + 1) begin : gen_byte
      localparam [BYTE_BITS-1:0] BYTE = i;
      assign norm_bytes[i] = norm_byte == BYTE;
    end
    for (genvar i = 0; i < INPUTS; i = i + 1) begin : gen_column
      localparam integer FIRST = i / NORM * NORM;
      logic [WORD_TOKENS-1:0] bytes;
      assign bytes = norm_write ? norm_bytes & {WORD_TOKENS{norm_column == FIRST[COLUMN_BITS-1:0]}}
        : write_bytes & {WORD_TOKENS{write & write_columns[i]}};
      quasar_byte_memory #(.BYTES(WORD_TOKENS), .DEPTH(DEPTH)) column (
        .clk(clk), .write_bytes(bytes), .write_address(address),
        .write_word(norm_write ? {WORD_TOKENS{norm_codes[i % NORM*8 +: 8]}} : write_word),
        .read_address(read_address), .read_clear(1'b0),
        .read_word(read_words[i*WORD_TOKENS*8 +: WORD_TOKENS*8]));
    end
  endgenerate

`ifndef SYNTHESIS
  initial begin
    assert (INPUTS % NORM == 0) else $fatal(1, "INPUTS %0d is no multiple of NORM %0d", INPUTS, NORM);
  end
  always @(posedge clk) if (!reset) begin
    assert (!(write === 1'b1 && norm_write === 1'b1)) else $fatal(1, "router and norm write in the same cycle");
    if (write === 1'b1) begin
      assert (write_columns != 0 && (write_columns & (write_columns - 1)) == 0)
      else $fatal(1, "columns %b; one is written", write_columns);
    end
    if (norm_write === 1'b1) begin
      assert ({{(32-COLUMN_BITS){1'b0}}, norm_column} % NORM == 0)
      else $fatal(1, "column %0d is no multiple of %0d", norm_column, NORM);
      assert ({{(32-BYTE_BITS){1'b0}}, norm_byte} < WORD_TOKENS)
      else $fatal(1, "byte %0d of %0d", norm_byte, WORD_TOKENS);
    end
  end
`endif
endmodule
