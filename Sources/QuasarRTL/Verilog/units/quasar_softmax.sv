// Unnormalised integer softmax of rows of scores, LANES scores per cycle.
//
//   d_j = max − S_j; P_j = ACTIVATION_BITS-bit code of 2^(−d_j·factor) (quasar_softmax_lane);
//   Z = ΣP, k = ⌈log2 Z⌉, R = ⌊2^(k+15) / Z⌋
//
// A row is n chunks of LANES signed scores, n ≤ ⌈TOKENS/LANES⌉, score j in lane j mod LANES of chunk ⌊j/LANES⌋, lane 0 in
// the low bits. in_last marks a row's last chunk and brings the control of the row: in_lanes, how many scores that chunk
// holds (1…LANES; the lanes beyond may hold anything on input and are 0 on output), and in_scale, the factor as M ≥ 0 and S
// in 1…47. Rows may follow each other directly and differ in both. The table is written while no row is inside.
//
// Two passes overlapped over rows: the maximum is found while the row is written into a ring; the codes are made when it
// is known. Both passes of a row take n cycles, so the second one of a row has ended when the next row's maximum is known,
// and no pass ever waits. (A row that is m chunks shorter than the one before has to end m cycles later than it could.)
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
  parameter integer LANE_BITS = $clog2(LANES + 1),
  parameter integer SUM_BITS = $clog2(TOKENS * ((1 << ACTIVATION_BITS) - 1) + 1)
) (
  input  logic                                          clk,
  input  logic                                          reset,
  input  logic                                          table_write,
  input  logic [quasar_pkg::EXPONENT_FRACTION_BITS-1:0] table_address,
  input  logic [quasar_pkg::EXPONENT_ENTRY_BITS-1:0]    table_value,
  input  logic                                          in_valid,
  input  logic                                          in_last,
  input  logic [LANE_BITS-1:0]                          in_lanes,  // with in_last
  input  quasar_scale_t                                 in_scale,  // with in_last
  input  logic [LANES*SCORE_BITS-1:0]                   in_scores,
  output logic                                          out_valid,
  output logic                                          out_last,
  output logic [LANES*ACTIVATION_BITS-1:0]              out_codes,
  output logic                                          row_valid,
  output logic [SUM_BITS-1:0]                           row_sum,
  output quasar_inverse_t                               row_inverse
);
  localparam integer A = ACTIVATION_BITS;
  localparam integer TREE = $clog2(LANES);
  // A chunk waits for the rest of its row and for the maximum.
  localparam integer RING_BITS = $clog2(CHUNKS + TREE + 2);
  localparam [SCORE_BITS-1:0] LOWEST = {1'b1, {SCORE_BITS-1{1'b0}}};

  // First pass: the maximum.
  logic in_first, best_valid, best_first, best_last, maximum_valid;
  logic [RING_BITS-1:0] in_address;
  logic [LANES*SCORE_BITS-1:0] in_masked;
  logic [SCORE_BITS-1:0] best, maximum, maximum_held;
  always_ff @(posedge clk) begin
    if (reset) begin
      in_first <= 1'b1;
      in_address <= {RING_BITS{1'b0}};
    end else if (in_valid) begin
      in_first <= in_last;
      in_address <= in_address + {{RING_BITS-1{1'b0}}, 1'b1};
    end
  end
  generate
    for (genvar i = 0; i < LANES; i = i + 1) begin : gen_in_lane
      localparam [LANE_BITS-1:0] LANE = i;
      assign in_masked[i*SCORE_BITS +: SCORE_BITS] =
        in_last & LANE >= in_lanes ? LOWEST : in_scores[i*SCORE_BITS +: SCORE_BITS];
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

  // Control of the row goes with its last chunk to the cycle in which the maximum is known, cycle 0 of the second pass,
  // and on to the cycle in which the lanes need it: M 2, S − 1 4, the lanes used 9. There it stays until the next row's.
  logic maximum_valid1, maximum_valid3, maximum_valid8;
  logic [15:0] multiplier1, multiplier;
  logic [quasar_pkg::SHIFT_BITS-1:0] shift3, shift_less_one;
  logic [LANE_BITS-1:0] lanes8, lanes_used;
  quasar_delay #(.BITS(16), .CYCLES(TREE + 2), .CLEARED(0)) multiplier_line (
    .clk(clk), .reset(reset), .in(in_scale.multiplier[15:0]), .out(multiplier1));
  quasar_delay #(.BITS(quasar_pkg::SHIFT_BITS), .CYCLES(TREE + 4), .CLEARED(0)) shift_line (
    .clk(clk), .reset(reset), .in(in_scale.shift), .out(shift3));
  quasar_delay #(.BITS(LANE_BITS), .CYCLES(TREE + 9), .CLEARED(0)) lanes_line (
    .clk(clk), .reset(reset), .in(in_lanes), .out(lanes8));
  quasar_delay #(.BITS(1), .CYCLES(1), .CLEARED(0)) valid1_line (
    .clk(clk), .reset(reset), .in(maximum_valid), .out(maximum_valid1));
  quasar_delay #(.BITS(1), .CYCLES(2), .CLEARED(0)) valid3_line (
    .clk(clk), .reset(reset), .in(maximum_valid1), .out(maximum_valid3));
  quasar_delay #(.BITS(1), .CYCLES(5), .CLEARED(0)) valid8_line (
    .clk(clk), .reset(reset), .in(maximum_valid3), .out(maximum_valid8));
  always_ff @(posedge clk) begin
    if (maximum_valid1) multiplier <= multiplier1;
    if (maximum_valid3) shift_less_one <= shift3 - 6'd1;
    if (maximum_valid8) lanes_used <= lanes8;
  end

  // Second pass: cycle 0 is the address, the lanes start at cycle 1. `lasts` says at which address a row ends.
  logic lasts [0:(1<<RING_BITS)-1];
  logic code_running, code_last, code_active, code_last9;
  logic [RING_BITS-1:0] code_address;
  logic [LANES*SCORE_BITS-1:0] code_scores;
  assign code_last = lasts[code_address];
  assign code_active = maximum_valid | code_running;
  always_ff @(posedge clk) begin
    if (in_valid) lasts[in_address] <= in_last;
    if (reset) begin
      code_running <= 1'b0;
      code_address <= {RING_BITS{1'b0}};
    end else if (code_active) begin
      code_running <= ~code_last;
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
    for (genvar i = 0; i < LANES; i = i + 1) begin : gen_code_lane
      localparam [LANE_BITS-1:0] LANE = i;
      quasar_softmax_lane #(.SCORE_BITS(SCORE_BITS), .ACTIVATION_BITS(A)) lane (
        .clk(clk), .table_write(table_write), .table_address(table_address), .table_top(table_value[15:15-A]),
        .multiplier(multiplier), .shift_less_one(shift_less_one), .maximum(maximum_held),
        .score(code_scores[i*SCORE_BITS +: SCORE_BITS]), .padding(code_last9 & LANE >= lanes_used),
        .code(out_codes[i*A +: A]));
    end
  endgenerate

  // Z ≤ TOKENS·(2^A − 1) < 2^SUM_BITS; the maximum gives 2^A − 1, so Z ≥ 1. `less` adds up to Z − 1, modulo 2^SUM_BITS.
  logic [SUM_BITS-1:0] part, less, less_held;
  logic [quasar_pkg::LOG_BITS-1:0] log;
  logic out_first, part_valid, part_first, part_last, less_valid, log_valid;
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
    if (part_valid) less <= part + (part_first ? {SUM_BITS{1'b1}} : less);
    less_valid <= part_valid & part_last & ~reset;
  end

  // k = ⌈log2 Z⌉ is the number of bits of Z − 1.
  integer bit_index;
  always_ff @(posedge clk) begin
    log <= 5'd0;
    for (bit_index = 0; bit_index < SUM_BITS; bit_index = bit_index + 1)
      if (less[bit_index]) log <= bit_index[4:0] + 5'd1;
    less_held <= less;
    log_valid <= less_valid & ~reset;
  end

  // 2^(k−1) < Z ≤ 2^k, k = 0 means Z = 1: so 2^15 ≤ R < 2^16, the top bit of R is 1 and the other 15 are
  // ⌊(2^k − Z)·2^15 / Z⌋, where 0 ≤ 2^k − Z < Z: one cycle and 15 more. 2^k − Z = (2^k − 1) − (Z − 1) turns k bits over.
  logic rest_valid;
  logic [SUM_BITS-1:0] rest, sum;
  logic [14:0] low_reciprocal;
  logic [quasar_pkg::LOG_BITS-1:0] row_log;
  always_ff @(posedge clk) begin
    rest <= ~({SUM_BITS{1'b1}} << log) ^ less_held;
    sum <= less_held + {{SUM_BITS-1{1'b0}}, 1'b1};
    rest_valid <= log_valid & ~reset;
  end
  quasar_divider #(.QUOTIENT_BITS(15), .DIVISOR_BITS(SUM_BITS)) reciprocal (
    .clk(clk), .reset(reset), .in_valid(rest_valid), .numerator({rest, 15'd0}), .divisor(sum),
    .out_valid(row_valid), .quotient(low_reciprocal));
  quasar_delay #(.BITS(SUM_BITS), .CYCLES(15), .CLEARED(0)) row_sum_line (
    .clk(clk), .reset(reset), .in(sum), .out(row_sum));
  quasar_delay #(.BITS(quasar_pkg::LOG_BITS), .CYCLES(16), .CLEARED(0)) row_log_line (
    .clk(clk), .reset(reset), .in(log), .out(row_log));
  assign row_inverse = {row_log, 1'b1, low_reciprocal};

`ifndef SYNTHESIS
  // Chunks of the row that is coming in, and rows that have come in at least partly and have not left as Z, k, R.
  integer chunks, rows;
  always @(posedge clk) begin
    if (reset) begin
      chunks <= 0;
      rows <= 0;
    end else begin
      if (in_valid) chunks <= in_last ? 0 : chunks + 1;
      rows <= rows + (in_valid && in_first ? 1 : 0) - (row_valid ? 1 : 0);
    end
  end
  always @(posedge clk) if (!reset) begin
    assert (!(in_last === 1'b1 && in_valid === 1'b0)) else $fatal(1, "in_last without in_valid");
    if (in_valid === 1'b1) begin
      assert (chunks < CHUNKS) else $fatal(1, "a row of more than %0d chunks", CHUNKS);
      if (in_last) begin
        assert (in_lanes != 0 && {{32-LANE_BITS{1'b0}}, in_lanes} <= LANES) else $fatal(1, "%0d scores in the last chunk", in_lanes);
        assert (in_scale.shift != 0 && {26'd0, in_scale.shift} <= quasar_pkg::LARGEST_SHIFT)
        else $fatal(1, "shift %0d is outside 1…47", in_scale.shift);
        assert (!in_scale.multiplier[16]) else $fatal(1, "the multiplier is negative");
      end
    end
    if (table_write === 1'b1) begin
      assert (rows == 0 && !in_valid) else $fatal(1, "the table is written while %0d rows are inside", rows);
    end
    assert (!(maximum_valid === 1'b1 && code_running === 1'b1))
    else $fatal(1, "a row's maximum is known while the longer row before is still in the second pass");
  end
`endif
endmodule
