// The DSPs of one row pair and one token lane, and their sums.
//
// INPUTS DSPs stand in INPUTS/CASCADE cascades. A cascade adds CASCADE products of packed operands in P; its decoder reads
// the lanes of either shape, lane i = P[pitch·i +: pitch] + P[pitch·i − 1], signed: a negative lane has borrowed one from
// the lane above. Every lane's sum fits its field (quasar_edge), so each lane has pitch bits, the top one too. A tree
// adds up the cascades, an accumulator the steps.
//   pair shape   lane 0 row 0, lane 1 row 1                                      (low tokens; high ones don't care)
//   block shape  lane 0 row 0 low, lane 1 row 0 high, lane 2 row 1 low, lane 3 row 1 high
// sums [2 rows][low, high] (without block shape [2 rows]) contain the step of `valid` and stand for one cycle,
// CASCADE + 4 + ⌈log2(INPUTS/CASCADE)⌉ cycles after it: cascade CASCADE − 1, DSP 4, decode 1, tree.
module quasar_column #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer INPUTS = 8,
  parameter integer CASCADE = 4,
  parameter integer PAIR_PITCH = 18,
  parameter integer BLOCK_PITCH = 11,  // 0: no block shape
  parameter integer SUM_BITS = 27,
  parameter integer OUTPUTS = BLOCK_PITCH == 0 ? 2 : 4
) (
  input  logic                                     clk,
  input  logic                                     valid,  // cycle 0
  input  logic                                     first,  // cycle 0: starts a sum
  input  logic                                     block,  // cycle 0
  input  logic [INPUTS*quasar_pkg::DSP_A_BITS-1:0] a,      // input κ: cycle κ mod CASCADE
  input  logic [INPUTS*quasar_pkg::DSP_A_BITS-1:0] d,      // input κ: cycle κ mod CASCADE
  input  logic [INPUTS*quasar_pkg::DSP_B_BITS-1:0] b,      // input κ: cycle κ mod CASCADE
  output logic [OUTPUTS*SUM_BITS-1:0]              sums
);
  localparam integer A_BITS = quasar_pkg::DSP_A_BITS;
  localparam integer B_BITS = quasar_pkg::DSP_B_BITS;
  localparam integer P_BITS = quasar_pkg::DSP_P_BITS;
  localparam integer CASCADES = INPUTS / CASCADE;
  localparam integer LEVELS = $clog2(CASCADES);
  localparam integer P_CYCLE = CASCADE + 3;
  localparam integer HALVES = OUTPUTS / 2;

  logic block_p, valid_sum, first_sum;
  quasar_delay #(.BITS(1), .CYCLES(P_CYCLE)) delay_block (.clk(clk), .reset(1'b0), .in(block), .out(block_p));
  quasar_delay #(.BITS(2), .CYCLES(P_CYCLE + 1 + LEVELS)) delay_control (
    .clk(clk), .reset(1'b0), .in({valid, first}), .out({valid_sum, first_sum}));

  // Decoded lanes [row][cascade] of the low tokens, and of the high ones. Their top bits are inverted: the tree adds
  // numbers that are larger by half the range, and the same inversion of its sum takes all the halves away.
  localparam [PAIR_PITCH-1:0] TOP = {1'b1, {PAIR_PITCH-1{1'b0}}};
  localparam integer HIGH_BITS = HALVES == 1 ? 1 : BLOCK_PITCH;
  logic [2*CASCADES*PAIR_PITCH-1:0] low_lanes;
  logic [2*CASCADES*HIGH_BITS-1:0] high_lanes;
  generate
    for (genvar g = 0; g < CASCADES; g = g + 1) begin : gen_cascade
      logic [CASCADE*P_BITS-1:0] values, links;
      logic [P_BITS-1:0] p;
      assign p = values[(CASCADE-1)*P_BITS +: P_BITS];
      for (genvar i = 0; i < CASCADE; i = i + 1) begin : gen_slice
        localparam integer K = g * CASCADE + i;
        localparam integer PLACE = i * P_BITS;
        localparam integer BEFORE = i == 0 ? 0 : PLACE - P_BITS;
        localparam [1:0] BASE = i == 0 ? quasar_pkg::BASE_ZERO : quasar_pkg::BASE_CASCADE;
        quasar_dsp #(.GENERATION(GENERATION)) slice (
          .clk(clk), .a(a[K*A_BITS +: A_BITS]), .b(b[K*B_BITS +: B_BITS]), .d(d[K*A_BITS +: A_BITS]),
          .base(BASE), .with_c(1'b0), .c({P_BITS{1'b0}}),
          .enable_p(1'b1), .pcin(BASE == quasar_pkg::BASE_ZERO ? {P_BITS{1'b0}} : links[BEFORE +: P_BITS]),
          .p(values[PLACE +: P_BITS]), .pcout(links[PLACE +: P_BITS]));
      end

      logic [PAIR_PITCH-1:0] field0, field1;
      logic borrow1;
      if (HALVES == 1) begin : gen_pair
        assign field0 = p[0 +: PAIR_PITCH];
        assign field1 = p[PAIR_PITCH +: PAIR_PITCH];
        assign borrow1 = p[PAIR_PITCH-1];
        assign high_lanes[g +: 1] = 1'b0;
        assign high_lanes[CASCADES+g +: 1] = 1'b0;
      end else begin : gen_shapes
        localparam integer SIGN_BITS = PAIR_PITCH - BLOCK_PITCH;
        logic [BLOCK_PITCH-1:0] high0, high1;
        assign field0 = block_p ? {{SIGN_BITS{p[BLOCK_PITCH-1]}}, p[0 +: BLOCK_PITCH]} : p[0 +: PAIR_PITCH];
        assign field1 = block_p ? {{SIGN_BITS{p[3*BLOCK_PITCH-1]}}, p[2*BLOCK_PITCH +: BLOCK_PITCH]}
                                : p[PAIR_PITCH +: PAIR_PITCH];
        assign borrow1 = block_p ? p[2*BLOCK_PITCH-1] : p[PAIR_PITCH-1];
        always_ff @(posedge clk) begin
          high0 <= (p[BLOCK_PITCH +: BLOCK_PITCH] + {{BLOCK_PITCH-1{1'b0}}, p[BLOCK_PITCH-1]})
            ^ TOP[PAIR_PITCH-1 -: BLOCK_PITCH];
          high1 <= (p[3*BLOCK_PITCH +: BLOCK_PITCH] + {{BLOCK_PITCH-1{1'b0}}, p[3*BLOCK_PITCH-1]})
            ^ TOP[PAIR_PITCH-1 -: BLOCK_PITCH];
        end
        assign high_lanes[g*HIGH_BITS +: HIGH_BITS] = high0;
        assign high_lanes[(CASCADES+g)*HIGH_BITS +: HIGH_BITS] = high1;
      end
      logic [PAIR_PITCH-1:0] low0, low1;
      always_ff @(posedge clk) begin
        low0 <= field0 ^ TOP;
        low1 <= (field1 + {{PAIR_PITCH-1{1'b0}}, borrow1}) ^ TOP;
      end
      assign low_lanes[g*PAIR_PITCH +: PAIR_PITCH] = low0;
      assign low_lanes[(CASCADES+g)*PAIR_PITCH +: PAIR_PITCH] = low1;
    end

    for (genvar n = 0; n < OUTPUTS; n = n + 1) begin : gen_output
      localparam integer LANE_BITS = n % HALVES == 0 ? PAIR_PITCH : HIGH_BITS;
      localparam integer TREE_BITS = LANE_BITS + LEVELS;
      logic [CASCADES*LANE_BITS-1:0] lanes;
      logic [TREE_BITS-1:0] tree;
      logic [SUM_BITS-1:0] kept, added;
      if (n % HALVES == 0) begin : gen_low
        assign lanes = low_lanes[n/HALVES*CASCADES*PAIR_PITCH +: CASCADES*PAIR_PITCH];
      end else begin : gen_high
        assign lanes = high_lanes[n/HALVES*CASCADES*HIGH_BITS +: CASCADES*HIGH_BITS];
      end
      quasar_sum_tree #(.LANES(CASCADES), .IN_BITS(LANE_BITS)) sum_tree (.clk(clk), .in(lanes), .sum(tree));
      assign added = {{SUM_BITS-TREE_BITS+1{!tree[TREE_BITS-1]}}, tree[TREE_BITS-2:0]};
      assign sums[n*SUM_BITS +: SUM_BITS] = added + (first_sum ? {SUM_BITS{1'b0}} : kept);
      always_ff @(posedge clk) if (valid_sum) kept <= sums[n*SUM_BITS +: SUM_BITS];
    end
  endgenerate

`ifndef SYNTHESIS
  initial begin
    assert (SUM_BITS >= PAIR_PITCH + LEVELS && SUM_BITS <= 32)
    else $fatal(1, "SUM_BITS %0d: a step needs %0d, and 32 are the most", SUM_BITS, PAIR_PITCH + LEVELS);
  end
`endif
endmodule
