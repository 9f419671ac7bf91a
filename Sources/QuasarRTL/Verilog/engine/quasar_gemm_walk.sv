// The tiles of one GEMM command: row tiles outside, token tiles inside.
//
// A row tile waits until its slot holds its weights; slots alternate over all GEMM commands. Token tiles hold TOKENS tokens in
// the pair shape and 2·TOKENS in the block shape; in an engine with a block shape a word of the operand memory holds
// 2·TOKENS tokens and `half` says which TOKENS of it a pair tile reads.
module quasar_gemm_walk #(
  parameter integer ROWS = 2,
  parameter integer TOKENS = 9,
  parameter integer DRAIN = 3,
  parameter integer HAS_BLOCKS = 0,
  parameter integer ADDRESS_BITS = 16,
  parameter integer BEAT_BITS = 12
) (
  input  logic                    clk,
  input  logic                    reset,
  input  logic                    start,             // fields of the command hold still from here to `done`
  input  logic [15:0]             tokens,
  input  logic [15:0]             row_tiles,
  input  logic [15:0]             source_stride,     // steps from word to word of the operand memory
  input  logic [7:0]              last_groups_pair,  // ⌈b/DRAIN⌉ of the last token tile
  input  logic [7:0]              last_groups_block,
  input  logic [1:0]              slot_full,
  input  logic [1:0]              slot_is_block,
  input  logic [15:0]             slot_rows,         // rows of slot 0 low, of slot 1 high
  input  logic                    taken,
  output logic                    active,            // from start to the last tile's `taken`
  output logic                    ready,
  output logic                    is_block,
  output logic                    slot,
  output logic                    ends_slot,         // the last token tile of its row tile
  output logic [7:0]              tile_rows,
  output logic [7:0]              tile_tokens,
  output logic [BEAT_BITS-1:0]    beats,
  output logic [ADDRESS_BITS-1:0] base,              // address of the word's first step
  output logic [7:0]              word,
  output logic                    half
);
  localparam integer TWICE = 2 * TOKENS;
  localparam integer PAIR_BEATS = TOKENS / DRAIN;
  localparam integer BLOCK_BEATS = TWICE / DRAIN;
  localparam [15:0] PAIR_TOKENS = TOKENS[15:0];
  localparam [15:0] BLOCK_TOKENS = TWICE[15:0];
  localparam [7:0] PAIR_GROUPS = PAIR_BEATS[7:0];
  localparam [7:0] BLOCK_GROUPS = BLOCK_BEATS[7:0];

  logic [15:0] rest, tiles_left, full_tokens;
  logic [7:0] groups;
  logic is_last, moves;
  assign is_block = HAS_BLOCKS != 0 && slot_is_block[slot];
  assign full_tokens = is_block ? BLOCK_TOKENS : PAIR_TOKENS;
  assign is_last = rest <= full_tokens;
  assign ends_slot = is_last;
  assign tile_rows = slot ? slot_rows[15:8] : slot_rows[7:0];
  assign tile_tokens = is_last ? rest[7:0] : full_tokens[7:0];
  assign groups = is_last ? (is_block ? last_groups_block : last_groups_pair) : is_block ? BLOCK_GROUPS : PAIR_GROUPS;
  assign beats = {{(BEAT_BITS-8){1'b0}}, tile_rows} * {{(BEAT_BITS-8){1'b0}}, groups};
  assign ready = active & slot_full[slot];
  // Whether the next token tile lies in the next word.
  assign moves = HAS_BLOCKS == 0 | is_block | half;

  always_ff @(posedge clk) begin
    if (reset) begin
      active <= 1'b0;
      slot <= 1'b0;
    end else if (start) begin
      active <= row_tiles != 16'd0;
    end else if (taken && is_last) begin
      active <= tiles_left != 16'd1;
      slot <= ~slot;
    end
    if (start || (taken && is_last)) begin
      rest <= tokens;
      base <= {ADDRESS_BITS{1'b0}};
      word <= 8'd0;
      half <= 1'b0;
    end else if (taken) begin
      rest <= rest - full_tokens;
      if (moves) begin
        base <= base + source_stride[ADDRESS_BITS-1:0];
        word <= word + 8'd1;
        half <= 1'b0;
      end else half <= 1'b1;
    end
    if (start) tiles_left <= row_tiles;
    else if (taken && is_last) tiles_left <= tiles_left - 16'd1;
  end

`ifndef SYNTHESIS
  initial begin
    assert (TOKENS % DRAIN == 0 && 2 * TOKENS < 256 && 2 * ROWS < 256)
    else $fatal(1, "TOKENS %0d, DRAIN %0d, ROWS %0d", TOKENS, DRAIN, ROWS);
  end
  always @(posedge clk) if (!reset && taken === 1'b1 && active) begin
    assert (tile_rows != 0 && {24'd0, tile_rows} <= 2 * ROWS)
    else $fatal(1, "a slot of %0d rows; an array of %0d", tile_rows, 2 * ROWS);
  end
`endif
endmodule
