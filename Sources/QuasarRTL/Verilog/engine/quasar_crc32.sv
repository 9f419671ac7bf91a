// CRC-32 (reflected 04C11DB7, first and last complemented) of a sequence of words, byte 0 in the low bits.
//
// The remainder is linear, so bit b of the next one is the parity of those bits of {word ^ remainder} that reach it; the
// remainder stands on the low 32 bits. in_first (cycle 0, with in_valid) begins a new sequence. The CRC up to a word
// stands at `crc` two cycles after it, until the word after it is two cycles old. BITS ≥ 32.
module quasar_crc32 #(
  parameter integer BITS = 64
) (
  input  logic            clk,
  input  logic            in_valid,
  input  logic            in_first,
  input  logic [BITS-1:0] in_word,
  output logic [31:0]     crc
);
  localparam [31:0] POLYNOMIAL = 32'hedb88320;

  // reach[b·BITS + i]: bit i of a word changes bit b of the remainder behind it.
  logic [32*BITS-1:0] reach;
  logic [31:0] column;
  integer i, b;
  always_comb begin
    column = POLYNOMIAL;

    for (i = BITS - 1; i >= 0; i = i - 1) begin
      for (b = 0; b < 32; b = b + 1) reach[b*BITS+i] = column[b];
      column = {1'b0, column[31:1]} ^ (column[0] ? POLYNOMIAL : 32'd0);
    end
  end

  logic valid, first;
  logic [31:0] remainder, from, word_part, word_part_next, next;
  assign from = first ? 32'hffffffff : remainder;
  generate
    for (genvar g = 0; g < 32; g = g + 1) begin : gen_bit
      assign word_part_next[g] = ^(in_word & reach[g*BITS +: BITS]);
      assign next[g] = word_part[g] ^ (^(from & reach[g*BITS +: 32]));
    end
  endgenerate
  always_ff @(posedge clk) begin
    valid <= in_valid;
    first <= in_first;
    word_part <= word_part_next;
    if (valid) remainder <= next;
  end
  assign crc = ~remainder;

`ifndef SYNTHESIS
  initial assert (BITS >= 32) else $fatal(1, "words of %0d bits; at least 32", BITS);
`endif
endmodule
