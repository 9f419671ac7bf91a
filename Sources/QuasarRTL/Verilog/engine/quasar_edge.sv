// Edge of the array: packs the operands of a step once for all DSPs and delays them as their cascades need.
//
// Element (e, κ) holds the weights of rows 2e and 2e + 1 at input κ: A is the one, D the other shifted by PAIR_PITCH or, in
// block shape, 2·BLOCK_PITCH. Element (u, κ) holds the inputs of token lane u at input κ:
//   pair shape   B = x of token half·TOKENS + u, sign-extended, or zero-extended with unsigned_inputs
//   block shape  B = x_low + x_high·2^BLOCK_PITCH, of the tokens u and TOKENS + u
// weights [INPUTS][2·ROWS] and inputs [INPUTS][WORD_TOKENS]: bytes, first index slowest. Everything leaves one cycle later;
// what belongs to input κ is delayed by a further κ mod CASCADE cycles, the control is not.
//
// Bounds of the codes. Pair shape: |w| ≤ 127, x −128…127 or 0…255. Block shape: |w| ≤ 7, x −32…31. With them A + D fits the
// pre-adder, B its port, and the sum of CASCADE products of any lane its field (parameters are checked at the start).
// A run of steps begins with first and ends with last; the shape is that of the run.
module quasar_edge #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer ROWS = 2,
  parameter integer INPUTS = 8,
  parameter integer TOKENS = 4,
  parameter integer CASCADE = 4,
  parameter integer PAIR_PITCH = 18,
  parameter integer BLOCK_PITCH = 11,  // 0: no block shape
  parameter integer WORD_TOKENS = TOKENS * (BLOCK_PITCH == 0 ? 1 : 2)
) (
  input  logic                                               clk,
  input  logic                                               reset,
  input  logic                                               in_valid,         // cycle 0, as all inputs
  input  logic                                               in_first,
  input  logic                                               in_last,
  input  logic                                               in_block,         // block shape
  input  logic                                               half,             // pair shape: the upper TOKENS of the word
  input  logic                                               unsigned_inputs,  // pair shape only
  input  logic [INPUTS*2*ROWS*8-1:0]                         weights,
  input  logic [INPUTS*WORD_TOKENS*8-1:0]                    inputs,
  output logic                                               out_valid,        // cycle 1
  output logic                                               out_first,        // cycle 1
  output logic                                               out_last,         // cycle 1
  output logic                                               out_block,        // cycle 1
  output logic [ROWS*INPUTS*quasar_pkg::DSP_A_BITS-1:0]      a,                // cycle 1 + κ mod CASCADE
  output logic [ROWS*INPUTS*quasar_pkg::DSP_A_BITS-1:0]      d,                // cycle 1 + κ mod CASCADE
  output logic [TOKENS*INPUTS*quasar_pkg::DSP_B_BITS-1:0]    b                 // cycle 1 + κ mod CASCADE
);
  localparam integer A_BITS = quasar_pkg::DSP_A_BITS;
  localparam integer B_BITS = quasar_pkg::DSP_B_BITS;
  localparam integer HAS_BLOCK = BLOCK_PITCH == 0 ? 0 : 1;

  always_ff @(posedge clk) begin
    out_valid <= in_valid && !reset;
    out_first <= in_first;
    out_last <= in_last;
    out_block <= in_block;
  end

  generate
    for (genvar k = 0; k < INPUTS; k = k + 1) begin : gen_input
      for (genvar e = 0; e < ROWS; e = e + 1) begin : gen_row
        // Bits of D from PAIR_PITCH on; those below are zero in both shapes.
        localparam integer D_BITS = A_BITS - PAIR_PITCH;
        logic [7:0] even, odd;
        logic [D_BITS-1:0] shifted, odd_delayed;
        logic [7:0] even_delayed;
        assign even = weights[(k*2*ROWS+2*e)*8 +: 8];
        assign odd = weights[(k*2*ROWS+2*e+1)*8 +: 8];
        if (HAS_BLOCK != 0) begin : gen_shapes
          // A weight of the block shape has 4 bits; STEP + 5 ≤ D_BITS, and D_BITS ≥ 8.
          localparam integer STEP = 2 * BLOCK_PITCH - PAIR_PITCH;
          assign shifted = in_block ? {{D_BITS-STEP-4{odd[7]}}, odd[3:0], {STEP{1'b0}}} : {{D_BITS-8{odd[7]}}, odd};
        end else begin : gen_pair
          assign shifted = {{D_BITS-8{odd[7]}}, odd};
        end
        quasar_delay #(.BITS(8), .CYCLES(1 + k % CASCADE)) delay_even (
          .clk(clk), .reset(1'b0), .in(even), .out(even_delayed));
        quasar_delay #(.BITS(D_BITS), .CYCLES(1 + k % CASCADE)) delay_odd (
          .clk(clk), .reset(1'b0), .in(shifted), .out(odd_delayed));
        assign a[(e*INPUTS+k)*A_BITS +: A_BITS] = {{A_BITS-8{even_delayed[7]}}, even_delayed};
        assign d[(e*INPUTS+k)*A_BITS +: A_BITS] = {odd_delayed, {PAIR_PITCH{1'b0}}};
      end
      for (genvar u = 0; u < TOKENS; u = u + 1) begin : gen_token
        logic [7:0] low;
        logic sign;
        logic [B_BITS-1:0] packed_inputs, packed_delayed;
        assign sign = low[7] && !unsigned_inputs;
        if (HAS_BLOCK != 0) begin : gen_shapes
          // Above the low code stand x_high and the sign of the low one, −1 or 0.
          localparam integer HIGH_BITS = B_BITS - BLOCK_PITCH;
          logic [7:0] high;
          logic [HIGH_BITS-1:0] upper;
          assign high = inputs[(k*WORD_TOKENS+TOKENS+u)*8 +: 8];
          assign low = half ? high : inputs[(k*WORD_TOKENS+u)*8 +: 8];
          assign upper = in_block ? {{HIGH_BITS-7{high[7]}}, high[6:0]} : {HIGH_BITS{1'b0}};
          assign packed_inputs = {upper + {HIGH_BITS{sign}}, {BLOCK_PITCH-8{sign}}, low};
        end else begin : gen_pair
          assign low = inputs[(k*WORD_TOKENS+u)*8 +: 8];
          assign packed_inputs = {{B_BITS-8{sign}}, low};
        end
        quasar_delay #(.BITS(B_BITS), .CYCLES(1 + k % CASCADE)) delay (
          .clk(clk), .reset(1'b0), .in(packed_inputs), .out(packed_delayed));
        assign b[(u*INPUTS+k)*B_BITS +: B_BITS] = packed_delayed;
      end
    end
  endgenerate

`ifndef SYNTHESIS
  // The field of a lane must hold CASCADE products of the largest codes.
  localparam integer LIMIT = GENERATION == quasar_pkg::GENERATION_DSP48E2
    ? quasar_pkg::DSP48E2_PRE_ADDER_BITS : quasar_pkg::DSP48E1_PRE_ADDER_BITS;
  initial begin
    assert (INPUTS % CASCADE == 0 && WORD_TOKENS == TOKENS * (1 + HAS_BLOCK))
    else $fatal(1, "CASCADE %0d, INPUTS %0d, WORD_TOKENS %0d do not go together", CASCADE, INPUTS, WORD_TOKENS);
    assert (CASCADE * 127 * 255 < 1 << (PAIR_PITCH - 1) && 127 * ((1 << PAIR_PITCH) + 1) < 1 << (LIMIT - 1))
    else $fatal(1, "CASCADE %0d, PAIR_PITCH %0d: a lane leaves its field, or the weights the pre-adder", CASCADE, PAIR_PITCH);
    assert (HAS_BLOCK == 0 || (CASCADE * 7 * 32 < 1 << (BLOCK_PITCH - 1) && 2 * BLOCK_PITCH >= PAIR_PITCH
      && 7 * ((1 << 2 * BLOCK_PITCH) + 1) < 1 << (LIMIT - 1) && 33 << BLOCK_PITCH <= 1 << (B_BITS - 1)))
    else $fatal(1, "CASCADE %0d, BLOCK_PITCH %0d: a lane leaves its field, or an operand its port", CASCADE, BLOCK_PITCH);
  end

  logic in_run, run_block;
  always @(posedge clk) begin
    if (reset) in_run <= 1'b0;
    else if (in_valid) begin
      in_run <= !in_last;
      run_block <= in_block;
      assert (in_first === !in_run) else $fatal(1, "first is %b, inside a run %b", in_first, in_run);
      assert (in_first || in_block === run_block) else $fatal(1, "the shape changes inside a run");
      assert (HAS_BLOCK != 0 || (in_block === 1'b0 && half === 1'b0))
      else $fatal(1, "block shape or half of a word without BLOCK_PITCH");
      assert (!(in_block && (half || unsigned_inputs)))
      else $fatal(1, "the block shape has neither halves nor unsigned inputs");
    end
  end
  generate
    for (genvar n = 0; n < INPUTS * 2 * ROWS; n = n + 1) begin : gen_weight_bound
      logic signed [7:0] weight;
      assign weight = weights[n*8 +: 8];
      always @(posedge clk) if (!reset && in_valid) begin
        assert (!(weight < (in_block ? -8'sd7 : -8'sd127) || (in_block && weight > 8'sd7)))
        else $fatal(1, "weight %0d of a step is %0d", n, weight);
      end
    end
    for (genvar n = 0; n < INPUTS * WORD_TOKENS; n = n + 1) begin : gen_input_bound
      logic signed [7:0] code;
      assign code = inputs[n*8 +: 8];
      always @(posedge clk) if (!reset && in_valid && in_block) begin
        assert (!(code < -8'sd32 || code > 8'sd31)) else $fatal(1, "input %0d of a block step is %0d", n, code);
      end
    end
  endgenerate
`endif
endmodule
