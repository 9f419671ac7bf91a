// The tiles of one attention command: scores S_u and contexts C_u of all query blocks u of all heads, in the order
// S₀ S₁ S₂ C₀ S₃ C₁ …, so that the softmax of a block runs while the array works on others.
//
// S_u: weights are queries (row tiles of 2·ROWS queries of the block), inputs are keys (tiles of TOKENS keys). C_u: weights
// are values (channel tiles of 2·ROWS channels), inputs are probabilities of the block's ≤ TOKENS queries. Each C_u waits
// for `block_ready`. The probabilities of u lie in slot u mod 3: those of u + 3 are made after C_u was issued.
//
// Addresses are sums of strides, so nothing is multiplied: row tile j of a head's queries, counted over its blocks, at
// ⌊j/QUERY_TILES⌋·stride + head·S_h, part j mod QUERY_TILES; a key word at word·stride + head·S_h; a channel tile at
// (head·tiles + tile)·key_steps.
module quasar_attention_walk #(
  parameter integer ROWS = 2,
  parameter integer TOKENS = 9,
  parameter integer DRAIN = 3,
  parameter integer SOFTMAX = 3,
  parameter integer HAS_BLOCKS = 0,
  parameter integer QUERY_TILES = 1,      // row tiles in one word of the query memory
  parameter integer RING_BITS = 3,        // row pairs in the score ring: 2^RING_BITS
  parameter integer ADDRESS_BITS = 16,
  parameter integer BEAT_BITS = 12
) (
  input  logic                    clk,
  input  logic                    reset,
  input  logic                    start,  // fields of the command hold still from here to the end
  input  logic [7:0]              heads,
  input  logic [15:0]             blocks,            // ⌈T/TOKENS⌉: query blocks and key tiles of a head
  input  logic [15:0]             head_steps,        // S_h
  input  logic [15:0]             stride,            // heads·S_h
  input  logic [15:0]             key_steps,         // ⌈T/INPUTS⌉
  input  logic [15:0]             head_channels,     // d_h
  input  logic [15:0]             channel_tiles,     // ⌈d_h/(2·ROWS)⌉
  input  logic [7:0]              last_tokens,       // tokens of a head's last block
  input  logic [7:0]              last_groups,       // ⌈last_tokens/DRAIN⌉
  input  logic [7:0]              last_key_groups,   // ⌈last_tokens/SOFTMAX⌉
  input  logic [7:0]              last_row_tiles,    // ⌈last_tokens/(2·ROWS)⌉
  input  logic [7:0]              last_channels,     // channels of a head's last channel tile
  input  logic                    block_ready,
  input  logic                    taken,
  output logic                    active,
  output logic                    ready,
  output logic                    is_context,
  output logic [15:0]             steps,
  output logic [7:0]              tile_rows,
  output logic [7:0]              tile_tokens,
  output logic [BEAT_BITS-1:0]    beats,
  output logic [ADDRESS_BITS-1:0] weight_base,
  output logic [7:0]              query_select,      // place of the row tile in its word of the query memory
  output logic [ADDRESS_BITS-1:0] input_base,        // scores: of the keys
  output logic [7:0]              word,              // scores: of the keys; contexts: of the queries
  output logic                    half,
  output logic [1:0]              block_slot,
  output logic [7:0]              first_query,       // scores: index in the block of the tile's first query
  output logic                    ends_block,        // scores: the last row tile of the block
  output logic                    ends_rows,         // scores: the last key tile
  output logic [15:0]             first_key,         // scores: first key of the tile in chunks of SOFTMAX
  output logic [RING_BITS-1:0]    pair_slot,         // scores: place of the tile's first row pair in the ring
  output logic [15:0]             channel            // contexts: first output channel
);
  localparam integer TILE_ROWS = 2 * ROWS;
  localparam integer FULL_TILES = (TOKENS + TILE_ROWS - 1) / TILE_ROWS;
  localparam integer DRAIN_GROUPS = TOKENS / DRAIN;
  localparam integer SOFTMAX_GROUPS = TOKENS / SOFTMAX;
  localparam integer LAST_SELECT = QUERY_TILES - 1;
  localparam [7:0] ROW_TILES = FULL_TILES[7:0];
  localparam [7:0] WHOLE = TOKENS[7:0];
  localparam [7:0] GROUPS = DRAIN_GROUPS[7:0];
  localparam [7:0] KEY_GROUPS = SOFTMAX_GROUPS[7:0];
  localparam [7:0] ROWS_8 = TILE_ROWS[7:0];
  localparam [7:0] SELECTS = LAST_SELECT[7:0];

  // Scores: block, row tile and key tile that are next.
  logic [7:0] score_heads_left, row_tile, score_tokens, key_tokens, queries_left, row_tiles;
  logic [15:0] score_block, key_tile;
  logic [ADDRESS_BITS-1:0] query_base, query_head, key_base, key_head;
  logic [7:0] key_word, select, query;
  logic [15:0] key_chunk;
  logic key_half, last_key_tile, last_row_tile, last_score_block;
  logic [1:0] score_slot, lead;
  logic [RING_BITS-1:0] pair;
  // Contexts: block and channel tile that are next.
  logic [7:0] context_heads_left, context_tokens, context_word;
  logic [15:0] context_block, channel_tile, context_channel, channel_head;
  logic [ADDRESS_BITS-1:0] value_base, value_head;
  logic context_half, last_channel_tile, last_context_block;
  logic [1:0] context_slot;
  logic [7:0] blocks_ready;

  assign last_score_block = score_block == blocks - 16'd1;
  assign last_context_block = context_block == blocks - 16'd1;
  assign last_key_tile = key_tile == blocks - 16'd1;
  assign last_channel_tile = channel_tile == channel_tiles - 16'd1;
  assign score_tokens = last_score_block ? last_tokens : WHOLE;
  assign row_tiles = last_score_block ? last_row_tiles : ROW_TILES;
  assign last_row_tile = row_tile == row_tiles - 8'd1;
  assign key_tokens = last_key_tile ? last_tokens : WHOLE;
  assign context_tokens = last_context_block ? last_tokens : WHOLE;
  assign queries_left = score_tokens - query;

  logic [7:0] score_rows, context_rows, pairs, groups;
  assign score_rows = last_row_tile ? queries_left : ROWS_8;
  assign context_rows = last_channel_tile ? last_channels : ROWS_8;
  assign pairs = (score_rows + 8'd1) >> 1;
  assign groups = is_context ? (last_context_block ? last_groups : GROUPS) : last_key_tile ? last_key_groups : KEY_GROUPS;

  assign ready = active & (~is_context | blocks_ready != 8'd0);
  assign steps = is_context ? key_steps : head_steps;
  assign tile_rows = is_context ? context_rows : score_rows;
  assign tile_tokens = is_context ? context_tokens : key_tokens;
  assign beats = {{(BEAT_BITS-8){1'b0}}, is_context ? context_rows : pairs} * {{(BEAT_BITS-8){1'b0}}, groups};
  assign weight_base = is_context ? value_base : query_base;
  assign query_select = select;
  assign input_base = key_base;
  assign word = is_context ? context_word : key_word;
  assign half = is_context ? context_half : key_half;
  assign block_slot = is_context ? context_slot : score_slot;
  assign first_query = query;
  assign ends_block = last_row_tile;
  assign ends_rows = last_key_tile;
  assign first_key = key_chunk;
  assign pair_slot = pair;
  assign channel = context_channel;

  // What follows the last tile of a block.
  logic score_ends, context_ends, scores_remain, contexts_remain;
  assign score_ends = taken & ~is_context & last_key_tile & last_row_tile;
  assign context_ends = taken & is_context & last_channel_tile;
  assign scores_remain = score_heads_left != 8'd0;
  assign contexts_remain = ~(context_heads_left == 8'd1 & last_context_block);

  always_ff @(posedge clk) begin
    if (reset) begin
      active <= 1'b0;
    end else if (start) begin
      active <= heads != 8'd0;
      is_context <= 1'b0;
      lead <= 2'd0;
    end else if (score_ends) begin
      lead <= lead + 2'd1;
      is_context <= lead == 2'd2 | (score_heads_left == 8'd1 & last_score_block);
    end else if (context_ends) begin
      lead <= lead - 2'd1;
      is_context <= ~scores_remain;
      active <= contexts_remain;
    end
    if (reset || start) blocks_ready <= 8'd0;
    else blocks_ready <= blocks_ready + {7'd0, block_ready} - {7'd0, context_ends};
  end

  // The next tile of scores: key tiles, then row tiles, then blocks, then heads.
  logic score_taken;
  assign score_taken = taken & ~is_context;
  always_ff @(posedge clk) begin
    if (start) begin
      score_heads_left <= heads;
      score_slot <= 2'd0;
      pair <= {RING_BITS{1'b0}};
    end else if (score_ends) begin
      if (last_score_block) score_heads_left <= score_heads_left - 8'd1;
      score_slot <= score_slot == 2'd2 ? 2'd0 : score_slot + 2'd1;
    end
    if (start || (score_ends && last_score_block)) score_block <= 16'd0;
    else if (score_ends) score_block <= score_block + 16'd1;
    if (score_taken && last_key_tile) pair <= pair + pairs[RING_BITS-1:0];

    if (start || score_ends) begin
      row_tile <= 8'd0;
      query <= 8'd0;
    end else if (score_taken && last_key_tile) begin
      row_tile <= row_tile + 8'd1;
      query <= query + ROWS_8;
    end
    if (start || (score_ends && last_score_block)) select <= 8'd0;
    else if (score_taken && last_key_tile) select <= select == SELECTS ? 8'd0 : select + 8'd1;
    if (start) begin
      query_head <= {ADDRESS_BITS{1'b0}};
      query_base <= {ADDRESS_BITS{1'b0}};
    end else if (score_ends && last_score_block) begin
      query_head <= query_head + head_steps[ADDRESS_BITS-1:0];
      query_base <= query_head + head_steps[ADDRESS_BITS-1:0];
    end else if (score_taken && last_key_tile && select == SELECTS) begin
      query_base <= query_base + stride[ADDRESS_BITS-1:0];
    end

    if (start) key_head <= {ADDRESS_BITS{1'b0}};
    else if (score_ends && last_score_block) key_head <= key_head + head_steps[ADDRESS_BITS-1:0];
    if (start || (score_taken && last_key_tile)) begin
      key_tile <= 16'd0;
      key_word <= 8'd0;
      key_half <= 1'b0;
      key_chunk <= 16'd0;
      key_base <= start ? {ADDRESS_BITS{1'b0}}
        : score_ends & last_score_block ? key_head + head_steps[ADDRESS_BITS-1:0] : key_head;
    end else if (score_taken) begin
      key_tile <= key_tile + 16'd1;
      key_chunk <= key_chunk + {8'd0, KEY_GROUPS};
      if (HAS_BLOCKS == 0 || key_half) begin
        key_word <= key_word + 8'd1;
        key_half <= 1'b0;
        key_base <= key_base + stride[ADDRESS_BITS-1:0];
      end else key_half <= 1'b1;
    end
  end

  // The next tile of contexts: channel tiles, then blocks, then heads.
  logic context_taken;
  assign context_taken = taken & is_context;
  always_ff @(posedge clk) begin
    if (start) begin
      context_heads_left <= heads;
      context_slot <= 2'd0;
    end else if (context_ends) begin
      if (last_context_block) context_heads_left <= context_heads_left - 8'd1;
      context_slot <= context_slot == 2'd2 ? 2'd0 : context_slot + 2'd1;
    end
    if (start || (context_ends && last_context_block)) begin
      context_block <= 16'd0;
      context_word <= 8'd0;
      context_half <= 1'b0;
    end else if (context_ends) begin
      context_block <= context_block + 16'd1;
      context_half <= HAS_BLOCKS != 0 && !context_half;
      if (HAS_BLOCKS == 0 || context_half) context_word <= context_word + 8'd1;
    end
    if (start || context_ends) channel_tile <= 16'd0;
    else if (context_taken) channel_tile <= channel_tile + 16'd1;

    if (start) begin
      value_head <= {ADDRESS_BITS{1'b0}};
      value_base <= {ADDRESS_BITS{1'b0}};
      channel_head <= 16'd0;
      context_channel <= 16'd0;
    end else if (context_ends) begin
      if (last_context_block) begin
        value_head <= value_base + key_steps[ADDRESS_BITS-1:0];
        channel_head <= channel_head + head_channels;
      end
      value_base <= last_context_block ? value_base + key_steps[ADDRESS_BITS-1:0] : value_head;
      context_channel <= last_context_block ? channel_head + head_channels : channel_head;
    end else if (context_taken) begin
      value_base <= value_base + key_steps[ADDRESS_BITS-1:0];
      context_channel <= context_channel + {8'd0, ROWS_8};
    end
  end
endmodule
