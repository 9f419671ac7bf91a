// All operand memories of the engine and the router that writes them; ports as those blocks have them.
//
// Depths: X and H hold X_STEPS and H_STEPS steps for every token word (H: pixels, hidden codes or K), Q QUERY_STEPS for
// every tile of queries, V VALUE_TILES channel tiles, P three blocks, the residual MAX_WIDTH channels of every token.
module quasar_memories #(
  parameter integer ROWS = 2,
  parameter integer INPUTS = 8,
  parameter integer TOKENS = 9,
  parameter integer WORD_TOKENS = 9,
  parameter integer DRAIN = 3,
  parameter integer SOFTMAX = 3,
  parameter integer NORM = 4,
  parameter integer MAX_TOKENS = 64,
  parameter integer MAX_WIDTH = 64,
  parameter integer X_STEPS = 8,
  parameter integer H_STEPS = 16,
  parameter integer QUERY_STEPS = 8,
  parameter integer VALUE_TILES = 16,
  parameter integer CODE_CYCLES = quasar_pkg::LANE_CYCLES,
  // What follows from them.
  parameter integer TILE = 2 * ROWS,
  parameter integer WORDS = (MAX_TOKENS + WORD_TOKENS - 1) / WORD_TOKENS,
  parameter integer WORD_BITS = WORDS > 1 ? $clog2(WORDS) : 1,
  parameter integer TOKEN_BITS = MAX_TOKENS > 1 ? $clog2(MAX_TOKENS) : 1,
  parameter integer GROUP_BITS = WORD_TOKENS > DRAIN ? $clog2(WORD_TOKENS / DRAIN) : 1,
  parameter integer COUNT_BITS = $clog2(DRAIN + 1),
  parameter integer CHANNEL_BITS = $clog2(MAX_WIDTH + 1),
  parameter integer STRIDE_BITS = $clog2((MAX_WIDTH > X_STEPS + H_STEPS + QUERY_STEPS + MAX_TOKENS ? MAX_WIDTH
    : X_STEPS + H_STEPS + QUERY_STEPS + MAX_TOKENS) + 1),
  parameter integer KEY_STEPS = (MAX_TOKENS + INPUTS - 1) / INPUTS,
  parameter integer KEY_STEP_BITS = KEY_STEPS > 1 ? $clog2(KEY_STEPS) : 1,
  parameter integer CHUNKS = (MAX_TOKENS + SOFTMAX - 1) / SOFTMAX,
  parameter integer CHUNK_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1,
  parameter integer BLOCK_QUERY_BITS = TOKENS > 1 ? $clog2(TOKENS) : 1,
  parameter integer KEYS_BITS = $clog2(INPUTS + 1),
  parameter integer COLUMN_BITS = INPUTS > 1 ? $clog2(INPUTS) : 1,
  parameter integer BYTE_BITS = WORD_TOKENS > 1 ? $clog2(WORD_TOKENS) : 1,
  parameter integer WINDOW = 1 << $clog2(DRAIN),
  parameter integer QUERY_COLUMNS = WINDOW > TILE ? WINDOW : TILE,
  parameter integer PARTS = QUERY_COLUMNS / TILE,
  parameter integer PART_BITS = PARTS > 1 ? $clog2(PARTS) : 1,
  parameter integer QUERY_PLACES = (MAX_TOKENS + TOKENS - 1) / TOKENS * ((TOKENS + TILE - 1) / TILE * TILE),
  parameter integer X_DEPTH = WORDS * X_STEPS,
  parameter integer H_DEPTH = WORDS * H_STEPS,
  parameter integer QUERY_DEPTH = (QUERY_PLACES + QUERY_COLUMNS - 1) / QUERY_COLUMNS * QUERY_STEPS,
  parameter integer VALUE_DEPTH = VALUE_TILES * KEY_STEPS,
  parameter integer X_BITS = X_DEPTH > 1 ? $clog2(X_DEPTH) : 1,
  parameter integer H_BITS = H_DEPTH > 1 ? $clog2(H_DEPTH) : 1,
  parameter integer QUERY_BITS = QUERY_DEPTH > 1 ? $clog2(QUERY_DEPTH) : 1,
  parameter integer VALUE_BITS = VALUE_DEPTH > 1 ? $clog2(VALUE_DEPTH) : 1
) (
  input  logic                            clk,
  input  logic                            reset,
  // Beats and pixels.
  input  logic                            beat_valid,
  input  logic                            beat_context,
  input  logic [2:0]                      beat_target,
  input  quasar_destination_t             beat_destination,
  input  logic [WORD_BITS-1:0]            beat_word,
  input  logic                            beat_half,
  input  logic [TOKEN_BITS-1:0]           beat_token,
  input  logic [GROUP_BITS-1:0]           beat_group,
  input  logic [COUNT_BITS-1:0]           beat_count,
  input  logic [STRIDE_BITS-1:0]          beat_stride,
  input  logic [STRIDE_BITS-1:0]          beat_key_words,
  input  logic [DRAIN*8-1:0]              lane_codes,
  input  logic [DRAIN*16-1:0]             lane_sums,
  input  logic [31:0]                     lane_logit,
  input  logic [DRAIN*8-1:0]              context_codes,
  output logic [DRAIN*16-1:0]             lane_residuals,  // cycle CODE_CYCLES − 2
  input  logic                            pixel_valid,
  output logic                            pixel_ready,
  input  quasar_destination_t             pixel_destination,
  input  logic [WORD_BITS-1:0]            pixel_word,
  input  logic [GROUP_BITS-1:0]           pixel_group,
  input  logic [COUNT_BITS-1:0]           pixel_count,
  input  logic [STRIDE_BITS-1:0]          pixel_stride,
  input  logic [DRAIN*8-1:0]              pixel_codes,
  output logic                            logit_write,
  output logic [15:0]                     logit_class,
  output logic [31:0]                     logit,
  // Norm: residuals in, codes to X. Embedding codes.
  input  logic [CHANNEL_BITS-1:0]         residual_width,  // D of the norm and of the embedding
  input  logic                            norm_access,
  input  logic [TOKEN_BITS-1:0]           norm_token,
  input  logic [CHANNEL_BITS-1:0]         norm_channel,
  output logic [NORM*16-1:0]              norm_values,
  input  logic                            norm_write,
  input  logic [COLUMN_BITS-1:0]          norm_column,
  input  logic [X_BITS-1:0]               norm_address,
  input  logic [BYTE_BITS-1:0]            norm_byte,
  input  logic [NORM*8-1:0]               norm_codes,
  input  logic                            embedding_write,
  input  logic [TOKEN_BITS-1:0]           embedding_token,
  input  logic [CHANNEL_BITS-1:0]         embedding_channel,
  input  logic [NORM*16-1:0]              embedding_codes,
  // Probabilities.
  input  logic                            probability_write,
  input  logic [1:0]                      probability_slot,
  input  logic [BLOCK_QUERY_BITS-1:0]     probability_query,
  input  logic                            probability_second,
  input  logic [CHUNK_BITS-1:0]           probability_chunk,
  input  logic [2*SOFTMAX*8-1:0]          probability_codes,
  // Reads: addresses in cycle 0, words in cycle 2.
  input  logic [X_BITS-1:0]               x_address,
  output logic [INPUTS*WORD_TOKENS*8-1:0] x_words,
  input  logic [H_BITS-1:0]               h_address,
  output logic [INPUTS*WORD_TOKENS*8-1:0] h_words,
  input  logic [QUERY_BITS-1:0]           query_address,
  input  logic [PART_BITS-1:0]            query_part,
  output logic [INPUTS*TILE*8-1:0]        query_weights,
  input  logic [VALUE_BITS-1:0]           value_address,
  input  logic [KEYS_BITS-1:0]            value_keys,
  output logic [INPUTS*TILE*8-1:0]        value_weights,
  input  logic [1:0]                      probability_read_slot,
  input  logic [KEY_STEP_BITS-1:0]        probability_step,
  input  logic [KEYS_BITS-1:0]            probability_keys,
  output logic [INPUTS*TOKENS*8-1:0]      probability_words
);
  localparam integer XH_BITS = X_BITS > H_BITS ? X_BITS : H_BITS;
  localparam integer QV_BITS = QUERY_BITS > VALUE_BITS ? QUERY_BITS : VALUE_BITS;
  localparam integer ADDRESS_BITS = XH_BITS > QV_BITS ? XH_BITS : QV_BITS;
  localparam integer COLUMNS = INPUTS > TILE ? INPUTS : TILE;

  logic x_write, h_write, residual_access;
  logic [COLUMNS-1:0] columns;
  logic [WORD_TOKENS-1:0] operand_bytes;
  logic [WORD_TOKENS*8-1:0] operand_word;
  logic [ADDRESS_BITS-1:0] address, far_address;
  logic [QUERY_COLUMNS-1:0] query_columns, query_far;
  logic [INPUTS-1:0] value_columns, value_far;
  logic [WINDOW*8-1:0] window_codes;
  logic [TOKEN_BITS-1:0] residual_token;
  logic [CHANNEL_BITS-1:0] residual_channel, lane_width;
  logic [COUNT_BITS-1:0] residual_count;

  quasar_router #(
    .ROWS(ROWS), .INPUTS(INPUTS), .TOKENS(TOKENS), .WORD_TOKENS(WORD_TOKENS), .DRAIN(DRAIN), .MAX_TOKENS(MAX_TOKENS),
    .MAX_WIDTH(MAX_WIDTH), .ADDRESS_BITS(ADDRESS_BITS), .STRIDE_BITS(STRIDE_BITS), .CODE_CYCLES(CODE_CYCLES)
  ) router (
    .clk(clk), .reset(reset), .beat_valid(beat_valid), .beat_context(beat_context), .beat_target(beat_target),
    .beat_destination(beat_destination), .beat_word(beat_word), .beat_half(beat_half), .beat_token(beat_token),
    .beat_group(beat_group), .beat_count(beat_count), .beat_stride(beat_stride), .beat_key_words(beat_key_words),
    .lane_codes(lane_codes), .lane_logit(lane_logit), .context_codes(context_codes), .pixel_valid(pixel_valid),
    .pixel_ready(pixel_ready), .pixel_destination(pixel_destination), .pixel_word(pixel_word),
    .pixel_group(pixel_group), .pixel_count(pixel_count), .pixel_stride(pixel_stride), .pixel_codes(pixel_codes),
    .residual_access(residual_access), .residual_token(residual_token), .residual_channel(residual_channel),
    .residual_count(residual_count), .residual_width(lane_width), .x_write(x_write), .h_write(h_write),
    .columns(columns), .operand_bytes(operand_bytes), .operand_word(operand_word), .address(address),
    .far_address(far_address), .query_columns(query_columns), .query_far(query_far), .value_columns(value_columns),
    .value_far(value_far), .window_codes(window_codes), .logit_write(logit_write), .logit_class(logit_class),
    .logit(logit));

  quasar_operand_memory #(.INPUTS(INPUTS), .WORD_TOKENS(WORD_TOKENS), .NORM(NORM), .DEPTH(X_DEPTH)) x_memory (
    .clk(clk), .reset(reset), .write(x_write), .write_columns(columns[INPUTS-1:0]), .write_address(address[X_BITS-1:0]),
    .write_bytes(operand_bytes), .write_word(operand_word), .norm_write(norm_write), .norm_column(norm_column),
    .norm_address(norm_address), .norm_byte(norm_byte), .norm_codes(norm_codes), .read_address(x_address),
    .read_words(x_words));
  quasar_operand_memory #(.INPUTS(INPUTS), .WORD_TOKENS(WORD_TOKENS), .NORM(NORM), .DEPTH(H_DEPTH)) h_memory (
    .clk(clk), .reset(reset), .write(h_write), .write_columns(columns[INPUTS-1:0]), .write_address(address[H_BITS-1:0]),
    .write_bytes(operand_bytes), .write_word(operand_word), .norm_write(1'b0), .norm_column({COLUMN_BITS{1'b0}}),
    .norm_address({H_BITS{1'b0}}), .norm_byte({BYTE_BITS{1'b0}}), .norm_codes({NORM*8{1'b0}}),
    .read_address(h_address), .read_words(h_words));
  quasar_query_memory #(.ROWS(ROWS), .INPUTS(INPUTS), .DRAIN(DRAIN), .DEPTH(QUERY_DEPTH)) query_memory (
    .clk(clk), .reset(reset), .write_columns(query_columns), .write_far(query_far),
    .write_address(address[QUERY_BITS-1:0]), .write_far_address(far_address[QUERY_BITS-1:0]),
    .write_bytes(columns[INPUTS-1:0]), .write_codes(window_codes), .read_address(query_address),
    .read_part(query_part), .read_weights(query_weights));
  quasar_value_memory #(.ROWS(ROWS), .INPUTS(INPUTS), .DRAIN(DRAIN), .DEPTH(VALUE_DEPTH)) value_memory (
    .clk(clk), .reset(reset), .write_columns(value_columns), .write_far(value_far),
    .write_address(address[VALUE_BITS-1:0]), .write_far_address(far_address[VALUE_BITS-1:0]),
    .write_bytes(columns[TILE-1:0]), .write_codes(window_codes), .read_address(value_address),
    .read_keys(value_keys), .read_weights(value_weights));
  quasar_probability_memory #(
    .INPUTS(INPUTS), .TOKENS(TOKENS), .SOFTMAX(SOFTMAX), .MAX_TOKENS(MAX_TOKENS)
  ) probability_memory (
    .clk(clk), .reset(reset), .write(probability_write), .write_slot(probability_slot),
    .write_query(probability_query), .write_second(probability_second),
    .write_chunk(probability_chunk), .write_codes(probability_codes), .read_slot(probability_read_slot),
    .read_step(probability_step), .read_keys(probability_keys), .read_words(probability_words));
  quasar_residual_memory #(
    .DRAIN(DRAIN), .NORM(NORM), .MAX_TOKENS(MAX_TOKENS), .MAX_WIDTH(MAX_WIDTH)
  ) residual_memory (
    .clk(clk), .reset(reset), .width(residual_access ? lane_width : residual_width), .lane_access(residual_access),
    .lane_update(residual_access), .lane_token(residual_token), .lane_channel(residual_channel),
    .lane_count(residual_count), .lane_values(lane_residuals), .lane_sums(lane_sums), .norm_access(norm_access),
    .norm_token(norm_token), .norm_channel(norm_channel), .norm_values(norm_values), .codes_write(embedding_write),
    .codes_token(embedding_token), .codes_channel(embedding_channel), .codes(embedding_codes));

`ifndef SYNTHESIS
  logic [31:0] whole, whole_far;
  assign whole = {{(32-ADDRESS_BITS){1'b0}}, address};
  assign whole_far = {{(32-ADDRESS_BITS){1'b0}}, far_address};
  always @(posedge clk) if (!reset) begin
    assert (x_write !== 1'b1 || whole < X_DEPTH) else $fatal(1, "X written at %0d of %0d", whole, X_DEPTH);
    assert (h_write !== 1'b1 || whole < H_DEPTH) else $fatal(1, "H written at %0d of %0d", whole, H_DEPTH);
    assert (((query_columns & ~query_far) == 0 || whole < QUERY_DEPTH) && (query_far == 0 || whole_far < QUERY_DEPTH))
    else $fatal(1, "Q written at %0d and %0d of %0d", whole, whole_far, QUERY_DEPTH);
    assert (((value_columns & ~value_far) == 0 || whole < VALUE_DEPTH) && (value_far == 0 || whole_far < VALUE_DEPTH))
    else $fatal(1, "V written at %0d and %0d of %0d", whole, whole_far, VALUE_DEPTH);
  end
`endif
endmodule
