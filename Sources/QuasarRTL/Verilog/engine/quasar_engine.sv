// A whole engine behind a stream: programs and images come in word by word, logits go out.
//
// The stream (quasar_program_pkg) is one linear list: commands, weights, parameters, tables, pixels. The dispatcher puts
// everything where it is used; the sequencer walks through the commands. Everything between is scheduled statically:
//
//   stream → dispatcher → tile slots, LayerNorm parameters, tables, residual memory (embedding codes), H (pixels)
//   X, H, P → edge → array → drain → requantiser lanes → router → X, H, Q, V, residual memory, logits
//     slots, Q, V ↗                ↘ scores → softmax → P       ↘ sums of contexts → context lanes → router → X
//   residual memory → LayerNorm → X
//
// Cycles. a: address of a step at the memories. Its operands are at the edge in a + 2; its sums in the hold registers in
// h = a + 2 + ARRAY_CYCLES; beat n of its tile at the drain's outputs in h + n + 1. The lanes take it there and give their result
// LANES cycles later; contexts wait a cycle for their inverses first.
module quasar_engine #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer ROWS = 2,
  parameter integer INPUTS = 8,
  parameter integer TOKENS = 9,
  parameter integer CASCADE = 4,
  parameter integer PAIR_PITCH = 18,
  parameter integer BLOCK_PITCH = 0,
  parameter integer BROADCAST = 1,
  parameter integer SUM_BITS = 24,       // of the array
  parameter integer LANE_SUM_BITS = 27,  // of sums with their bias
  parameter integer DRAIN = 3,
  parameter integer SOFTMAX = 3,
  parameter integer NORM = 4,
  parameter integer ACTIVATION_BITS = 8,
  parameter integer STREAM_BITS = 64,
  parameter integer MAX_TOKENS = 50,
  parameter integer MAX_WIDTH = 64,
  parameter integer MAX_INPUTS = 64,     // of a layer that reads X
  parameter integer MAX_HIDDEN = 128,    // of a layer that reads H
  parameter integer MAX_HEADS = 4,
  parameter integer MAX_ATTENTION = 64,  // padded channels of q, k or v over all heads
  parameter integer BEHAVIOURAL = 0
) (
  input  logic                   clk,
  input  logic                   reset,
  input  logic [31:0]            config_hash,
  input  logic                   stream_valid,
  output logic                   stream_ready,
  input  logic [STREAM_BITS-1:0] stream_data,
  input  logic                   stream_last,      // last word of an image's stream
  output logic                   logit_valid,
  output logic [15:0]            logit_index,
  output logic [31:0]            logit,
  output logic                   image_done,       // all logits of an image were given out
  output logic                   record_enters,
  output logic                   command_complete,
  output logic                   error,
  output logic [3:0]             error_code,
  output logic [31:0]            error_record
);
  localparam integer HAS_BLOCKS = BLOCK_PITCH != 0 ? 1 : 0;
  localparam integer TILE = 2 * ROWS;
  localparam integer WORD_TOKENS = TOKENS * (1 + HAS_BLOCKS);
  localparam integer ARRAY_CYCLES = BROADCAST + CASCADE + 6 + $clog2(INPUTS / CASCADE);
  localparam integer PRE_ADDER_BITS = GENERATION == quasar_pkg::GENERATION_DSP48E2
    ? quasar_pkg::DSP48E2_PRE_ADDER_BITS : quasar_pkg::DSP48E1_PRE_ADDER_BITS;
  localparam integer LANES = quasar_pkg::LANE_CYCLES
    + (LANE_SUM_BITS <= PRE_ADDER_BITS ? 0 : quasar_pkg::SECOND_DSP_CYCLES);
  localparam integer CONTEXT = quasar_pkg::CONTEXT_CYCLES + 1;

  localparam integer WORDS = (MAX_TOKENS + WORD_TOKENS - 1) / WORD_TOKENS;
  localparam integer BLOCKS = (MAX_TOKENS + TOKENS - 1) / TOKENS;
  localparam integer KEY_STEPS = (MAX_TOKENS + INPUTS - 1) / INPUTS;
  localparam integer X_STEPS = (MAX_INPUTS + INPUTS - 1) / INPUTS;
  localparam integer HIDDEN_STEPS = (MAX_HIDDEN + INPUTS - 1) / INPUTS;
  localparam integer HEAD_STEPS = (MAX_ATTENTION + INPUTS - 1) / INPUTS;
  localparam integer H_STEPS = HIDDEN_STEPS > HEAD_STEPS ? HIDDEN_STEPS : HEAD_STEPS;
  localparam integer MAX_STEPS = X_STEPS > HIDDEN_STEPS ? X_STEPS : HIDDEN_STEPS;
  localparam integer QUERY_TILES = 1 << (DRAIN > TILE ? $clog2(DRAIN) - $clog2(TILE) : 0);
  localparam integer QUERY_ROWS = (BLOCKS * ((TOKENS + TILE - 1) / TILE) + QUERY_TILES - 1) / QUERY_TILES;
  localparam integer X_DEPTH = WORDS * X_STEPS;
  localparam integer H_DEPTH = WORDS * H_STEPS;
  localparam integer Q_DEPTH = QUERY_ROWS * HEAD_STEPS;
  localparam integer V_DEPTH = (MAX_ATTENTION / TILE + MAX_HEADS) * KEY_STEPS;
  localparam integer X_BITS = X_DEPTH > 1 ? $clog2(X_DEPTH) : 1;
  localparam integer H_BITS = H_DEPTH > 1 ? $clog2(H_DEPTH) : 1;
  localparam integer Q_BITS = Q_DEPTH > 1 ? $clog2(Q_DEPTH) : 1;
  localparam integer V_BITS = V_DEPTH > 1 ? $clog2(V_DEPTH) : 1;
  localparam integer PAIR_BITS = $clog2(2 * ROWS + 1);
  localparam integer ADDRESS_BITS = 16;

  // Commands, tile slots, parameters: what the dispatcher hands out.
  localparam integer ROW_LANES = STREAM_BITS / 64;
  localparam integer ROW_GROUPS = (TILE + ROW_LANES - 1) / ROW_LANES;
  localparam integer ROW_GROUP_BITS = ROW_GROUPS > 1 ? $clog2(ROW_GROUPS) : 1;
  localparam integer WEIGHT_WORDS = (TILE * INPUTS * MAX_STEPS + 63) / 64 * (512 / STREAM_BITS);
  localparam integer WEIGHT_INDEX_BITS = WEIGHT_WORDS > 1 ? $clog2(WEIGHT_WORDS) : 1;
  localparam integer CHANNEL_INDEX_BITS = $clog2(MAX_WIDTH);
  logic command_valid, command_ready, tile_free, tile_reserve, row_write, weight_write, tile_end, tile_is_block, tile_commit;
  logic [quasar_command_pkg::COMMAND_BITS-1:0] command;
  logic [ROW_GROUP_BITS-1:0] row_group;
  logic [ROW_LANES*72-1:0] row_entries;
  logic [WEIGHT_INDEX_BITS-1:0] weight_index;
  logic [STREAM_BITS-1:0] weight_word;
  logic [15:0] end_rows, end_steps;
  logic norm_write, channel_write, gelu_write, exponent_write, embedding_write, pixel_valid, pixel_ready, pixel_half;
  logic [quasar_pkg::EPSILON_BITS-1:0] norm_epsilon;
  logic [7:0] norm_low, norm_high, table_address, pixel_group, pixel_count;
  logic [CHANNEL_INDEX_BITS-1:0] channel_index;
  quasar_channel_t channel;
  logic [15:0] table_value, embedding_token, embedding_channel, embedding_width, pixel_channel, pixel_channels, pixel_word;
  logic [NORM*16-1:0] embedding_values;
  logic [DRAIN*8-1:0] pixel_codes;
  quasar_dispatcher #(
    .STREAM_BITS(STREAM_BITS), .ROWS(ROWS), .INPUTS(INPUTS), .TOKENS(TOKENS), .BLOCK_PITCH(BLOCK_PITCH), .DRAIN(DRAIN),
    .NORM(NORM), .MAX_STEPS(MAX_STEPS), .MAX_WIDTH(MAX_WIDTH), .MAX_TOKENS(MAX_TOKENS)
  ) dispatcher (
    .clk(clk), .reset(reset), .config_hash(config_hash), .stream_valid(stream_valid), .stream_ready(stream_ready),
    .stream_data(stream_data), .stream_last(stream_last), .record_enters(record_enters), .command_valid(command_valid),
    .command_ready(command_ready), .command(command), .command_done(command_complete), .tile_free(tile_free),
    .tile_reserve(tile_reserve), .row_write(row_write), .row_group(row_group), .row_entries(row_entries),
    .weight_write(weight_write), .weight_index(weight_index), .weight_word(weight_word), .tile_end(tile_end),
    .tile_rows(end_rows), .tile_steps(end_steps), .tile_block(tile_is_block), .tile_commit(tile_commit),
    .norm_write(norm_write), .norm_epsilon(norm_epsilon), .norm_low(norm_low), .norm_high(norm_high),
    .channel_write(channel_write), .channel_index(channel_index), .channel(channel), .gelu_write(gelu_write),
    .exponent_write(exponent_write), .table_address(table_address), .table_value(table_value),
    .embedding_write(embedding_write), .embedding_token(embedding_token), .embedding_channel(embedding_channel),
    .embedding_width(embedding_width),
    .embedding_values(embedding_values), .pixel_valid(pixel_valid), .pixel_ready(pixel_ready),
    .pixel_codes(pixel_codes), .pixel_channel(pixel_channel), .pixel_channels(pixel_channels), .pixel_word(pixel_word), .pixel_half(pixel_half),
    .pixel_group(pixel_group), .pixel_count(pixel_count), .error(error), .error_code(error_code),
    .error_record(error_record));

  // Steps, and the records of their tiles.
  quasar_command_t current;
  logic [1:0] slot_full, slot_is_block;
  logic [31:0] slot_rows, slot_steps;
  logic step_valid, step_first, step_last, step_is_block, step_half, step_is_scores, step_is_context, step_slot;
  logic [15:0] step;
  logic [ADDRESS_BITS-1:0] input_address, weight_address;
  logic [7:0] query_select, tile_rows, tile_tokens;
  quasar_tile_t tile;
  logic slot_release, block_ready, norm_start, norm_done, finish_start, finish_done;
  quasar_sequencer #(
    .ROWS(ROWS), .TOKENS(TOKENS), .DRAIN(DRAIN), .SOFTMAX(SOFTMAX), .HAS_BLOCKS(HAS_BLOCKS), .QUERY_TILES(QUERY_TILES),
    .RING_BITS(PAIR_BITS), .GEMM_TAIL(3 + ARRAY_CYCLES + LANES + 2),
    .ATTENTION_TAIL(3 + ARRAY_CYCLES + CONTEXT + 2), .ADDRESS_BITS(ADDRESS_BITS)
  ) sequencer (
    .clk(clk), .reset(reset), .command_valid(command_valid), .command_ready(command_ready), .command(command),
    .complete(command_complete), .current(current), .slot_full(slot_full), .slot_release(slot_release),
    .slot_is_block(slot_is_block), .slot_rows({slot_rows[23:16], slot_rows[7:0]}), .step_valid(step_valid),
    .step_first(step_first), .step_last(step_last), .step_is_block(step_is_block), .step_half(step_half),
    .step_is_scores(step_is_scores), .step_is_context(step_is_context), .step_slot(step_slot), .step(step),
    .input_address(input_address), .weight_address(weight_address), .query_select(query_select),
    .tile_rows(tile_rows), .tile_tokens(tile_tokens), .tile(tile), .block_ready(block_ready), .norm_start(norm_start),
    .norm_done(norm_done), .finish_start(finish_start), .finish_done(finish_done));
  // The logits of an image have left when its last command runs.
  assign finish_done = 1'b1;
  assign image_done = finish_start;

  // Memories and edge.
  logic is_x;
  assign is_x = ~step_is_scores & ~step_is_context & ~current.flags[1];
  logic x_write, h_write, norm_x_write;
  logic [(INPUTS > TILE ? INPUTS : TILE)-1:0] columns;
  logic [WORD_TOKENS-1:0] operand_bytes;
  logic [WORD_TOKENS*8-1:0] operand_word;
  logic [ADDRESS_BITS-1:0] address, far_address;
  localparam integer WINDOW = 1 << $clog2(DRAIN);
  localparam integer QUERY_COLUMNS = WINDOW > TILE ? WINDOW : TILE;
  logic [QUERY_COLUMNS-1:0] query_columns, query_far;
  logic [INPUTS-1:0] value_columns, value_far;
  logic [WINDOW*8-1:0] window_codes;
  localparam integer COLUMN_BITS = INPUTS > 1 ? $clog2(INPUTS) : 1;
  localparam integer BYTE_BITS = WORD_TOKENS > 1 ? $clog2(WORD_TOKENS) : 1;
  logic [COLUMN_BITS-1:0] norm_x_column;
  logic [X_BITS-1:0] norm_x_address;
  logic [BYTE_BITS-1:0] norm_x_byte;
  logic [NORM*8-1:0] norm_x_codes;
  logic [INPUTS*WORD_TOKENS*8-1:0] x_words, h_words, p_wide;
  logic [INPUTS*TOKENS*8-1:0] p_words;
  logic [INPUTS*TILE*8-1:0] slot_weights, query_weights, value_weights;
  quasar_operand_memory #(.INPUTS(INPUTS), .WORD_TOKENS(WORD_TOKENS), .NORM(NORM), .DEPTH(X_DEPTH)) x_memory (
    .clk(clk), .reset(reset), .write(x_write), .write_columns(columns[INPUTS-1:0]), .write_address(address[X_BITS-1:0]),
    .write_bytes(operand_bytes), .write_word(operand_word), .norm_write(norm_x_write), .norm_column(norm_x_column),
    .norm_address(norm_x_address), .norm_byte(norm_x_byte), .norm_codes(norm_x_codes),
    .read_address(input_address[X_BITS-1:0]), .read_words(x_words));
  quasar_operand_memory #(.INPUTS(INPUTS), .WORD_TOKENS(WORD_TOKENS), .NORM(NORM), .DEPTH(H_DEPTH)) h_memory (
    .clk(clk), .reset(reset), .write(h_write), .write_columns(columns[INPUTS-1:0]), .write_address(address[H_BITS-1:0]),
    .write_bytes(operand_bytes), .write_word(operand_word), .norm_write(1'b0), .norm_column({COLUMN_BITS{1'b0}}),
    .norm_address({H_BITS{1'b0}}), .norm_byte({BYTE_BITS{1'b0}}), .norm_codes({(NORM*8){1'b0}}),
    .read_address(input_address[H_BITS-1:0]), .read_words(h_words));
  // Keys in a step of a context: all but in the last one.
  localparam integer KEYS_BITS = $clog2(INPUTS + 1);
  localparam integer LAST_INPUT = INPUTS - 1;
  localparam [KEYS_BITS-1:0] ALL_KEYS = INPUTS[KEYS_BITS-1:0];
  logic [15:0] last_token;
  logic [KEYS_BITS-1:0] read_keys;
  assign last_token = current.tokens - 16'd1;
  assign read_keys = step == current.key_steps - 16'd1
    ? (last_token[KEYS_BITS-1:0] & LAST_INPUT[KEYS_BITS-1:0]) + {{(KEYS_BITS-1){1'b0}}, 1'b1} : ALL_KEYS;
  localparam integer PART_BITS = QUERY_TILES > 1 ? $clog2(QUERY_TILES) : 1;
  quasar_query_memory #(.ROWS(ROWS), .INPUTS(INPUTS), .DRAIN(DRAIN), .DEPTH(Q_DEPTH)) query_memory (
    .clk(clk), .reset(reset), .write_columns(query_columns), .write_far(query_far),
    .write_address(address[Q_BITS-1:0]), .write_far_address(far_address[Q_BITS-1:0]),
    .write_bytes(columns[INPUTS-1:0]), .write_codes(window_codes), .read_address(weight_address[Q_BITS-1:0]),
    .read_part(query_select[PART_BITS-1:0]), .read_weights(query_weights));
  quasar_value_memory #(.ROWS(ROWS), .INPUTS(INPUTS), .DRAIN(DRAIN), .DEPTH(V_DEPTH)) value_memory (
    .clk(clk), .reset(reset), .write_columns(value_columns), .write_far(value_far),
    .write_address(address[V_BITS-1:0]), .write_far_address(far_address[V_BITS-1:0]),
    .write_bytes(columns[TILE-1:0]), .write_codes(window_codes), .read_address(weight_address[V_BITS-1:0]),
    .read_keys(read_keys), .read_weights(value_weights));
  generate
    for (genvar k = 0; k < INPUTS; k = k + 1) begin : gen_wide
      if (HAS_BLOCKS != 0) begin : gen_upper
        assign p_wide[k*WORD_TOKENS*8 +: WORD_TOKENS*8] = {{(TOKENS*8){1'b0}}, p_words[k*TOKENS*8 +: TOKENS*8]};
      end else begin : gen_same
        assign p_wide[k*WORD_TOKENS*8 +: WORD_TOKENS*8] = p_words[k*TOKENS*8 +: TOKENS*8];
      end
    end
  endgenerate

  logic edge_valid, edge_first, edge_last, edge_block, edge_half, edge_scores, edge_context, edge_x;
  quasar_delay #(.BITS(1), .CYCLES(2), .CLEARED(1)) valid_line (.clk(clk), .reset(reset), .in(step_valid), .out(edge_valid));
  quasar_delay #(.BITS(7), .CYCLES(2), .CLEARED(0)) step_line (
    .clk(clk), .reset(reset), .in({step_first, step_last, step_is_block, step_half, step_is_scores, step_is_context, is_x}),
    .out({edge_first, edge_last, edge_block, edge_half, edge_scores, edge_context, edge_x}));
  logic packed_valid, packed_first, packed_last, packed_block, sums_valid;
  logic [ROWS*INPUTS*quasar_pkg::DSP_A_BITS-1:0] a, d;
  logic [TOKENS*INPUTS*quasar_pkg::DSP_B_BITS-1:0] b;
  logic [TILE*WORD_TOKENS*SUM_BITS-1:0] sums;
  quasar_edge #(
    .GENERATION(GENERATION), .ROWS(ROWS), .INPUTS(INPUTS), .TOKENS(TOKENS), .CASCADE(CASCADE), .PAIR_PITCH(PAIR_PITCH),
    .BLOCK_PITCH(BLOCK_PITCH)
  ) operand_edge (
    .clk(clk), .reset(reset), .in_valid(edge_valid), .in_first(edge_first), .in_last(edge_last), .in_block(edge_block),
    .half(edge_half), .unsigned_inputs(edge_context),
    .weights(edge_scores ? query_weights : edge_context ? value_weights : slot_weights),
    .inputs(edge_context ? p_wide : edge_x ? x_words : h_words), .out_valid(packed_valid), .out_first(packed_first),
    .out_last(packed_last), .out_block(packed_block), .a(a), .d(d), .b(b));
  quasar_array #(
    .GENERATION(GENERATION), .ROWS(ROWS), .INPUTS(INPUTS), .TOKENS(TOKENS), .CASCADE(CASCADE), .PAIR_PITCH(PAIR_PITCH),
    .BLOCK_PITCH(BLOCK_PITCH), .BROADCAST(BROADCAST), .SUM_BITS(SUM_BITS), .BEHAVIOURAL(BEHAVIOURAL)
  ) dsp_array (
    .clk(clk), .reset(reset), .in_valid(packed_valid), .in_first(packed_first), .in_last(packed_last),
    .in_block(packed_block), .a(a), .d(d), .b(b), .sums_valid(sums_valid), .sums(sums));

  // The record of a tile reaches the drain with its sums.
  localparam integer RECORD_BITS = 16 + quasar_command_pkg::TILE_BITS;
  logic [RECORD_BITS-1:0] record;
  logic [7:0] drain_rows, drain_tokens;
  quasar_tile_t drain_tile;
  quasar_delay #(.BITS(RECORD_BITS), .CYCLES(1 + ARRAY_CYCLES), .CLEARED(0)) record_line (
    .clk(clk), .reset(reset), .in({tile_rows, tile_tokens, tile}), .out(record));
  assign {drain_rows, drain_tokens, drain_tile} = record;

  localparam integer ROW_BITS = $clog2(TILE);
  localparam integer TOKEN_BITS = $clog2(WORD_TOKENS + 1);
  localparam integer MOST_GROUPS = WORD_TOKENS / DRAIN > TOKENS / SOFTMAX ? WORD_TOKENS / DRAIN : TOKENS / SOFTMAX;
  localparam integer DRAIN_GROUP_BITS = MOST_GROUPS > 1 ? $clog2(MOST_GROUPS) : 1;
  localparam integer DRAIN_COUNT_BITS = $clog2((DRAIN > SOFTMAX ? DRAIN : SOFTMAX) + 1);
  logic row_read, tile_ends, beat_valid, beat_first, beat_last, beat_ends_row, beat_has_second, beat_is_scores;
  logic [ROW_BITS-1:0] row_address, beat_row;
  logic [DRAIN_GROUP_BITS-1:0] beat_group;
  logic [DRAIN_COUNT_BITS-1:0] beat_count;
  logic [quasar_command_pkg::TILE_BITS-1:0] beat_tag;
  quasar_tile_t beat_tile;
  logic [DRAIN*SUM_BITS-1:0] beat_sums;
  logic [2*SOFTMAX*SUM_BITS-1:0] score_sums;
  quasar_drain #(
    .ROWS(ROWS), .TOKENS(TOKENS), .BLOCK_PITCH(BLOCK_PITCH), .SUM_BITS(SUM_BITS), .DRAIN(DRAIN), .SOFTMAX(SOFTMAX),
    .TAG_BITS(quasar_command_pkg::TILE_BITS)
  ) drain (
    .clk(clk), .reset(reset), .sums_valid(sums_valid), .sums(sums), .is_scores(drain_tile.is_scores),
    .rows(drain_rows[ROW_BITS:0]), .tokens(drain_tokens[TOKEN_BITS-1:0]), .tag(drain_tile), .row_read(row_read),
    .row_address(row_address), .tile_ends(tile_ends), .beat_valid(beat_valid), .beat_first(beat_first),
    .beat_last(beat_last), .beat_ends_row(beat_ends_row), .beat_has_second(beat_has_second),
    .beat_is_scores(beat_is_scores), .beat_row(beat_row), .beat_group(beat_group), .beat_count(beat_count),
    .beat_tag(beat_tag), .beat_sums(beat_sums), .beat_score_sums(score_sums));
  assign beat_tile = beat_tag;

  // Rows of the tile that is drained; its slot is left with the last row of the last token tile.
  logic drained_slot, drained_is_gemm, drained_ends_slot;
  logic [71:0] entry;
  always_ff @(posedge clk) if (sums_valid) begin
    drained_slot <= drain_tile.slot;
    drained_is_gemm <= ~drain_tile.is_scores & ~drain_tile.is_context;
    drained_ends_slot <= drain_tile.ends_slot;
  end
  assign slot_release = tile_ends & drained_ends_slot;
  localparam integer STEP_BITS = MAX_STEPS > 1 ? $clog2(MAX_STEPS) : 1;
  quasar_tile_slots #(.STREAM_BITS(STREAM_BITS), .ROWS(ROWS), .INPUTS(INPUTS), .MAX_STEPS(MAX_STEPS)) slots (
    .clk(clk), .reset(reset), .free(tile_free), .reserve(tile_reserve), .row_write(row_write), .row_group(row_group),
    .row_entries(row_entries), .weight_write(weight_write), .weight_index(weight_index), .weight_word(weight_word),
    .end_tile(tile_end), .end_rows(end_rows), .end_steps(end_steps), .end_block(tile_is_block), .commit(tile_commit),
    .full(slot_full), .tile_rows(slot_rows), .tile_steps(slot_steps), .tile_block(slot_is_block),
    .release_tile(slot_release), .read_valid(step_valid & ~step_is_scores & ~step_is_context), .read_slot(step_slot),
    .read_step(step[STEP_BITS-1:0]), .read_block(step_is_block), .weights(slot_weights),
    .row_valid(row_read & drained_is_gemm), .row_slot(drained_slot), .read_row(row_address), .entry(entry));

  // Requantiser lanes.
  logic lane_valid, context_beat;
  quasar_row_t row;
  quasar_destination_t row_destination, context_destination;
  logic [DRAIN*LANE_SUM_BITS-1:0] lane_sums;
  logic [DRAIN*16-1:0] residual_values, residual_sums;
  logic [DRAIN*8-1:0] lane_codes;
  logic [31:0] lane_logit;
  logic unused_lane_valid;
  assign lane_valid = beat_valid & ~beat_is_scores & ~beat_tile.is_context;
  assign context_beat = beat_valid & beat_tile.is_context;
  assign row = {entry[30:0], entry[47:31], entry[53:48]};
  assign row_destination = {entry[71:70], entry[69:64], entry[63:54]};
  generate
    for (genvar i = 0; i < DRAIN; i = i + 1) begin : gen_sum
      assign lane_sums[i*LANE_SUM_BITS +: LANE_SUM_BITS] = {
        {(LANE_SUM_BITS - SUM_BITS){beat_sums[(i+1)*SUM_BITS-1]}}, beat_sums[i*SUM_BITS +: SUM_BITS]};
    end
  endgenerate
  quasar_lanes #(.GENERATION(GENERATION), .SUM_BITS(LANE_SUM_BITS), .LANES(DRAIN)) lanes (
    .clk(clk), .reset(reset), .in_valid(lane_valid), .form(current.form[1:0]), .acc(lane_sums), .row(row),
    .low(current.low[8:0]), .high(current.high[8:0]), .offset_codes(current.flags[0]),
    .code_bits(current.code_bits[3:0]), .residual(residual_values), .table_write(gelu_write),
    .table_address(table_address), .table_data(table_value[7:0]), .out_valid(unused_lane_valid), .codes(lane_codes),
    .wide(residual_sums), .logit(lane_logit));

  // Softmax, and the lanes of its contexts one cycle behind the drain.
  localparam integer CHUNKS = (MAX_TOKENS + SOFTMAX - 1) / SOFTMAX;
  localparam integer CHUNK_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1;
  localparam integer CHUNK_COUNT_BITS = $clog2(CHUNKS + 1);
  localparam integer QUERY_BITS = TOKENS > 1 ? $clog2(TOKENS) : 1;
  localparam integer LANE_BITS = $clog2(SOFTMAX + 1);
  localparam integer CONTEXT_GROUP_BITS = TOKENS > DRAIN ? $clog2(TOKENS / DRAIN) : 1;
  localparam integer KEY_STEP_BITS = KEY_STEPS > 1 ? $clog2(KEY_STEPS) : 1;
  logic p_write, p_second, context_valid, unused_context_valid;
  logic [1:0] p_slot, unused_block_slot;
  logic [QUERY_BITS-1:0] p_query;
  logic [CHUNK_BITS-1:0] p_chunk;
  logic [2*SOFTMAX*8-1:0] p_codes;
  logic [DRAIN*quasar_pkg::INVERSE_BITS-1:0] inverses;
  logic [DRAIN*SUM_BITS-1:0] context_sums;
  logic [DRAIN*ACTIVATION_BITS-1:0] context_narrow;
  logic [DRAIN*8-1:0] context_codes;
  logic [7:0] score_row, score_query, score_pair;
  logic [15:0] score_chunk;
  assign score_row = {{(8 - ROW_BITS){1'b0}}, beat_row};
  assign score_query = beat_tile.query + score_row;
  assign score_pair = beat_tile.pair_slot + (score_row >> 1);
  assign score_chunk = beat_tile.chunk + {{(16 - DRAIN_GROUP_BITS){1'b0}}, beat_group};
  quasar_attention #(
    .ROWS(ROWS), .TOKENS(TOKENS), .DRAIN(DRAIN), .SOFTMAX(SOFTMAX), .MAX_TOKENS(MAX_TOKENS), .SCORE_BITS(SUM_BITS),
    .ACTIVATION_BITS(ACTIVATION_BITS)
  ) attention (
    .clk(clk), .reset(reset), .table_write(exponent_write), .table_address(table_address), .table_value(table_value),
    .scale(current.score_scale), .chunks(current.chunks[CHUNK_COUNT_BITS-1:0]), .in_valid(beat_valid & beat_is_scores),
    .in_scores(score_sums), .in_pair(score_pair[PAIR_BITS-1:0]), .in_chunk(score_chunk[CHUNK_BITS-1:0]),
    .in_last(beat_tile.ends_rows & beat_ends_row & beat_valid & beat_is_scores), .in_slot(beat_tile.block_slot), .in_query(score_query[QUERY_BITS-1:0]),
    .in_second(beat_has_second), .in_block_last(beat_tile.ends_block & beat_last),
    .in_lanes(current.last_lanes[LANE_BITS-1:0]), .write(p_write), .write_second(p_second),
    .write_slot(p_slot), .write_query(p_query), .write_chunk(p_chunk), .write_codes(p_codes), .block_ready(block_ready),
    .block_slot(unused_block_slot), .read_slot(beat_tile.block_slot),
    .read_group(beat_group[CONTEXT_GROUP_BITS-1:0]), .read_inverses(inverses));
  quasar_probability_memory #(
    .INPUTS(INPUTS), .TOKENS(TOKENS), .SOFTMAX(SOFTMAX), .MAX_TOKENS(MAX_TOKENS)
  ) probability_memory (
    .clk(clk), .reset(reset), .write(p_write), .write_slot(p_slot), .write_query(p_query), .write_second(p_second),
    .write_chunk(p_chunk), .write_codes(p_codes), .read_slot(tile.block_slot),
    .read_step(step[KEY_STEP_BITS-1:0]), .read_keys(read_keys), .read_words(p_words));
  logic [DRAIN-1:0] context_used;
  always_ff @(posedge clk) begin
    context_valid <= context_beat & ~reset;
    context_sums <= beat_sums;
  end
  generate
    for (genvar i = 0; i < DRAIN; i = i + 1) begin : gen_used
      localparam [DRAIN_COUNT_BITS-1:0] LANE = i[DRAIN_COUNT_BITS-1:0];
      always_ff @(posedge clk) context_used[i] <= LANE < beat_count;
    end
  endgenerate
  quasar_context #(.LANES(DRAIN), .SUM_BITS(SUM_BITS), .OUT_BITS(ACTIVATION_BITS)) context_lanes (
    .clk(clk), .reset(reset), .in_valid(context_valid), .in_used(context_used), .in_sums(context_sums), .in_inverses(inverses),
    .in_scale(current.output_scale), .in_lo(current.low[ACTIVATION_BITS-1:0]),
    .in_hi(current.high[ACTIVATION_BITS-1:0]), .out_valid(unused_context_valid), .out_codes(context_narrow));
  generate
    for (genvar i = 0; i < DRAIN; i = i + 1) begin : gen_code
      assign context_codes[i*8 +: 8] = {
        {(8 - ACTIVATION_BITS){context_narrow[(i+1)*ACTIVATION_BITS-1]}},
        context_narrow[i*ACTIVATION_BITS +: ACTIVATION_BITS]};
    end
  endgenerate

  // Destinations: those of rows come with their entry, those of contexts follow from the channel.
  localparam integer WORD_BITS = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam integer GROUP_BITS = WORD_TOKENS > DRAIN ? $clog2(WORD_TOKENS / DRAIN) : 1;
  localparam integer COUNT_BITS = $clog2(DRAIN + 1);
  localparam integer PLACE_BITS = quasar_command_pkg::TILE_BITS + DRAIN_GROUP_BITS + DRAIN_COUNT_BITS + ROW_BITS;
  localparam integer INPUT_LOG = $clog2(INPUTS);
  localparam integer RESIDUAL_TOKEN_BITS = MAX_TOKENS > 1 ? $clog2(MAX_TOKENS) : 1;
  localparam integer WIDTH_BITS = $clog2(MAX_WIDTH + 1);
  localparam integer LANE_MASK_NUMBER = INPUTS - 1;
  localparam [5:0] LANE_MASK = LANE_MASK_NUMBER[5:0];
  logic late_context, router_valid;
  quasar_tile_t late_tile, router_tile;
  logic [quasar_command_pkg::TILE_BITS-1:0] late_tag;
  logic [DRAIN_GROUP_BITS-1:0] late_group, router_group;
  logic [DRAIN_COUNT_BITS-1:0] late_count, router_count;
  logic [ROW_BITS-1:0] late_row;
  logic [15:0] context_channel, context_step, pixel_step, router_token;
  quasar_destination_t router_destination, pixel_destination;
  quasar_delay #(.BITS(1), .CYCLES(CONTEXT - LANES), .CLEARED(1)) late_context_line (
    .clk(clk), .reset(reset), .in(context_beat), .out(late_context));
  quasar_delay #(.BITS(PLACE_BITS), .CYCLES(CONTEXT - LANES), .CLEARED(0)) late_line (
    .clk(clk), .reset(reset), .in({beat_tag, beat_group, beat_count, beat_row}),
    .out({late_tag, late_group, late_count, late_row}));
  assign late_tile = late_tag;
  assign context_channel = late_tile.channel + {{(16 - ROW_BITS){1'b0}}, late_row};
  assign context_step = context_channel >> INPUT_LOG;
  assign context_destination = {
    quasar_pkg::KIND_DIRECT, context_channel[5:0] & LANE_MASK, context_step[quasar_pkg::STEP_BITS-1:0]};
  assign router_valid = lane_valid | late_context;
  assign router_tile = late_context ? late_tile : beat_tile;
  assign router_group = late_context ? late_group : beat_group;
  assign router_count = late_context ? late_count : beat_count;
  assign router_destination = late_context ? context_destination : row_destination;
  assign pixel_step = pixel_channel >> INPUT_LOG;
  assign pixel_destination = {
    quasar_pkg::KIND_DIRECT, pixel_channel[5:0] & LANE_MASK, pixel_step[quasar_pkg::STEP_BITS-1:0]};
  localparam integer HALF_GROUPS_NUMBER = TOKENS / DRAIN;
  localparam [7:0] HALF_GROUPS = HALF_GROUPS_NUMBER[7:0];
  localparam [15:0] WORD_STEP = WORD_TOKENS[15:0];
  localparam [15:0] HALF_STEP = TOKENS[15:0];
  assign router_token = {8'd0, router_tile.word} * WORD_STEP + (router_tile.half ? HALF_STEP : 16'd0);
  logic [7:0] pixel_place;
  assign pixel_place = pixel_group + (pixel_half ? HALF_GROUPS : 8'd0);

  // Pixels lie in H as the patch embedding reads them: ⌈channels/INPUTS⌉ steps a word.
  logic [15:0] pixel_stride;
  assign pixel_stride = (pixel_channels + {10'd0, LANE_MASK}) >> INPUT_LOG;
  logic residual_access;
  logic [RESIDUAL_TOKEN_BITS-1:0] residual_token;
  logic [WIDTH_BITS-1:0] residual_channel, residual_width;
  logic [COUNT_BITS-1:0] residual_count;
  quasar_router #(
    .ROWS(ROWS), .INPUTS(INPUTS), .TOKENS(TOKENS), .WORD_TOKENS(WORD_TOKENS), .DRAIN(DRAIN), .MAX_TOKENS(MAX_TOKENS),
    .MAX_WIDTH(MAX_WIDTH), .ADDRESS_BITS(ADDRESS_BITS), .STRIDE_BITS(16), .CODE_CYCLES(LANES)
  ) router (
    .clk(clk), .reset(reset), .beat_valid(router_valid), .beat_context(late_context),
    .beat_target(late_context ? quasar_pkg::TARGET_X : current.target[2:0]), .beat_destination(router_destination),
    .beat_word(router_tile.word[WORD_BITS-1:0]), .beat_half(router_tile.half),
    .beat_token(router_token[RESIDUAL_TOKEN_BITS-1:0]), .beat_group(router_group[GROUP_BITS-1:0]),
    .beat_count(router_count[COUNT_BITS-1:0]), .beat_stride(current.target_stride), .beat_key_words(current.key_steps),
    .lane_codes(lane_codes), .lane_logit(lane_logit), .context_codes(context_codes), .pixel_valid(pixel_valid),
    .pixel_ready(pixel_ready), .pixel_destination(pixel_destination), .pixel_word(pixel_word[WORD_BITS-1:0]),
    .pixel_group(pixel_place[GROUP_BITS-1:0]), .pixel_count(pixel_count[COUNT_BITS-1:0]), .pixel_stride(pixel_stride),
    .pixel_codes(pixel_codes), .residual_access(residual_access), .residual_token(residual_token),
    .residual_channel(residual_channel), .residual_count(residual_count), .residual_width(residual_width),
    .x_write(x_write), .h_write(h_write), .columns(columns), .operand_bytes(operand_bytes), .operand_word(operand_word),
    .address(address), .far_address(far_address), .query_columns(query_columns), .query_far(query_far),
    .value_columns(value_columns), .value_far(value_far), .window_codes(window_codes), .logit_write(logit_valid),
    .logit_class(logit_index), .logit(logit));

  // The residual stream and its norm. Lanes, norm and embedding codes never come in one cycle: they belong to different
  // commands, and the codes wait for the last norm of the image before.
  logic norm_read;
  logic [RESIDUAL_TOKEN_BITS-1:0] norm_token;
  logic [WIDTH_BITS-1:0] norm_channel;
  logic [NORM*16-1:0] norm_values;
  logic [WIDTH_BITS-1:0] width, norm_width;
  assign width = residual_access ? residual_width : embedding_write ? embedding_width[WIDTH_BITS-1:0] : norm_width;
  quasar_residual_memory #(
    .DRAIN(DRAIN), .NORM(NORM), .MAX_TOKENS(MAX_TOKENS), .MAX_WIDTH(MAX_WIDTH)
  ) residual_memory (
    .clk(clk), .reset(reset), .width(width), .lane_access(residual_access), .lane_update(residual_access),
    .lane_token(residual_token), .lane_channel(residual_channel), .lane_count(residual_count),
    .lane_values(residual_values), .lane_sums(residual_sums), .norm_access(norm_read), .norm_token(norm_token),
    .norm_channel(norm_channel), .norm_values(norm_values), .codes_write(embedding_write),
    .codes_token(embedding_token[RESIDUAL_TOKEN_BITS-1:0]), .codes_channel(embedding_channel[WIDTH_BITS-1:0]),
    .codes(embedding_values));
  localparam integer NORM_CHUNKS = MAX_WIDTH / NORM;
  localparam integer NORM_CHUNK_BITS = NORM_CHUNKS > 1 ? $clog2(NORM_CHUNKS) : 1;
  localparam integer NORM_LANE_BITS = NORM > 1 ? $clog2(NORM) : 1;
  localparam integer NORM_LOG = $clog2(NORM);
  localparam integer COMMAND_TOKEN_BITS = $clog2(MAX_TOKENS + 1);
  localparam [NORM_LANE_BITS-1:0] NORM_MASK = NORM == 1 ? {NORM_LANE_BITS{1'b0}} : {NORM_LANE_BITS{1'b1}};
  logic [CHANNEL_INDEX_BITS-1:0] channel_chunk;
  assign channel_chunk = channel_index >> NORM_LOG;
  quasar_norm_path #(
    .NORM(NORM), .INPUTS(INPUTS), .WORD_TOKENS(WORD_TOKENS), .MAX_TOKENS(MAX_TOKENS), .MAX_WIDTH(MAX_WIDTH), .DEPTH(X_DEPTH),
    .RESIDUAL_CYCLES(quasar_pkg::RESIDUAL_CYCLES)
  ) norm_path (
    .clk(clk), .reset(reset), .norm_write(norm_write), .norm_epsilon(norm_epsilon), .norm_lo(norm_low),
    .norm_hi(norm_high), .channel_write(channel_write), .channel_chunk(channel_chunk[NORM_CHUNK_BITS-1:0]),
    .channel_lane(channel_index[NORM_LANE_BITS-1:0] & NORM_MASK), .channel(channel), .start(norm_start),
    .tokens(current.tokens[COMMAND_TOKEN_BITS-1:0]), .width(current.width[WIDTH_BITS-1:0]),
    .first_token(current.first_token[RESIDUAL_TOKEN_BITS-1:0]), .steps(current.target_stride[X_BITS-1:0]),
    .first_word({X_BITS{1'b0}}), .first_byte({BYTE_BITS{1'b0}}), .done(norm_done), .read(norm_read),
    .read_width(norm_width), .read_token(norm_token), .read_channel(norm_channel), .read_values(norm_values), .write(norm_x_write),
    .write_column(norm_x_column), .write_address(norm_x_address), .write_byte(norm_x_byte),
    .write_codes(norm_x_codes));
endmodule
