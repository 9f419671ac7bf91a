// Values on the weight side of the array: INPUTS columns of P_n = 2·ROWS bytes.
//
// Key t is in column t mod INPUTS at address (channel tile)·⌈T/INPUTS⌉ + ⌊t/INPUTS⌋; channel c is byte c mod P_n of channel
// tile ⌊c/P_n⌋. A write is one channel of up to DRAIN ≤ INPUTS keys, see quasar_column_memory; column k takes code
// k mod WINDOW. A read brings read_keys keys; the columns after them are 0.
module quasar_value_memory #(
  parameter integer ROWS = 2,
  parameter integer INPUTS = 8,
  parameter integer DRAIN = 3,
  parameter integer DEPTH = 64,
  parameter integer ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1,
  parameter integer WINDOW = 1 << $clog2(DRAIN),
  parameter integer KEYS_BITS = $clog2(INPUTS + 1)
) (
  input  logic                       clk,
  input  logic                       reset,
  input  logic [INPUTS-1:0]          write_columns,
  input  logic [INPUTS-1:0]          write_far,
  input  logic [ADDRESS_BITS-1:0]    write_address,
  input  logic [ADDRESS_BITS-1:0]    write_far_address,
  input  logic [2*ROWS-1:0]          write_bytes,
  input  logic [WINDOW*8-1:0]        write_codes,
  input  logic [ADDRESS_BITS-1:0]    read_address,  // cycle 0
  input  logic [KEYS_BITS-1:0]       read_keys,     // cycle 0, 1…INPUTS
  output logic [INPUTS*2*ROWS*8-1:0] read_weights   // cycle 2: row r of the channel tile at input κ is byte κ·P_n + r
);
  localparam integer TILE = 2 * ROWS;
  logic [WINDOW*TILE*8-1:0] words;
  generate
    for (genvar i = 0; i < WINDOW; i = i + 1) begin : gen_word
      assign words[i*TILE*8 +: TILE*8] = {TILE{write_codes[i*8 +: 8]}};
    end
  endgenerate
  logic [INPUTS-1:0] clear;
  generate
    for (genvar i = 0; i < INPUTS; i = i + 1) begin : gen_clear
      localparam [KEYS_BITS-1:0] COLUMN = i;
      always_ff @(posedge clk) clear[i] <= COLUMN >= read_keys;
    end
  endgenerate
  quasar_column_memory #(.COLUMNS(INPUTS), .BYTES(TILE), .WINDOW(WINDOW), .DEPTH(DEPTH)) memory (
    .clk(clk), .write_columns(write_columns), .write_far(write_far),
    .write_address(write_address), .write_far_address(write_far_address), .write_bytes(write_bytes),
    .write_words(words), .read_address(read_address), .read_clear(clear),
    .read_words(read_weights));

`ifndef SYNTHESIS
  initial begin
    assert (DRAIN <= INPUTS) else $fatal(1, "DRAIN %0d is more than INPUTS %0d", DRAIN, INPUTS);
  end
  always @(posedge clk) if (!reset && write_columns != 0) begin
    assert (write_bytes != 0 && (write_bytes & (write_bytes - 1)) == 0)
    else $fatal(1, "bytes %b; one channel is written", write_bytes);
  end
`endif
endmodule
