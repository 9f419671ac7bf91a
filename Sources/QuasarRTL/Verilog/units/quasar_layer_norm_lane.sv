// One lane of the third pass of layer normalisation: c·F·M + B, rounded, shifted and clamped.
//
// `centred` arrives in cycle 0, `inverse` in cycle 1. The products are formed in two parts of at most 18 × 18 bits with the low
// 17 bits of the wide factor in one and the rest in the other, so that the parts meet at a shift of 17: four
// multipliers, two of them with an addition behind.
//   c·F: |c| ≤ max(s, 1) and F ≤ 2^30 / max(s, 1), so |c·F| ≤ 2^30: 32 bits (the part c·F[16:0] < 2^33: 34 bits).
//   c·F·M: |M| < 2^16, so < 2^46: 48 bits (the parts: 2^17·2^16 = 2^33, 34 bits; 2^13·2^16, 31 bits).
//   + B: |B| < 2^62, so < 2^62 + 2^46: 64 bits.
// The three parameters of a channel lie in three memories because they are needed 2, 4 and 5 cycles after the
// operands: addresses are delayed once per unit, not words once per lane. Latency: 10 cycles.
module quasar_layer_norm_lane #(
  parameter integer OUT_BITS = 8,
  parameter integer CHUNKS = 24,
  parameter integer CHUNK_BITS = 5
) (
  input  logic                  clk,
  input  logic                  write,
  input  logic [CHUNK_BITS-1:0] write_chunk,
  input  logic [16:0]           write_multiplier,
  input  logic [5:0]            write_shift_less_one,
  input  logic [62:0]           write_offset,
  input  logic [CHUNK_BITS-1:0] multiplier_chunk,  // cycle 2
  input  logic [CHUNK_BITS-1:0] offset_chunk,      // cycle 4
  input  logic [CHUNK_BITS-1:0] shift_chunk,       // cycle 5
  input  logic [16:0]           centred,           // cycle 0
  input  logic [30:0]           inverse,           // cycle 1
  input  logic [OUT_BITS-1:0]   lo,                // cycle 9
  input  logic [OUT_BITS-1:0]   hi,                // cycle 9
  output logic [OUT_BITS-1:0]   code               // cycle 10
);
  logic [16:0] multiplier;
  logic [62:0] offset;
  logic [5:0] shift_less_one;
  quasar_memory #(.BITS(17), .DEPTH(CHUNKS), .ADDRESS_BITS(CHUNK_BITS)) multipliers (
    .clk(clk), .write(write), .write_address(write_chunk), .write_word(write_multiplier),
    .read_address(multiplier_chunk), .read_word(multiplier));
  quasar_memory #(.BITS(63), .DEPTH(CHUNKS), .ADDRESS_BITS(CHUNK_BITS)) offsets (
    .clk(clk), .write(write), .write_address(write_chunk), .write_word(write_offset),
    .read_address(offset_chunk), .read_word(offset));
  quasar_memory #(.BITS(6), .DEPTH(CHUNKS), .ADDRESS_BITS(CHUNK_BITS)) shifts (
    .clk(clk), .write(write), .write_address(write_chunk), .write_word(write_shift_less_one),
    .read_address(shift_chunk), .read_word(shift_less_one));

  // Cycle 1: operand register of c; `inverse` arrives in its own.
  logic [16:0] c;
  logic signed [33:0] c_wide, inverse_low, inverse_high;
  assign c_wide = {{17{c[16]}}, c};
  assign inverse_low = {17'b0, inverse[16:0]};
  assign inverse_high = {20'b0, inverse[30:17]};

  // Cycles 2 and 3: the parts of c·F, their sum (modulo 2^32, which the bound allows).
  logic signed [33:0] scaled_low, scaled_high;
  logic [31:0] scaled;
  always_ff @(posedge clk) begin
    c <= centred;
    scaled_low <= c_wide * inverse_low;
    scaled_high <= c_wide * inverse_high;
    scaled <= {scaled_high[14:0] + scaled_low[31:17], scaled_low[16:0]};
  end

  // Cycles 4 and 5: the same with c·F and M.
  logic signed [33:0] multiplier_wide, low_wide, high_wide, product_low, product_high;
  logic signed [30:0] product_top;
  logic [47:0] product;
  assign multiplier_wide = {{17{multiplier[16]}}, multiplier};
  assign low_wide = {17'b0, scaled[16:0]};
  assign high_wide = {{19{scaled[31]}}, scaled[31:17]};
  assign product_top = product_high[30:0] + {{14{product_low[33]}}, product_low[33:17]};
  always_ff @(posedge clk) begin
    product_low <= low_wide * multiplier_wide;
    product_high <= high_wide * multiplier_wide;
    product <= {product_top, product_low[16:0]};
  end

  // Cycle 6.
  logic [63:0] value;
  always_ff @(posedge clk) value <= {{16{product[47]}}, product} + {offset[62], offset};

  // Cycles 7 to 10.
  quasar_round_clamp #(.VALUE_BITS(64), .OUT_BITS(OUT_BITS)) rounding (
    .clk(clk), .value(value), .shift_less_one(shift_less_one), .lo(lo), .hi(hi), .out(code));
endmodule
