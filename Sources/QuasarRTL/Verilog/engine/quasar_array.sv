// Output-stationary array: ROWS × TOKENS columns (quasar_column) of INPUTS DSPs, each with the accumulators of its outputs.
//
// Operands come from quasar_edge, already skewed, and pass BROADCAST register levels. Tiles may follow each other in any
// shape without a gap. In the cycle of sums_valid, with the last step of a run, sums [2·ROWS][WORD_TOKENS] are those of the run:
// row 2e + i of column (e, u) at token u (pair shape, and low tokens of the block shape) or TOKENS + u (high tokens;
// don't care in pair shape). From the inputs of the last step, cycle 0, to sums_valid:
//   BROADCAST + CASCADE + 4 + ⌈log2(INPUTS/CASCADE)⌉ cycles.
// One more to a register that holds the sums, and one for the edge: ARRAY_CYCLES = BROADCAST + CASCADE + 6 + ⌈log2 …⌉.
module quasar_array #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer ROWS = 2,
  parameter integer INPUTS = 8,
  parameter integer TOKENS = 4,
  parameter integer CASCADE = 4,
  parameter integer PAIR_PITCH = 18,
  parameter integer BLOCK_PITCH = 11,  // 0: no block shape
  parameter integer BROADCAST = 1,
  parameter integer SUM_BITS = 27,
  parameter integer BEHAVIOURAL = 0,   // 1: quasar_column_twin
  parameter integer WORD_TOKENS = TOKENS * (BLOCK_PITCH == 0 ? 1 : 2)
) (
  input  logic                                            clk,
  input  logic                                            reset,
  input  logic                                            in_valid,  // cycle 0
  input  logic                                            in_first,  // cycle 0
  input  logic                                            in_last,   // cycle 0
  input  logic                                            in_block,  // cycle 0
  input  logic [ROWS*INPUTS*quasar_pkg::DSP_A_BITS-1:0]   a,         // input κ: cycle κ mod CASCADE
  input  logic [ROWS*INPUTS*quasar_pkg::DSP_A_BITS-1:0]   d,         // input κ: cycle κ mod CASCADE
  input  logic [TOKENS*INPUTS*quasar_pkg::DSP_B_BITS-1:0] b,         // input κ: cycle κ mod CASCADE
  output logic                                            sums_valid,
  output logic [2*ROWS*WORD_TOKENS*SUM_BITS-1:0]          sums
);
  localparam integer A_BITS = INPUTS * quasar_pkg::DSP_A_BITS;  // of a row element
  localparam integer B_BITS = INPUTS * quasar_pkg::DSP_B_BITS;  // of a token lane
  localparam integer HALVES = WORD_TOKENS / TOKENS;
  localparam integer OUTPUTS = 2 * HALVES;
  localparam integer LEVELS = $clog2(INPUTS / CASCADE);
  localparam integer ALL_BITS = 3 + 2 * ROWS * A_BITS + TOKENS * B_BITS;

  // Registers that placement spreads over the array; as shift registers they would stay in one place.
  logic [ALL_BITS-1:0] sent;
  logic valid, first, block;
  logic [ROWS*A_BITS-1:0] a_sent, d_sent;
  logic [TOKENS*B_BITS-1:0] b_sent;
  generate
    if (BROADCAST == 0) begin : gen_direct
      assign sent = {in_valid, in_first, in_block, a, d, b};
    end else begin : gen_broadcast
      (* shreg_extract = "no" *) logic [ALL_BITS*BROADCAST-1:0] levels;
      logic [ALL_BITS*(BROADCAST+1)-1:0] line;
      assign line = {levels, in_valid, in_first, in_block, a, d, b};
      always_ff @(posedge clk) levels <= line[0 +: ALL_BITS*BROADCAST];
      assign sent = line[ALL_BITS*BROADCAST +: ALL_BITS];
    end
  endgenerate
  assign {valid, first, block, a_sent, d_sent, b_sent} = sent;

  quasar_delay #(.BITS(1), .CYCLES(BROADCAST + CASCADE + 4 + LEVELS), .CLEARED(1)) delay_last (
    .clk(clk), .reset(reset), .in(in_valid && in_last), .out(sums_valid));

  generate
    for (genvar e = 0; e < ROWS; e = e + 1) begin : gen_row
      for (genvar u = 0; u < TOKENS; u = u + 1) begin : gen_token
        // Places as parameters: Icarus takes no genvar of a nested loop in a port's expression.
        localparam integer A_PLACE = e * A_BITS;
        localparam integer B_PLACE = u * B_BITS;
        logic [OUTPUTS*SUM_BITS-1:0] column_sums;
        if (BEHAVIOURAL == 0) begin : gen_column
          quasar_column #(
            .GENERATION(GENERATION), .INPUTS(INPUTS), .CASCADE(CASCADE), .PAIR_PITCH(PAIR_PITCH),
            .BLOCK_PITCH(BLOCK_PITCH), .SUM_BITS(SUM_BITS)
          ) column (
            .clk(clk), .valid(valid), .first(first), .block(block), .a(a_sent[A_PLACE +: A_BITS]),
            .d(d_sent[A_PLACE +: A_BITS]), .b(b_sent[B_PLACE +: B_BITS]), .sums(column_sums));
        end else begin : gen_twin
          quasar_column_twin #(
            .INPUTS(INPUTS), .CASCADE(CASCADE), .PAIR_PITCH(PAIR_PITCH), .BLOCK_PITCH(BLOCK_PITCH), .SUM_BITS(SUM_BITS)
          ) column (
            .clk(clk), .valid(valid), .first(first), .block(block), .a(a_sent[A_PLACE +: A_BITS]),
            .d(d_sent[A_PLACE +: A_BITS]), .b(b_sent[B_PLACE +: B_BITS]), .sums(column_sums));
        end
        for (genvar n = 0; n < OUTPUTS; n = n + 1) begin : gen_sum
          localparam integer PLACE = (2 * e + n / HALVES) * WORD_TOKENS + n % HALVES * TOKENS + u;
          assign sums[PLACE*SUM_BITS +: SUM_BITS] = column_sums[n*SUM_BITS +: SUM_BITS];
        end
      end
    end
  endgenerate
endmodule
