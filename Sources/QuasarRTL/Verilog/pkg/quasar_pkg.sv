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

  // Commands of a program, 48 bytes each (quasar_command_t), and how the sums of a GEMM become its outputs and where they go.
  localparam integer COMMAND_BITS = 384;
  localparam [7:0] COMMAND_END = 8'd0;
  localparam [7:0] COMMAND_GEMM = 8'd1;
  localparam [7:0] COMMAND_NORM = 8'd2;
  localparam [7:0] COMMAND_ATTENTION = 8'd3;
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

// A command of a program; twelve words of 32 bits, little endian, this order from the last word to the first.
typedef struct packed {
  logic [15:0] chunks;             // attention: ⌈T/SOFTMAX⌉
  logic [15:0] head_channels;      // attention: d_h
  logic [7:0] last_row_tiles;      // attention: row tiles of a head's last query block
  logic reserved3;
  quasar_scale_t output_scale;     // attention: M_o, S_o
  logic [7:0] last_channels;       // attention: channels of a head's last channel tile
  logic reserved2;
  quasar_scale_t score_scale;      // attention: M_e, S_e
  logic [7:0] last_key_groups;     // attention: ⌈last_tokens/SOFTMAX⌉
  logic [7:0] last_groups_block;   // GEMM: ⌈tokens of the last block tile/DRAIN⌉
  logic [7:0] last_groups;         // ⌈last_tokens/DRAIN⌉
  logic [7:0] last_tokens;         // tokens of the last pair tile
  logic [15:0] key_steps;          // attention: ⌈T/INPUTS⌉
  logic [15:0] blocks;             // attention: ⌈T/TOKENS⌉
  logic [7:0] last_lanes;          // attention: keys in the last chunk
  logic [7:0] heads;               // attention
  logic [15:0] width;              // norm: D
  logic [15:0] high;               // limits of the codes, signed
  logic [15:0] low;
  logic [15:0] target_stride;      // steps from word to word of the memory that is written
  logic [15:0] source_stride;      // the same of the memory that is read
  logic [15:0] row_tiles;          // attention: channel tiles ⌈d_h/P_n⌉
  logic [15:0] steps;              // GEMM: ⌈K/INPUTS⌉; attention: ⌈d_h/INPUTS⌉
  logic [15:0] first_token;        // norm
  logic [15:0] tokens;
  logic [15:0] number;             // place in the program
  logic [7:0] code_bits;
  logic [7:0] flags;               // bit 0: codes are offset by 2^(code_bits − 1); bit 1: GEMM reads H, not X
  logic [7:0] target;              // GEMM: TARGET_…
  logic [7:0] form;                // GEMM: LANE_…
  logic [7:0] reserved1;
  logic [7:0] kind;                // COMMAND_…
} quasar_command_t;

// What the drain of a tile has to know, from the sequencer; it travels with the sums.
typedef struct packed {
  logic is_scores;
  logic is_context;
  logic slot;             // GEMM: tile slot with the rows' parameters
  logic ends_slot;        // GEMM: the last token tile of its row tile
  logic [7:0] word;       // place of the tokens (scores: of the keys) in the operand memory
  logic half;
  logic [1:0] block_slot; // attention: slot of the probability memory
  logic [7:0] query;      // scores: index in the block of the first query
  logic ends_block;       // scores: the last row tile of its block
  logic ends_rows;        // scores: the last key tile
  logic [15:0] chunk;     // scores: chunk of the first key
  logic [7:0] pair_slot;  // scores: place of the first row pair in the score ring
  logic [15:0] channel;   // contexts: output channel of the first row
} quasar_tile_t;
