// Integer layer normalisation of tokens of WIDTH int16 elements, LANES elements a cycle.
//
//   μ = ⌊(2Σr + D) / 2D⌋, c = r − μ, V = Σc² + E, s = ⌊√V⌋, F = ⌊2^30 / max(s, 1)⌋,
//   y_i = clamp((c_i·F·M_i + B_i + 2^(S_i−1)) >> S_i, lo, hi)
//
// A token is n = ⌈WIDTH/LANES⌉ chunks; element i is lane i mod LANES of chunk ⌊i/LANES⌋, lane 0 in the low bits.
// Lanes of the last chunk beyond WIDTH may hold anything on input and are 0 on output. Three passes, each on
// another token: sum; sum of squares; codes. A ring of chunks between each two passes lets a token wait for its
// mean or its root. Passes two and three start when the divider or the root delivers, and those deliver at
// least n cycles apart because the first pass takes n: nothing ever waits for a pass and no queue is needed.
//
// Latency from the last chunk of a token to its first code: n − 1 + PIPELINE, from its first chunk one n − 1
// more; T tokens without gaps take (T + 2)·n + PIPELINE − 2 cycles, first chunk to last code inclusive.
//   PIPELINE = 86 + 2·⌈log2 LANES⌉: mean 17, square 5, root 22, reciprocal 31, codes 11, two adder trees.
//
// Widths, for D ≤ 8192. Inputs are counted from −2^15: u = r + 2^15 in 16 bits unsigned, so the sum has
// 16 + log2 D bits; 2Σu + D < 2^17·D and its quotient by 2D is μ + 2^15 < 2^16. c = u − (μ + 2^15), |c| ≤ 65535:
// 17 bits, c² < 2^32. Σc² ≤ D·((65535/2)² + 1/4) < 2^13·2^30, E < 2^40: V < 2^44 and s has 22 bits.
//
// LANES ≤ WIDTH ≤ 8192. epsilon_code, lo, hi and the channel parameters do not change while tokens are inside. |M| < 2^16,
// 1 ≤ S ≤ 47, |B| < 2^62.
module quasar_layer_norm #(
  parameter integer WIDTH = 192,
  parameter integer LANES = 8,
  parameter integer OUT_BITS = 8,
  parameter integer CHUNKS = (WIDTH + LANES - 1) / LANES,
  parameter integer CHUNK_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1,
  parameter integer LANE_BITS = LANES > 1 ? $clog2(LANES) : 1
) (
  input  logic                      clk,
  input  logic                      reset,
  // Parameters of channel parameter_chunk·LANES + parameter_lane.
  input  logic                      parameter_write,
  input  logic [CHUNK_BITS-1:0]     parameter_chunk,
  input  logic [LANE_BITS-1:0]      parameter_lane,
  input  logic [16:0]               parameter_multiplier,
  input  logic [5:0]                parameter_shift,
  input  logic [62:0]               parameter_offset,
  input  logic [39:0]               epsilon_code,
  input  logic [OUT_BITS-1:0]       lo,
  input  logic [OUT_BITS-1:0]       hi,
  input  logic                      in_valid,
  input  logic [LANES*16-1:0]       in_values,
  output logic                      out_valid,
  output logic                      out_last,
  output logic [LANES*OUT_BITS-1:0] out_codes
);
  localparam integer TREE = $clog2(LANES);
  localparam integer LOG_WIDTH = $clog2(WIDTH);
  localparam integer LAST_CHUNK = CHUNKS - 1;
  localparam integer USED = WIDTH - LAST_CHUNK * LANES;  // lanes used in the last chunk
  // A chunk waits in a ring for the rest of its token and for the mean (root): never more than n chunks and the
  // latency of the path arrive meanwhile. Powers of two, so that addresses wrap by themselves.
  localparam integer IN_RING_BITS = $clog2(CHUNKS + TREE + 18);
  localparam integer CENTRED_RING_BITS = $clog2(CHUNKS + TREE + 58);
  localparam [CHUNK_BITS-1:0] LAST = LAST_CHUNK[CHUNK_BITS-1:0];
  localparam [CHUNK_BITS-1:0] ONE = 1;

  genvar i;

  // First pass: Σu.
  logic [CHUNK_BITS-1:0] in_chunk;
  logic in_first, in_last, sum_first, sum_last;
  logic [IN_RING_BITS-1:0] in_address;
  logic [LANES*16-1:0] in_offset, in_masked;
  assign in_first = in_chunk == {CHUNK_BITS{1'b0}};
  assign in_last = in_chunk == LAST;
  always_ff @(posedge clk) begin
    if (reset) begin
      in_chunk <= {CHUNK_BITS{1'b0}};
      in_address <= {IN_RING_BITS{1'b0}};
    end else if (in_valid) begin
      in_chunk <= in_last ? {CHUNK_BITS{1'b0}} : in_chunk + ONE;
      in_address <= in_address + {{IN_RING_BITS-1{1'b0}}, 1'b1};
    end
  end
  generate
    for (i = 0; i < LANES; i = i + 1) begin : in_lane
      assign in_offset[i*16 +: 16] = {~in_values[i*16+15], in_values[i*16 +: 15]};
      if (i < USED) begin : used
        assign in_masked[i*16 +: 16] = in_offset[i*16 +: 16];
      end else begin : partly
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
  localparam integer WIDTH_DOUBLED = 2 * WIDTH;
  quasar_sum_tree #(.LANES(LANES), .IN_BITS(16), .SUM_BITS(PART_BITS)) in_tree (
    .clk(clk), .in(in_masked), .sum(part));
  quasar_delay #(.BITS(1), .CYCLES(TREE), .CLEARED(1)) sum_valid_line (
    .clk(clk), .reset(reset), .in(in_valid), .out(sum_valid));
  quasar_delay #(.BITS(2), .CYCLES(TREE), .CLEARED(0)) sum_place_line (
    .clk(clk), .reset(reset), .in({in_first, in_last}), .out({sum_first, sum_last}));
  always_ff @(posedge clk) begin
    if (sum_valid)
      numerator <= (sum_first ? WIDTH[SUM_BITS-1:0] : numerator) + {{SUM_BITS-PART_BITS-1{1'b0}}, part, 1'b0};
    numerator_valid <= sum_valid & sum_last & ~reset;
  end
  quasar_divider #(.QUOTIENT_BITS(16), .DIVISOR_BITS(DIVISOR_BITS)) mean_divider (
    .clk(clk), .reset(reset), .in_valid(numerator_valid), .numerator(numerator),
    .divisor(WIDTH_DOUBLED[DIVISOR_BITS-1:0]), .out_valid(mean_valid), .quotient(mean));

  // Second pass: c and Σc² + E. Cycle 0 is the address, 1 the chunk, 2 c, 4 c² behind two registers.
  logic [CHUNK_BITS-1:0] square_chunk;
  logic square_active, square_first, square_last, square_last1, centred_valid;
  logic [IN_RING_BITS-1:0] square_address;
  logic [LANES*16-1:0] square_values;
  logic [15:0] mean_held;
  logic [LANES*17-1:0] centred;
  logic [LANES*32-1:0] squares;
  assign square_first = square_chunk == {CHUNK_BITS{1'b0}};
  assign square_last = square_chunk == LAST;
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
    for (i = 0; i < LANES; i = i + 1) begin : square_lane
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
  logic [SQUARE_BITS-1:0] square_part;
  logic [43:0] variance;
  logic part_valid, part_first, part_last, variance_valid, root_valid, inverse_valid;
  logic [21:0] root;
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
      variance <= (part_first ? {4'b0, epsilon_code} : variance) + {{44-SQUARE_BITS{1'b0}}, square_part};
    variance_valid <= part_valid & part_last & ~reset;
  end
  quasar_square_root #(.ROOT_BITS(22)) square_root (
    .clk(clk), .reset(reset), .in_valid(variance_valid), .radicand(variance),
    .out_valid(root_valid), .root(root));
  quasar_divider #(.QUOTIENT_BITS(31), .DIVISOR_BITS(22)) reciprocal (
    .clk(clk), .reset(reset), .in_valid(root_valid), .numerator(53'd1 << 30),
    .divisor({root[21:1], root[0] | root == 22'd0}), .out_valid(inverse_valid), .quotient(inverse));

  // Third pass: codes. Cycle 0 is the address, the lanes start at cycle 1.
  logic [CHUNK_BITS-1:0] code_chunk, multiplier_chunk, offset_chunk, shift_chunk;
  logic code_active, code_first, code_last;
  logic [CENTRED_RING_BITS-1:0] centred_address, code_address;
  logic [LANES*17-1:0] code_centred;
  logic [30:0] inverse_held, inverse_operand;
  assign code_first = code_chunk == {CHUNK_BITS{1'b0}};
  assign code_last = code_chunk == LAST;
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

  logic [5:0] parameter_shift_less_one;
  assign parameter_shift_less_one = parameter_shift - 6'd1;
  generate
    for (i = 0; i < LANES; i = i + 1) begin : code_lane
      localparam [LANE_BITS-1:0] LANE = i;
      logic [OUT_BITS-1:0] code;
      quasar_layer_norm_lane #(.OUT_BITS(OUT_BITS), .CHUNKS(CHUNKS), .CHUNK_BITS(CHUNK_BITS)) lane (
        .clk(clk), .write(parameter_write & parameter_lane == LANE), .write_chunk(parameter_chunk),
        .write_multiplier(parameter_multiplier), .write_shift_less_one(parameter_shift_less_one),
        .write_offset(parameter_offset), .multiplier_chunk(multiplier_chunk), .offset_chunk(offset_chunk),
        .shift_chunk(shift_chunk), .lo(lo), .hi(hi), .centred(code_centred[i*17 +: 17]),
        .inverse(inverse_operand), .code(code));
      if (i < USED) begin : used
        assign out_codes[i*OUT_BITS +: OUT_BITS] = code;
      end else begin : partly
        assign out_codes[i*OUT_BITS +: OUT_BITS] = code & {OUT_BITS{~out_last}};
      end
    end
  endgenerate
endmodule
