// Queries on the weight side of the array: COLUMNS = ρ·P_n columns of INPUTS bytes, P_n = 2·ROWS, ρ the smallest power of
// two with COLUMNS ≥ DRAIN.
//
// Blocks of TOKENS queries start at whole tiles of P_n rows, so that a tile is read at one address: query u of block n has
// place p = n·⌈TOKENS/P_n⌉·P_n + u. Place p is in column p mod COLUMNS at address ⌊p/COLUMNS⌋·S + step; channel κ of the
// step is byte κ. Tile number j (places j·P_n …) is read as part j mod ρ at address ⌊j/ρ⌋·S + step.
// A write is one channel of several places, see quasar_column_memory; column k takes code k mod WINDOW.
module quasar_query_memory #(
  parameter integer ROWS = 2,
  parameter integer INPUTS = 8,
  parameter integer DRAIN = 3,
  parameter integer DEPTH = 64,
  parameter integer ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1,
  parameter integer PARTS = 1 << (DRAIN > 2 * ROWS ? $clog2(DRAIN) - $clog2(2 * ROWS) : 0),
  parameter integer PART_BITS = PARTS > 1 ? $clog2(PARTS) : 1,
  parameter integer COLUMNS = PARTS * 2 * ROWS,
  parameter integer WINDOW = 1 << $clog2(DRAIN)
) (
  input  logic                       clk,
  input  logic                       reset,
  input  logic [COLUMNS-1:0]         write_columns,
  input  logic [COLUMNS-1:0]         write_far,
  input  logic [ADDRESS_BITS-1:0]    write_address,
  input  logic [ADDRESS_BITS-1:0]    write_far_address,
  input  logic [INPUTS-1:0]          write_bytes,
  input  logic [WINDOW*8-1:0]        write_codes,
  input  logic [ADDRESS_BITS-1:0]    read_address,  // cycle 0
  input  logic [PART_BITS-1:0]       read_part,     // cycle 0; 0 where ρ = 1
  output logic [INPUTS*2*ROWS*8-1:0] read_weights   // cycle 2: row r of the tile at input κ is byte κ·P_n + r
);
  localparam integer TILE = 2 * ROWS;
  logic [COLUMNS*INPUTS*8-1:0] columns;
  logic [TILE*INPUTS*8-1:0] rows;
  logic [WINDOW*INPUTS*8-1:0] words;
  logic [PART_BITS-1:0] part;
  generate
    for (genvar i = 0; i < WINDOW; i = i + 1) begin : gen_word
      assign words[i*INPUTS*8 +: INPUTS*8] = {INPUTS{write_codes[i*8 +: 8]}};
    end
    for (genvar i = 0; i < TILE; i = i + 1) begin : gen_row
      for (genvar k = 0; k < INPUTS; k = k + 1) begin : gen_input
        assign read_weights[(k*TILE + i)*8 +: 8] = rows[(i*INPUTS + k)*8 +: 8];
      end
    end
  endgenerate
  quasar_column_memory #(.COLUMNS(COLUMNS), .BYTES(INPUTS), .WINDOW(WINDOW), .DEPTH(DEPTH)) memory (
    .clk(clk), .write_columns(write_columns), .write_far(write_far),
    .write_address(write_address), .write_far_address(write_far_address), .write_bytes(write_bytes),
    .write_words(words), .read_address(read_address), .read_clear({COLUMNS{1'b0}}), .read_words(columns));
  quasar_delay #(.BITS(PART_BITS), .CYCLES(2), .CLEARED(0)) part_line (
    .clk(clk), .reset(reset), .in(read_part), .out(part));
  assign rows = columns[part*TILE*INPUTS*8 +: TILE*INPUTS*8];

`ifndef SYNTHESIS
  always @(posedge clk) if (!reset && write_columns != 0) begin
    assert (write_bytes != 0 && (write_bytes & (write_bytes - 1)) == 0)
    else $fatal(1, "bytes %b; one channel is written", write_bytes);
  end
`endif
endmodule
