// Integer layer normalisation of tokens of `width` = D ≤ WIDTH int16 elements, LANES elements per cycle.
//
//   μ = ⌊(2Σr + D) / 2D⌋, c = r − μ, V = Σc² + E, s = ⌊√V⌋, F = ⌊2^30 / max(s, 1)⌋,
//   y_i = clamp((c_i·F·M_i + B_i + 2^(S_i−1)) >> S_i, lo, hi)
//
// A token is n = ⌈D/LANES⌉ chunks, the last one marked in_last; element i is lane i mod LANES of chunk ⌊i/LANES⌋, lane 0 in
// the low bits. D is a multiple of LANES or WIDTH itself, and keeps still while a token is inside. Lanes of the last chunk
// beyond D may hold anything on input and are 0 on output. Three passes, each on another token: sum; sum of squares; codes.
// A ring of chunks between each two passes lets a token wait for its mean or its root. Passes two and three start when
// the divider or the root delivers, and those deliver at least n cycles apart because the first pass takes n: nothing ever
// waits for a pass and no queue is needed.
//
// Latency from the last chunk of a token to its first code: n − 1 + PIPELINE, from its first chunk one n − 1
// more; T tokens without gaps take (T + 2)·n + PIPELINE − 2 cycles, first chunk to last code inclusive.
//   PIPELINE = 86 + 2·⌈log2 LANES⌉: mean 17, square 5, root 22, reciprocal 31, codes 11, two adder trees.
//
// Widths, for D ≤ 8192. Inputs are counted from −2^15: u = r + 2^15 in 16 bits unsigned, so the sum has
// 16 + log2 D bits; 2Σu + D < 2^17·D and its quotient by 2D is μ + 2^15 < 2^16. c = u − (μ + 2^15), |c| ≤ 65535:
// 17 bits, c² < 2^32. Σc² ≤ D·((65535/2)² + 1/4) < D·2^30, E < 2^40: V < 2^42 and s has 21 bits up to D = 3072, beyond
// 2^44 and 22 bits. The root takes 22 cycles either way.
//
// LANES ≤ WIDTH ≤ 8192. |M| < 2^16, 1 ≤ S ≤ 47, |B| < 2^62. E and the limits lo, hi belong to the norm like its channel
// parameters and are written like them: all of them while no token is inside.
module quasar_layer_norm #(
  parameter integer WIDTH = 192,
  parameter integer LANES = 8,
  parameter integer OUT_BITS = 8,
  parameter integer CHUNKS = (WIDTH + LANES - 1) / LANES,
  parameter integer CHUNK_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1,
  parameter integer LANE_BITS = LANES > 1 ? $clog2(LANES) : 1,
  parameter integer WIDTH_BITS = $clog2(WIDTH + 1)
) (
  input  logic                                      clk,
  input  logic                                      reset,
  input  logic [WIDTH_BITS-1:0]                     width,
  // E and the limits of the codes.
  input  logic                                      norm_write,
  input  logic [quasar_pkg::EPSILON_BITS-1:0]       norm_epsilon,
  input  logic [OUT_BITS-1:0]                       norm_lo,
  input  logic [OUT_BITS-1:0]                       norm_hi,
  // Parameters of channel channel_chunk·LANES + channel_lane.
  input  logic                                      channel_write,
  input  logic [CHUNK_BITS-1:0]                     channel_chunk,
  input  logic [LANE_BITS-1:0]                      channel_lane,
  input  quasar_channel_t                           channel,
  input  logic                                      in_valid,
  input  logic                                      in_last,
  input  logic [LANES*quasar_pkg::RESIDUAL_BITS-1:0] in_values,
  output logic                                      out_valid,
  output logic                                      out_last,
  output logic [LANES*OUT_BITS-1:0]                 out_codes
);
  localparam integer TREE = $clog2(LANES);
  localparam integer LOG_WIDTH = $clog2(WIDTH);
  localparam integer USED = WIDTH - (CHUNKS - 1) * LANES;  // lanes used in the last chunk when D = WIDTH
  // A chunk waits in a ring for the rest of its token and for the mean (root): never more than n chunks and the
  // latency of the path arrive meanwhile. Powers of two, so that addresses wrap by themselves.
  localparam integer IN_RING_BITS = $clog2(CHUNKS + TREE + 18);
  localparam integer CENTRED_RING_BITS = $clog2(CHUNKS + TREE + 58);
  localparam [CHUNK_BITS-1:0] ONE = 1;

  // Parameters of the norm.
  logic [quasar_pkg::EPSILON_BITS-1:0] epsilon;
  logic [OUT_BITS-1:0] lo, hi;
  always_ff @(posedge clk) if (norm_write) begin
    epsilon <= norm_epsilon;
    lo <= norm_lo;
    hi <= norm_hi;
  end

  // First pass: Σu. The first token's end tells the other passes the number of the last chunk.
  logic [CHUNK_BITS-1:0] in_chunk, last_chunk;
  logic in_first, sum_first, sum_last;
  logic [IN_RING_BITS-1:0] in_address;
  logic [LANES*16-1:0] in_offset, in_masked;
  assign in_first = in_chunk == {CHUNK_BITS{1'b0}};
  always_ff @(posedge clk) begin
    if (reset) begin
      in_chunk <= {CHUNK_BITS{1'b0}};
      in_address <= {IN_RING_BITS{1'b0}};
    end else if (in_valid) begin
      in_chunk <= in_last ? {CHUNK_BITS{1'b0}} : in_chunk + ONE;
      in_address <= in_address + {{IN_RING_BITS-1{1'b0}}, 1'b1};
    end
    if (in_valid & in_last) last_chunk <= in_chunk;
  end
  generate
    for (genvar i = 0; i < LANES; i = i + 1) begin : gen_in_lane
      assign in_offset[i*16 +: 16] = {~in_values[i*16+15], in_values[i*16 +: 15]};
      if (i < USED) begin : gen_used
        assign in_masked[i*16 +: 16] = in_offset[i*16 +: 16];
      end else begin : gen_partly
        assign in_masked[i*16 +: 16] = in_offset[i*16 +: 16] & {16{~in_last}};
      end
    end
  endgenerate

  localparam integer PART_BITS = 16 + TREE;
  localparam integer DIVISOR_BITS = LOG_WIDTH + 2;
  localparam integer SUM_BITS = DIVISOR_BITS + 16;
  logic [PART_BITS-1:0] part;
  logic [SUM_BITS-1:0] numerator;  // 2·Σu + D
  logic sum_valid, numerator_valid, mean_valid;
  logic [15:0] mean;  // μ + 2^15
  logic [DIVISOR_BITS-1:0] addend;
  assign addend = {{DIVISOR_BITS-WIDTH_BITS{1'b0}}, width};
  quasar_sum_tree #(.LANES(LANES), .IN_BITS(16), .SUM_BITS(PART_BITS)) in_tree (
    .clk(clk), .in(in_masked), .sum(part));
  quasar_delay #(.BITS(1), .CYCLES(TREE), .CLEARED(1)) sum_valid_line (
    .clk(clk), .reset(reset), .in(in_valid), .out(sum_valid));
  quasar_delay #(.BITS(2), .CYCLES(TREE), .CLEARED(0)) sum_place_line (
    .clk(clk), .reset(reset), .in({in_first, in_last}), .out({sum_first, sum_last}));
  always_ff @(posedge clk) begin
    if (sum_valid)
      numerator <= (sum_first ? {16'd0, addend} : numerator) + {{SUM_BITS-PART_BITS-1{1'b0}}, part, 1'b0};
    numerator_valid <= sum_valid & sum_last & ~reset;
  end
  quasar_divider #(.QUOTIENT_BITS(16), .DIVISOR_BITS(DIVISOR_BITS)) mean_divider (
    .clk(clk), .reset(reset), .in_valid(numerator_valid), .numerator(numerator),
    .divisor({addend[DIVISOR_BITS-2:0], 1'b0}), .out_valid(mean_valid), .quotient(mean));

  // Second pass: c and Σc² + E. Cycle 0 is the address, 1 the chunk, 2 c, 4 c² behind two registers.
  logic [CHUNK_BITS-1:0] square_chunk;
  logic square_active, square_first, square_last, square_last1, centred_valid;
  logic [IN_RING_BITS-1:0] square_address;
  logic [LANES*16-1:0] square_values;
  logic [15:0] mean_held;
  logic [LANES*17-1:0] centred;
  logic [LANES*32-1:0] squares;
  assign square_first = square_chunk == {CHUNK_BITS{1'b0}};
  assign square_last = square_chunk == last_chunk;
  assign square_active = mean_valid | ~square_first;
  always_ff @(posedge clk) begin
    if (reset) begin
      square_chunk <= {CHUNK_BITS{1'b0}};
      square_address <= {IN_RING_BITS{1'b0}};
    end else if (square_active) begin
      square_chunk <= square_last ? {CHUNK_BITS{1'b0}} : square_chunk + ONE;
      square_address <= square_address + {{IN_RING_BITS-1{1'b0}}, 1'b1};
    end
    if (mean_valid) mean_held <= mean;
    square_last1 <= square_last;
  end
  quasar_memory #(.BITS(LANES * 16), .DEPTH(1 << IN_RING_BITS)) in_ring (
    .clk(clk), .write(in_valid), .write_address(in_address), .write_word(in_offset),
    .read_address(square_address), .read_word(square_values));
  generate
    for (genvar i = 0; i < LANES; i = i + 1) begin : gen_square_lane
      logic [16:0] c;
      logic signed [31:0] c_wide;
      logic [31:0] product, square;
      assign c_wide = {{15{c[16]}}, c};  // c² < 2^32: exact modulo 2^32
      always_ff @(posedge clk) begin
        if (i >= USED && square_last1) c <= 17'b0;
        else c <= {1'b0, square_values[i*16 +: 16]} - {1'b0, mean_held};
        product <= c_wide * c_wide;
        square <= product;
      end
      assign centred[i*17 +: 17] = c;
      assign squares[i*32 +: 32] = square;
    end
  endgenerate

  localparam integer SQUARE_BITS = 32 + TREE;
  localparam integer ROOT_CYCLES = 22;
  localparam integer ROOT_BITS = WIDTH <= 3072 ? 21 : 22;
  localparam integer VARIANCE_BITS = 2 * ROOT_BITS;
  logic [SQUARE_BITS-1:0] square_part;
  logic [VARIANCE_BITS-1:0] variance;
  logic part_valid, part_first, part_last, variance_valid, root_valid, inverse_valid;
  logic early_root_valid;
  logic [ROOT_BITS-1:0] early_root, root;
  logic [30:0] inverse;
  quasar_delay #(.BITS(1), .CYCLES(2), .CLEARED(1)) centred_valid_line (
    .clk(clk), .reset(reset), .in(square_active), .out(centred_valid));
  quasar_delay #(.BITS(1), .CYCLES(TREE + 2), .CLEARED(1)) part_valid_line (
    .clk(clk), .reset(reset), .in(centred_valid), .out(part_valid));
  quasar_delay #(.BITS(2), .CYCLES(TREE + 4), .CLEARED(0)) part_place_line (
    .clk(clk), .reset(reset), .in({square_first, square_last}), .out({part_first, part_last}));
  quasar_sum_tree #(.LANES(LANES), .IN_BITS(32), .SUM_BITS(SQUARE_BITS)) square_tree (
    .clk(clk), .in(squares), .sum(square_part));
  always_ff @(posedge clk) begin
    if (part_valid)
      variance <= (part_first ? {{VARIANCE_BITS-quasar_pkg::EPSILON_BITS{1'b0}}, epsilon} : variance)
                  + {{VARIANCE_BITS-SQUARE_BITS{1'b0}}, square_part};
    variance_valid <= part_valid & part_last & ~reset;
  end
  quasar_square_root #(.ROOT_BITS(ROOT_BITS)) square_root (
    .clk(clk), .reset(reset), .in_valid(variance_valid), .radicand(variance),
    .out_valid(early_root_valid), .root(early_root));
  quasar_delay #(.BITS(1), .CYCLES(ROOT_CYCLES - ROOT_BITS), .CLEARED(1)) root_valid_line (
    .clk(clk), .reset(reset), .in(early_root_valid), .out(root_valid));
  quasar_delay #(.BITS(ROOT_BITS), .CYCLES(ROOT_CYCLES - ROOT_BITS), .CLEARED(0)) root_line (
    .clk(clk), .reset(reset), .in(early_root), .out(root));
  quasar_divider #(.QUOTIENT_BITS(31), .DIVISOR_BITS(ROOT_BITS)) reciprocal (
    .clk(clk), .reset(reset), .in_valid(root_valid),
    .numerator({{ROOT_BITS{1'b0}}, 31'd1 << quasar_pkg::NORM_FRACTION_BITS}),
    .divisor({root[ROOT_BITS-1:1], root[0] | ~|root}), .out_valid(inverse_valid), .quotient(inverse));

  // Third pass: codes. Cycle 0 is the address, the lanes start at cycle 1.
  logic [CHUNK_BITS-1:0] code_chunk, multiplier_chunk, offset_chunk, shift_chunk;
  logic code_active, code_first, code_last;
  logic [CENTRED_RING_BITS-1:0] centred_address, code_address;
  logic [LANES*17-1:0] code_centred;
  logic [30:0] inverse_held, inverse_operand;
  assign code_first = code_chunk == {CHUNK_BITS{1'b0}};
  assign code_last = code_chunk == last_chunk;
  assign code_active = inverse_valid | ~code_first;
  always_ff @(posedge clk) begin
    if (reset) begin
      code_chunk <= {CHUNK_BITS{1'b0}};
      code_address <= {CENTRED_RING_BITS{1'b0}};
      centred_address <= {CENTRED_RING_BITS{1'b0}};
    end else begin
      if (centred_valid) centred_address <= centred_address + {{CENTRED_RING_BITS-1{1'b0}}, 1'b1};
      if (code_active) begin
        code_chunk <= code_last ? {CHUNK_BITS{1'b0}} : code_chunk + ONE;
        code_address <= code_address + {{CENTRED_RING_BITS-1{1'b0}}, 1'b1};
      end
    end
    if (inverse_valid) inverse_held <= inverse;
    inverse_operand <= inverse_held;
  end
  quasar_memory #(.BITS(LANES * 17), .DEPTH(1 << CENTRED_RING_BITS)) centred_ring (
    .clk(clk), .write(centred_valid), .write_address(centred_address), .write_word(centred),
    .read_address(code_address), .read_word(code_centred));

  // A parameter memory answers one cycle after its address: lane cycles 2, 4 and 5 are cycles 2, 4 and 5 here.
  quasar_delay #(.BITS(CHUNK_BITS), .CYCLES(3), .CLEARED(0)) multiplier_line (
    .clk(clk), .reset(reset), .in(code_chunk), .out(multiplier_chunk));
  quasar_delay #(.BITS(CHUNK_BITS), .CYCLES(2), .CLEARED(0)) offset_line (
    .clk(clk), .reset(reset), .in(multiplier_chunk), .out(offset_chunk));
  quasar_delay #(.BITS(CHUNK_BITS), .CYCLES(1), .CLEARED(0)) shift_line (
    .clk(clk), .reset(reset), .in(offset_chunk), .out(shift_chunk));
  quasar_delay #(.BITS(1), .CYCLES(11), .CLEARED(1)) out_valid_line (
    .clk(clk), .reset(reset), .in(code_active), .out(out_valid));
  quasar_delay #(.BITS(1), .CYCLES(11), .CLEARED(0)) out_last_line (
    .clk(clk), .reset(reset), .in(code_last), .out(out_last));

  quasar_scale_t scale;
  logic [quasar_pkg::SHIFT_BITS-1:0] shift_less_one;
  assign scale = channel.scale;
  assign shift_less_one = scale.shift - 6'd1;
  generate
    for (genvar i = 0; i < LANES; i = i + 1) begin : gen_code_lane
      localparam [LANE_BITS-1:0] LANE = i;
      logic [OUT_BITS-1:0] code;
      quasar_layer_norm_lane #(.OUT_BITS(OUT_BITS), .CHUNKS(CHUNKS), .CHUNK_BITS(CHUNK_BITS)) lane (
        .clk(clk), .write(channel_write & channel_lane == LANE), .write_chunk(channel_chunk),
        .write_multiplier(scale.multiplier), .write_shift_less_one(shift_less_one),
        .write_offset(channel.offset), .multiplier_chunk(multiplier_chunk), .offset_chunk(offset_chunk),
        .shift_chunk(shift_chunk), .lo(lo), .hi(hi), .centred(code_centred[i*17 +: 17]),
        .inverse(inverse_operand), .code(code));
      if (i < USED) begin : gen_used
        assign out_codes[i*OUT_BITS +: OUT_BITS] = code;
      end else begin : gen_partly
        assign out_codes[i*OUT_BITS +: OUT_BITS] = code & {OUT_BITS{~out_last}};
      end
    end
  endgenerate

`ifndef SYNTHESIS
  initial begin
    assert (LANES >= 1 && LANES <= WIDTH && WIDTH <= 8192)
    else $fatal(1, "WIDTH %0d, LANES %0d; LANES ≤ WIDTH ≤ 8192", WIDTH, LANES);
  end
  // Tokens that have come in at least partly and are not out.
  integer tokens;
  logic [31:0] used_width;
  logic [WIDTH_BITS-1:0] width_before;
  assign used_width = {{32-WIDTH_BITS{1'b0}}, width};
  always @(posedge clk) width_before <= width;
  always @(posedge clk) begin
    if (reset) tokens <= 0;
    else tokens <= tokens + (in_valid && in_first ? 1 : 0) - (out_valid && out_last ? 1 : 0);
  end
  always @(posedge clk) if (!reset) begin
    if (channel_write === 1'b1 || norm_write === 1'b1) begin
      assert (tokens == 0 && !in_valid) else $fatal(1, "parameters are written while %0d tokens are inside", tokens);
    end
    if (channel_write === 1'b1) begin
      assert ({{32-CHUNK_BITS{1'b0}}, channel_chunk} < CHUNKS && {{32-LANE_BITS{1'b0}}, channel_lane} < LANES)
      else $fatal(1, "chunk %0d, lane %0d is no channel", channel_chunk, channel_lane);
      assert (scale.shift != 0 && {26'd0, scale.shift} <= quasar_pkg::LARGEST_SHIFT)
      else $fatal(1, "shift %0d is outside 1…47", scale.shift);
      assert (scale.multiplier != 17'h10000) else $fatal(1, "multiplier −2^16; |M| < 2^16");
      assert (channel.offset != 63'h4000000000000000) else $fatal(1, "offset −2^62; |B| < 2^62");
    end
    if (norm_write === 1'b1) begin
      assert ($signed(norm_lo) <= $signed(norm_hi))
      else $fatal(1, "limits %0d…%0d are empty", $signed(norm_lo), $signed(norm_hi));
    end
    assert (!(in_last === 1'b1 && in_valid === 1'b0)) else $fatal(1, "in_last without in_valid");
    if (in_valid === 1'b1) begin
      assert (used_width == WIDTH || (used_width % LANES == 0 && used_width != 0 && used_width < WIDTH && USED == LANES))
      else $fatal(1, "width %0d of %0d with %0d lanes", width, WIDTH, LANES);
      assert (in_last == (({{32-CHUNK_BITS{1'b0}}, in_chunk} + 1) * LANES >= used_width))
      else $fatal(1, "chunk %0d of a token of %0d elements", in_chunk, width);
    end
    assert (tokens == 0 || width === width_before) else $fatal(1, "the width changes while %0d tokens are inside", tokens);
    // A pass ends before the next token asks for it.
    assert (!(mean_valid && !square_first)) else $fatal(1, "a mean arrives while the second pass runs");
    assert (!(inverse_valid && !code_first)) else $fatal(1, "an inverse arrives while the third pass runs");
  end
`endif
endmodule
