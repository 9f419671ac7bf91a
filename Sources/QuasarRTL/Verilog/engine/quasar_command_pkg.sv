// Commands of a program, and the records of tiles that follow from them.
//
// The numbers are those of EngineCommand in Swift, which writes programs; a test compares both.
package quasar_command_pkg;
  localparam integer COMMAND_BITS = 384;  // quasar_command_t
  localparam integer TILE_BITS = 65;      // quasar_tile_t

  // Kinds of commands.
  localparam [7:0] COMMAND_END = 8'd0;
  localparam [7:0] COMMAND_GEMM = 8'd1;
  localparam [7:0] COMMAND_NORM = 8'd2;
  localparam [7:0] COMMAND_ATTENTION = 8'd3;
endpackage

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
