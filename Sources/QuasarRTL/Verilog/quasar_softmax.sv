// Unnormalised integer softmax of rows of scores, LANES scores a cycle.
//
//   d_j = max − S_j; P_j = ACTIVATION_BITS-bit code of 2^(−d_j·factor) (quasar_softmax_lane);
//   Z = ΣP, k = ⌈log2 Z⌉, R = ⌊2^(k+15) / Z⌋
//
// A row is row_chunks chunks of LANES signed scores, score j in lane j mod LANES of chunk ⌊j/LANES⌋, lane 0 in
// the low bits; the last chunk holds last_lanes scores, the lanes beyond may hold anything on input and are 0
// on output. row_chunks (1…⌈TOKENS/LANES⌉), last_lanes (1…LANES), multiplier, shift (1…47) and the table do not
// change while rows are inside.
//
// Two passes overlapped over rows: the maximum is found while the row is written into a ring; the codes are
// made when it is known, which is at least row_chunks cycles after the one before, so no pass ever waits.
//
// Latency from the last chunk of a row to its first code: CODE = ⌈log2 LANES⌉ + 11; from its last code to Z, k, R
// (row_valid, one cycle): ⌈log2 LANES⌉ + 18. T rows of n chunks without gaps take (T + 1)·n + CODE − 1 cycles,
// first chunk to last code inclusive.
//
// The table is written through the port (all lanes at once) with 16-bit entries, table_address 0…255.
module quasar_softmax #(
  parameter integer TOKENS = 197,
  parameter integer LANES = 8,
  parameter integer SCORE_BITS = 26,
  parameter integer ACTIVATION_BITS = 8,
  parameter integer CHUNKS = (TOKENS + LANES - 1) / LANES,
  parameter integer CHUNK_BITS = $clog2(CHUNKS + 1),
  parameter integer LANE_BITS = $clog2(LANES + 1),
  parameter integer SUM_BITS = $clog2(TOKENS * ((1 << ACTIVATION_BITS) - 1) + 1)
) (
  input  logic                             clk,
  input  logic                             reset,
  input  logic                             table_write,
  input  logic [7:0]                       table_address,
  input  logic [15:0]                      table_value,
  input  logic [15:0]                      multiplier,
  input  logic [5:0]                       shift,
  input  logic [CHUNK_BITS-1:0]            row_chunks,
  input  logic [LANE_BITS-1:0]             last_lanes,
  input  logic                             in_valid,
  input  logic [LANES*SCORE_BITS-1:0]      in_scores,
  output logic                             out_valid,
  output logic                             out_last,
  output logic [LANES*ACTIVATION_BITS-1:0] out_codes,
  output logic                             row_valid,
  output logic [SUM_BITS-1:0]              row_sum,
  output logic [4:0]                       row_exponent,
  output logic [15:0]                      row_reciprocal
);
  localparam integer A = ACTIVATION_BITS;
  localparam integer TREE = $clog2(LANES);
  // A chunk waits for the rest of its row and for the maximum.
  localparam integer RING_BITS = $clog2(CHUNKS + TREE + 2);
  localparam [SCORE_BITS-1:0] LOWEST = {1'b1, {SCORE_BITS-1{1'b0}}};
  localparam [CHUNK_BITS-1:0] ONE = 1;

  genvar i;

  logic [CHUNK_BITS-1:0] last_chunk;
  logic [5:0] shift_less_one;
  logic [LANES-1:0] pads;  // lanes without a score in the last chunk
  always_ff @(posedge clk) begin
    last_chunk <= row_chunks - ONE;
    shift_less_one <= shift - 6'd1;
  end
  generate
    for (i = 0; i < LANES; i = i + 1) begin : pad_lane
      localparam [LANE_BITS-1:0] LANE = i;
      always_ff @(posedge clk) pads[i] <= LANE >= last_lanes;
    end
  endgenerate

  // First pass: the maximum.
  logic [CHUNK_BITS-1:0] in_chunk;
  logic in_first, in_last, best_valid, best_first, best_last, maximum_valid;
  logic [RING_BITS-1:0] in_address;
  logic [LANES*SCORE_BITS-1:0] in_masked;
  logic [SCORE_BITS-1:0] best, maximum, maximum_held;
  assign in_first = in_chunk == {CHUNK_BITS{1'b0}};
  assign in_last = in_chunk == last_chunk;
  always_ff @(posedge clk) begin
    if (reset) begin
      in_chunk <= {CHUNK_BITS{1'b0}};
      in_address <= {RING_BITS{1'b0}};
    end else if (in_valid) begin
      in_chunk <= in_last ? {CHUNK_BITS{1'b0}} : in_chunk + ONE;
      in_address <= in_address + {{RING_BITS-1{1'b0}}, 1'b1};
    end
  end
  generate
    for (i = 0; i < LANES; i = i + 1) begin : in_lane
      assign in_masked[i*SCORE_BITS +: SCORE_BITS] =
        in_last & pads[i] ? LOWEST : in_scores[i*SCORE_BITS +: SCORE_BITS];
    end
  endgenerate
  quasar_max_tree #(.LANES(LANES), .BITS(SCORE_BITS)) tree (
    .clk(clk), .in(in_masked), .largest(best));
  quasar_delay #(.BITS(1), .CYCLES(TREE), .CLEARED(1)) best_valid_line (
    .clk(clk), .reset(reset), .in(in_valid), .out(best_valid));
  quasar_delay #(.BITS(2), .CYCLES(TREE), .CLEARED(0)) best_place_line (
    .clk(clk), .reset(reset), .in({in_first, in_last}), .out({best_first, best_last}));
  always_ff @(posedge clk) begin
    if (best_valid && (best_first || $signed(best) > $signed(maximum))) maximum <= best;
    maximum_valid <= best_valid & best_last & ~reset;
  end

  // Second pass: cycle 0 is the address, the lanes start at cycle 1.
  logic [CHUNK_BITS-1:0] code_chunk;
  logic code_first, code_last, code_active, code_last9;
  logic [RING_BITS-1:0] code_address;
  logic [LANES*SCORE_BITS-1:0] code_scores;
  assign code_first = code_chunk == {CHUNK_BITS{1'b0}};
  assign code_last = code_chunk == last_chunk;
  assign code_active = maximum_valid | ~code_first;
  always_ff @(posedge clk) begin
    if (reset) begin
      code_chunk <= {CHUNK_BITS{1'b0}};
      code_address <= {RING_BITS{1'b0}};
    end else if (code_active) begin
      code_chunk <= code_last ? {CHUNK_BITS{1'b0}} : code_chunk + ONE;
      code_address <= code_address + {{RING_BITS-1{1'b0}}, 1'b1};
    end
    if (maximum_valid) maximum_held <= maximum;
  end
  quasar_memory #(.BITS(LANES * SCORE_BITS), .DEPTH(1 << RING_BITS)) ring (
    .clk(clk), .write(in_valid), .write_address(in_address), .write_word(in_scores),
    .read_address(code_address), .read_word(code_scores));
  quasar_delay #(.BITS(1), .CYCLES(10), .CLEARED(1)) out_valid_line (
    .clk(clk), .reset(reset), .in(code_active), .out(out_valid));
  quasar_delay #(.BITS(1), .CYCLES(9), .CLEARED(0)) code_last_line (
    .clk(clk), .reset(reset), .in(code_last), .out(code_last9));
  quasar_delay #(.BITS(1), .CYCLES(1), .CLEARED(0)) out_last_line (
    .clk(clk), .reset(reset), .in(code_last9), .out(out_last));
  generate
    for (i = 0; i < LANES; i = i + 1) begin : code_lane
      quasar_softmax_lane #(.SCORE_BITS(SCORE_BITS), .ACTIVATION_BITS(A)) lane (
        .clk(clk), .table_write(table_write), .table_address(table_address), .table_top(table_value[15:15-A]),
        .multiplier(multiplier), .shift_less_one(shift_less_one), .maximum(maximum_held),
        .score(code_scores[i*SCORE_BITS +: SCORE_BITS]), .padding(code_last9 & pads[i]),
        .code(out_codes[i*A +: A]));
    end
  endgenerate
  logic unused;
  assign unused = &{1'b0, table_value[14-A:0]};

  // Z ≤ TOKENS·(2^A − 1) < 2^SUM_BITS and no partial sum is larger; the maximum gives 2^A − 1, so Z ≥ 1.
  logic [SUM_BITS-1:0] part, sum, sum_held, sum_less_one;
  logic [4:0] log;
  logic [5:0] numerator_place;
  logic out_first, part_valid, part_first, part_last, sum_valid, log_valid;
  always_ff @(posedge clk) begin
    if (reset) out_first <= 1'b1;
    else if (out_valid) out_first <= out_last;
  end
  quasar_sum_tree #(.LANES(LANES), .IN_BITS(A), .SUM_BITS(SUM_BITS)) sum_tree (
    .clk(clk), .in(out_codes), .sum(part));
  quasar_delay #(.BITS(1), .CYCLES(TREE), .CLEARED(1)) part_valid_line (
    .clk(clk), .reset(reset), .in(out_valid), .out(part_valid));
  quasar_delay #(.BITS(2), .CYCLES(TREE), .CLEARED(0)) part_place_line (
    .clk(clk), .reset(reset), .in({out_first, out_last}), .out({part_first, part_last}));
  always_ff @(posedge clk) begin
    if (part_valid) sum <= part + (part_first ? {SUM_BITS{1'b0}} : sum);
    sum_valid <= part_valid & part_last & ~reset;
  end

  // ⌈log2 Z⌉ is the number of bits of Z − 1.
  assign sum_less_one = sum - {{SUM_BITS-1{1'b0}}, 1'b1};
  integer bit_index;
  always_ff @(posedge clk) begin
    log <= 5'd0;
    for (bit_index = 0; bit_index < SUM_BITS; bit_index = bit_index + 1)
      if (sum_less_one[bit_index]) log <= bit_index[4:0] + 5'd1;
    sum_held <= sum;
    log_valid <= sum_valid & ~reset;
  end
  // 2^(k−1) < Z ≤ 2^k for k ≥ 1, so 2^(k+15) / Z < 2^16; k = 0 means Z = 1 and 2^15.
  assign numerator_place = {1'b0, log} + 6'd15;
  quasar_divider #(.QUOTIENT_BITS(16), .DIVISOR_BITS(SUM_BITS)) reciprocal (
    .clk(clk), .reset(reset), .in_valid(log_valid), .numerator({{SUM_BITS+15{1'b0}}, 1'b1} << numerator_place),
    .divisor(sum_held), .out_valid(row_valid), .quotient(row_reciprocal));
  quasar_delay #(.BITS(SUM_BITS + 5), .CYCLES(16), .CLEARED(0)) row_line (
    .clk(clk), .reset(reset), .in({sum_held, log}), .out({row_sum, row_exponent}));
endmodule
