// Numbers, enumerations and bundles that the units share, and the rule of flow.
//
// Rule of flow
//   Inside the engine everything is statically scheduled: data with `valid`, never `ready`. What enters a unit in cycle t
//   leaves it in cycle t + latency; a unit never asks its producer to wait. A stall is possible between tiles only, and the
//   sequencer makes it, by starting the next tile later.
//   Control belongs to the data it controls: it enters in the same cycle and travels with them, registered as often. No
//   input has to keep still. The cycle in which an input deep in a pipeline is needed stands next to its port.
//   A run (dot product, token, row) is a sequence of words, gaps allowed, that ends with the word marked `last`; `last`
//   comes with `valid` only. The next run may follow at once.
//   Tables and channel parameters are memories, not control: a unit's memories are written while no run is inside.
//   At the boundaries of the engine (streams, FIFOs, AXI) words pass by valid and ready in the same cycle. A producer that
//   has raised valid holds it and the data until ready; ready never depends on valid of the same cycle in combinational
//   logic, because a spill register (quasar_spill) stands at every such boundary.
//   The assertions of the units state all this, with the bounds of the operands. They are outside synthesis; Verilator
//   checks them with --assert, Icarus always.
//
// The forms below are those that Verilator 5.006, Icarus Verilog 11 and yosys 0.23 take alike:
//   · members of the package are always named quasar_pkg::NAME: yosys has no `import`;
//   · enumerations of parameters have the base type integer, so that numbers passed to them compare without a change of
//     width; those of signals have the signal's width, and ports are declared by that width;
//   · no functions: yosys finds no other member of the package from inside one that a module calls;
//   · bundles (packed structs) stand behind the package, in the compilation unit, with the prefix quasar_ instead:
//     Icarus aborts on a struct of a package that is named with ::, and yosys has neither `import` nor $bits of a
//     type, so the width of a bundle that travels as a vector is a number of the package;
//   · Icarus assigns no member of a member; a bundle inside a bundle is assigned as a whole.
//   This file is read before all others. RTLConstants in Swift holds the same numbers, derived from the arithmetic
//   contract; a test compares both in both directions.
package quasar_pkg;
  // DSP slices: qk_dsp_generation, and the number that the ALU adds to the product: qk_dsp_base.
  typedef enum integer {
    GENERATION_DSP48E1 = 1,
    GENERATION_DSP48E2 = 2
  } generation_e;
  typedef enum logic [1:0] {
    BASE_ZERO = 2'd0,
    BASE_P = 2'd1,
    BASE_CASCADE = 2'd2,
    BASE_CASCADE_SHIFTED = 2'd3
  } base_e;

  // Packing: parts of a weight on the pre-adder, how lanes are repaired (qk_packing_repair) and read (qk_decode; no unit
  // reads exactly, lane after lane).
  typedef enum integer {
    WEIGHT_WHOLE = 0,
    WEIGHT_ATOMS = 1
  } weight_form_e;
  typedef enum integer {
    REPAIR_NONE = 0,
    REPAIR_RESTORED_BIT = 1,
    REPAIR_CARRY_COUNTERS = 2
  } repair_e;
  typedef enum integer {
    DECODE_EXACT = 0,
    DECODE_PARALLEL = 1,
    DECODE_NAIVE = 2
  } decode_e;

  // Outputs of a requantiser: of qk_output_form, INT8, TABLE and RESIDUAL have RTL.
  typedef enum integer {
    FORM_CODES = 2,
    FORM_GELU = 3,
    FORM_RESIDUAL = 4
  } form_e;

  // What a requantiser lane of the engine makes of a sum, where its command puts the results, and where a row of
  // TARGET_QKV (KIND_DIRECT: of TARGET_X or TARGET_H) goes.
  typedef enum logic [1:0] {
    LANE_CODES = 2'd0,
    LANE_TABLE = 2'd1,
    LANE_RESIDUAL = 2'd2,
    LANE_LOGITS = 2'd3
  } lane_form_e;
  typedef enum logic [2:0] {
    TARGET_X = 3'd0,
    TARGET_H = 3'd1,
    TARGET_QKV = 3'd2,
    TARGET_RESIDUAL = 3'd3,
    TARGET_LOGITS = 3'd4
  } target_e;
  typedef enum logic [1:0] {
    KIND_DIRECT = 2'd0,
    KIND_QUERY = 2'd1,
    KIND_KEY = 2'd2,
    KIND_VALUE = 2'd3
  } kind_e;

  // Ports of a slice; its pre-adder, which is the wide operand of the multiplier, differs between the generations.
  localparam integer DSP_A_BITS = 27;
  localparam integer DSP48E1_PRE_ADDER_BITS = 25;
  localparam integer DSP48E2_PRE_ADDER_BITS = 27;
  localparam integer DSP_B_BITS = 18;
  localparam integer DSP_P_BITS = 48;
  localparam integer DSP_CASCADE_SHIFT = 17;

  // Requantisation: acc·M·2^−S with |acc| < 2^31, |bias| < 2^30, |M| < 2^16, 1 ≤ S ≤ 47.
  localparam integer ACCUMULATOR_BITS = 32;
  localparam integer BIAS_BITS = 31;
  localparam integer MULTIPLIER_BITS = 17;
  localparam integer SHIFT_BITS = 6;
  localparam integer LARGEST_SHIFT = 47;
  localparam integer RESIDUAL_BITS = 16;
  localparam integer SCALE_BITS = 23;  // quasar_scale_t

  // GELU: a table of codes, addressed by code + 128.
  localparam integer CODE_BITS = 8;
  localparam integer GELU_ADDRESS_BITS = 8;

  // Softmax: 2^−f as a table of 16-bit entries, f in 8 fraction bits; R = ⌊2^(k+15) / Z⌋ in 2^15 … 2^16 − 1.
  localparam integer EXPONENT_FRACTION_BITS = 8;
  localparam integer EXPONENT_ENTRY_BITS = 16;
  localparam integer RECIPROCAL_BITS = 16;
  localparam integer LOG_BITS = 5;
  localparam integer INVERSE_BITS = 21;  // quasar_inverse_t
  localparam integer CONTEXT_FRACTION_BITS = 8;

  // LayerNorm: F = ⌊2^30 / s⌋, E < 2^40, |B| < 2^62.
  localparam integer NORM_FRACTION_BITS = 30;
  localparam integer EPSILON_BITS = 40;
  localparam integer OFFSET_BITS = 63;

  // Cycles from input to output, as EnginePipeline has them; a requantiser of two DSPs takes SECOND_DSP_CYCLES more.
  localparam integer ELEMENT_CYCLES = 7;
  localparam integer REQUANTISER_CYCLES = 6;
  localparam integer SECOND_DSP_CYCLES = 1;
  localparam integer CONTEXT_CYCLES = 13;
  // A lane of the engine, with two DSPs SECOND_DSP_CYCLES more; its old residual is needed LANE_RESIDUAL_CYCLES before
  // its result. The residual memory answers after RESIDUAL_CYCLES.
  localparam integer LANE_CYCLES = 10;
  localparam integer LANE_RESIDUAL_CYCLES = 2;
  localparam integer RESIDUAL_CYCLES = 7;

  // Destination of an output row: step, lane, kind.
  localparam integer STEP_BITS = 10;
  localparam integer LANE_BITS = 6;
  localparam integer KIND_BITS = 2;
