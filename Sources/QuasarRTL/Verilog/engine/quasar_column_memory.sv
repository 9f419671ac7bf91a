// COLUMNS byte memories side by side, read at one address, written in several columns at once at two addresses.
//
// A write goes from column to column, and where it leaves the last one it goes on in the first at write_far_address:
// write_columns says which columns take part, write_far which of them are beyond the end. Column k takes word k mod WINDOW
// of write_words (WINDOW a power of two), of it the bytes of write_bytes.
// Read: address in cycle 0, words of all columns in cycle 2; columns of read_clear, cycle 1, are 0.
module quasar_column_memory #(
  parameter integer COLUMNS = 8,
  parameter integer BYTES = 4,
  parameter integer WINDOW = 4,
  parameter integer DEPTH = 64,
  parameter integer ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
  input  logic                       clk,
  input  logic [COLUMNS-1:0]         write_columns,
  input  logic [COLUMNS-1:0]         write_far,
  input  logic [ADDRESS_BITS-1:0]    write_address,
  input  logic [ADDRESS_BITS-1:0]    write_far_address,
  input  logic [BYTES-1:0]           write_bytes,
  input  logic [WINDOW*BYTES*8-1:0]  write_words,
  input  logic [ADDRESS_BITS-1:0]    read_address,  // cycle 0
  input  logic [COLUMNS-1:0]         read_clear,    // cycle 1
  output logic [COLUMNS*BYTES*8-1:0] read_words     // cycle 2
);
  generate
    for (genvar i = 0; i < COLUMNS; i = i + 1) begin : gen_column
      quasar_byte_memory #(.BYTES(BYTES), .DEPTH(DEPTH)) column (
        .clk(clk), .write_bytes(write_bytes & {BYTES{write_columns[i]}}),
        .write_address(write_far[i] ? write_far_address : write_address),
        .write_word(write_words[i % WINDOW*BYTES*8 +: BYTES*8]), .read_address(read_address),
        .read_clear(read_clear[i]), .read_word(read_words[i*BYTES*8 +: BYTES*8]));
    end
  endgenerate
endmodule
