// Test of a quasar_pe with the vectors of one case; see quasar_replay_tb.
//
// Input word, one product set, from the low bits: activations [ACTIVATIONS·ACTIVATION_BITS], weights
// [WEIGHTS·WEIGHT_BITS], last (1 bit), zeros up to a multiple of four bits.
// Output word, one dot product: out [WEIGHTS·ACTIVATIONS·ACCUMULATOR_BITS], zeros up to a multiple of four bits.
module quasar_pe_tb #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer WEIGHTS = 2,
  parameter integer ACTIVATIONS = 1,
  parameter integer PITCH = 18,
  parameter integer WEIGHT_BITS = 8,
  parameter integer ACTIVATION_BITS = 8,
  parameter integer WEIGHT_FORM = quasar_pkg::WEIGHT_WHOLE,
  parameter integer ACTIVATIONS_SIGNED = 1,
  parameter integer REPAIR = quasar_pkg::REPAIR_NONE,
  parameter integer DECODE = quasar_pkg::DECODE_PARALLEL,
  parameter integer CHAIN = 7,
  parameter integer ACCUMULATOR_BITS = 32,
  parameter CASE = "quasar_pe",
  parameter integer VECTORS = 1
) (
  input  logic        clk,
  input  logic        reset,
  output logic        done,
  output logic [31:0] errors
);
  localparam integer X_BITS = ACTIVATIONS * ACTIVATION_BITS;
  localparam integer W_BITS = WEIGHTS * WEIGHT_BITS;
  localparam integer OUT_BITS = WEIGHTS * ACTIVATIONS * ACCUMULATOR_BITS;
  localparam integer IN_WORD = (X_BITS + W_BITS + 1 + 3) / 4 * 4;
  localparam integer OUT_WORD = (OUT_BITS + 3) / 4 * 4;

  logic in_valid, out_valid;
  logic [IN_WORD-1:0] word;
  logic [OUT_BITS-1:0] out;
  logic [OUT_WORD-1:0] found;

  always_comb begin
    found = 0;
    found[OUT_BITS-1:0] = out;
  end

  quasar_replay_tb #(
    .IN_WORD(IN_WORD), .OUT_WORD(OUT_WORD), .LAST_BIT(X_BITS + W_BITS), .CASE(CASE), .VECTORS(VECTORS)
  ) replay (
    .clk(clk), .reset(reset), .ready(1'b1), .in_valid(in_valid), .word(word), .out_valid(out_valid), .found(found),
    .done(done), .errors(errors)
  );

  quasar_pe #(
    .GENERATION(GENERATION), .WEIGHTS(WEIGHTS), .ACTIVATIONS(ACTIVATIONS), .PITCH(PITCH),
    .WEIGHT_BITS(WEIGHT_BITS), .ACTIVATION_BITS(ACTIVATION_BITS), .WEIGHT_FORM(WEIGHT_FORM),
    .ACTIVATIONS_SIGNED(ACTIVATIONS_SIGNED), .REPAIR(REPAIR), .DECODE(DECODE), .CHAIN(CHAIN),
    .ACCUMULATOR_BITS(ACCUMULATOR_BITS)
  ) unit (
    .clk(clk), .reset(reset), .in_valid(in_valid), .in_last(in_valid & word[X_BITS+W_BITS]),
    .weights(word[X_BITS +: W_BITS]), .activations(word[X_BITS-1:0]), .out_valid(out_valid), .out(out)
  );
endmodule