endpackage

// y = (x·multiplier + 2^(shift−1)) >> shift.
typedef struct packed {
  logic [quasar_pkg::MULTIPLIER_BITS-1:0] multiplier;  // signed
  logic [quasar_pkg::SHIFT_BITS-1:0] shift;
} quasar_scale_t;

// Parameters of an output row, for the requantiser.
typedef struct packed {
  logic [quasar_pkg::BIAS_BITS-1:0] bias;  // signed
  quasar_scale_t scale;
} quasar_row_t;

// Where an output row of a tile goes: bits 54…71 of its entry.
typedef struct packed {
  logic [quasar_pkg::KIND_BITS-1:0] kind;  // quasar_pkg::kind_e
  logic [quasar_pkg::LANE_BITS-1:0] lane;  // low bits of a channel
  logic [quasar_pkg::STEP_BITS-1:0] step;  // high bits of a channel
} quasar_destination_t;

// Parameters of a channel, for LayerNorm.
typedef struct packed {
  logic [quasar_pkg::OFFSET_BITS-1:0] offset;  // signed
  quasar_scale_t scale;
} quasar_channel_t;

// 1/Z of a row of probabilities as R·2^−(k+15).
typedef struct packed {
  logic [quasar_pkg::LOG_BITS-1:0] log;  // k
  logic [quasar_pkg::RECIPROCAL_BITS-1:0] reciprocal;
} quasar_inverse_t;
