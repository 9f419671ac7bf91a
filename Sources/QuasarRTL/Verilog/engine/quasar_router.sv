// From the requantiser lanes, the context lanes and the pixel stream to the memories: one beat per cycle, no waiting.
//
// A beat is one output row (channel) × up to DRAIN tokens, group `group` of a tile whose first token is place
// half·TOKENS of token word `word`. Its addresses are index·stride + offset, and for what lies beyond the end of a bank
// one gap more:
//   target          index                            stride          offset               gap       bank, byte
//   X, H, K         word                             S               step                 –         column, token
//   Q               ⌊place / query columns⌋          S               step                 S         place, column
//   V               step (channel tile)              key words       ⌊token / INPUTS⌋     1         token, column
// with column = lane of the destination and the place of a query as quasar_query_memory has it. RESIDUAL only passes a
// request to quasar_residual_memory; the sums go there directly. LOGITS passes the logit of lane 0.
// Cycle 0 is that in which the sums of a beat enter the lanes; the codes are needed CODE_CYCLES = L ≥ 10 later (the
// cycles of the lanes). The control of a context beat enters L cycles before its codes. A pixel beat is taken in a cycle
// without another beat. Writes stand at the memories in cycle L + 1, a request for residuals in cycle L − 9.
module quasar_router #(
  parameter integer ROWS = 2,
  parameter integer INPUTS = 8,
  parameter integer TOKENS = 9,
  parameter integer WORD_TOKENS = 9,
  parameter integer DRAIN = 3,
  parameter integer MAX_TOKENS = 64,
  parameter integer MAX_WIDTH = 64,
  parameter integer ADDRESS_BITS = 12,
  parameter integer STRIDE_BITS = 12,
  parameter integer CODE_CYCLES = quasar_pkg::LANE_CYCLES,
  parameter integer WORDS = (MAX_TOKENS + WORD_TOKENS - 1) / WORD_TOKENS,
  parameter integer WORD_BITS = WORDS > 1 ? $clog2(WORDS) : 1,
  parameter integer TOKEN_BITS = MAX_TOKENS > 1 ? $clog2(MAX_TOKENS) : 1,
  parameter integer GROUP_BITS = WORD_TOKENS > DRAIN ? $clog2(WORD_TOKENS / DRAIN) : 1,
  parameter integer COUNT_BITS = $clog2(DRAIN + 1),
  parameter integer CHANNEL_BITS = $clog2(MAX_WIDTH + 1),
  parameter integer WINDOW = 1 << $clog2(DRAIN),
  parameter integer TILE = 2 * ROWS,
  parameter integer COLUMNS = INPUTS > TILE ? INPUTS : TILE,
  parameter integer QUERY_COLUMNS = WINDOW > TILE ? WINDOW : TILE
) (
  input  logic                      clk,
  input  logic                      reset,
  input  logic                      beat_valid,    // cycle 0, as all that has no cycle
  input  logic                      beat_context,  // the codes are those of the context lanes
  input  logic [2:0]                beat_target,   // quasar_pkg::target_e
  input  quasar_destination_t       beat_destination,
  input  logic [WORD_BITS-1:0]      beat_word,
  input  logic                      beat_half,
  input  logic [TOKEN_BITS-1:0]     beat_token,    // word·WORD_TOKENS + half·TOKENS
  input  logic [GROUP_BITS-1:0]     beat_group,
  input  logic [COUNT_BITS-1:0]     beat_count,    // tokens, 1…DRAIN
  input  logic [STRIDE_BITS-1:0]    beat_stride,   // S of X, H or of Q and K; RESIDUAL: D
  input  logic [STRIDE_BITS-1:0]    beat_key_words,// ⌈T / INPUTS⌉
  input  logic [DRAIN*8-1:0]        lane_codes,    // cycle L
  input  logic [31:0]               lane_logit,    // cycle L
  input  logic [DRAIN*8-1:0]        context_codes, // cycle L
  // Pixels: to H.
  input  logic                      pixel_valid,
  output logic                      pixel_ready,
  input  quasar_destination_t       pixel_destination,
  input  logic [WORD_BITS-1:0]      pixel_word,
  input  logic [GROUP_BITS-1:0]     pixel_group,
  input  logic [COUNT_BITS-1:0]     pixel_count,
  input  logic [STRIDE_BITS-1:0]    pixel_stride,
  input  logic [DRAIN*8-1:0]        pixel_codes,
  // Request to the residual memory, cycle L − 9.
  output logic                      residual_access,
  output logic [TOKEN_BITS-1:0]     residual_token,
  output logic [CHANNEL_BITS-1:0]   residual_channel,
  output logic [COUNT_BITS-1:0]     residual_count,
  output logic [CHANNEL_BITS-1:0]   residual_width,
  // Writes, cycle L + 1.
  output logic                      x_write,
  output logic                      h_write,
  output logic [COLUMNS-1:0]        columns,       // X, H: column; Q, V: byte
  output logic [WORD_TOKENS-1:0]    operand_bytes,
  output logic [WORD_TOKENS*8-1:0]  operand_word,
  output logic [ADDRESS_BITS-1:0]   address,
  output logic [ADDRESS_BITS-1:0]   far_address,
  output logic [QUERY_COLUMNS-1:0]  query_columns,
  output logic [QUERY_COLUMNS-1:0]  query_far,
  output logic [INPUTS-1:0]         value_columns,
  output logic [INPUTS-1:0]         value_far,
  output logic [WINDOW*8-1:0]       window_codes,  // element w: columns k with k mod WINDOW = w
  output logic                      logit_write,
  output logic [15:0]               logit_class,
  output logic [31:0]               logit
);
  localparam integer HALVES = WORD_TOKENS / TOKENS;
  localparam integer GROUPS = TOKENS / DRAIN;  // of a half
  localparam integer BLOCKS = HALVES * WORDS;
  localparam integer BLOCK_BITS = $clog2(BLOCKS + 1);
  localparam integer FIRST_BITS = $clog2(COLUMNS > QUERY_COLUMNS ? COLUMNS : QUERY_COLUMNS) + 1;

  // Cycle 0: a beat or a pixel beat; its first token and the block of queries that it would belong to.
  logic from_pixels0, half0, upper0;
  logic [2:0] target0;
  logic [GROUP_BITS-1:0] group0;
  logic [31:0] group_of_word, first_token, block;
  quasar_destination_t destination0, destination1;
  logic context1, pixels1, valid1;
  logic [2:0] target1;
  logic [WORD_BITS-1:0] word1;
  logic [TOKEN_BITS-1:0] token1;
  logic [BLOCK_BITS-1:0] block1;
  logic [GROUP_BITS-1:0] group1;
  logic [COUNT_BITS-1:0] count1;
  logic [STRIDE_BITS-1:0] stride1, key_words1;
  assign pixel_ready = !beat_valid;
  assign from_pixels0 = !beat_valid;
  assign target0 = from_pixels0 ? quasar_pkg::TARGET_H : beat_target;
  assign destination0 = from_pixels0 ? pixel_destination : beat_destination;
  assign group0 = from_pixels0 ? pixel_group : beat_group;
  assign half0 = beat_half & ~from_pixels0;
  assign upper0 = {{(32-GROUP_BITS){1'b0}}, beat_group} >= GROUPS;
  assign group_of_word = {{(32-GROUP_BITS){1'b0}}, group0} + (half0 ? GROUPS : 0);
  assign first_token = {{(32-TOKEN_BITS){1'b0}}, beat_token} + {{(32-GROUP_BITS){1'b0}}, beat_group} * DRAIN;
  assign block = {{(32-WORD_BITS){1'b0}}, beat_word} * HALVES + (half0 || upper0 ? 1 : 0);
  always_ff @(posedge clk) begin
    valid1 <= !reset && (beat_valid || pixel_valid);
    {context1, pixels1} <= {beat_context & beat_valid, from_pixels0};
    target1 <= target0;
    destination1 <= destination0;
    word1 <= from_pixels0 ? pixel_word : beat_word;
    token1 <= first_token[TOKEN_BITS-1:0];
    block1 <= block[BLOCK_BITS-1:0];
    group1 <= group_of_word[GROUP_BITS-1:0];
    count1 <= from_pixels0 ? pixel_count : beat_count;
    stride1 <= from_pixels0 ? pixel_stride : beat_stride;
    key_words1 <= beat_key_words;
  end

  // Cycle 1: what the beat writes.
  logic x1, h1, query1, value1, logit1, in_rows1;
  assign in_rows1 = valid1 && target1 == quasar_pkg::TARGET_QKV;
  assign x1 = valid1 && target1 == quasar_pkg::TARGET_X;
  assign h1 = (valid1 && target1 == quasar_pkg::TARGET_H)
    || (in_rows1 && destination1.kind == quasar_pkg::KIND_KEY);
  assign query1 = in_rows1 && destination1.kind == quasar_pkg::KIND_QUERY;
  assign value1 = in_rows1 && destination1.kind == quasar_pkg::KIND_VALUE;
  assign logit1 = valid1 && target1 == quasar_pkg::TARGET_LOGITS;

  // The request to the residual memory: cycle 1, or as many cycles later as the lanes need.
  logic [15:0] channel1, residual_channel_late;
  logic [STRIDE_BITS-1:0] width_late;
  localparam integer REQUEST_CYCLES = CODE_CYCLES - quasar_pkg::LANE_RESIDUAL_CYCLES - quasar_pkg::RESIDUAL_CYCLES - 1;
  assign channel1 = {destination1.step, destination1.lane};
  quasar_delay #(.BITS(1), .CYCLES(REQUEST_CYCLES), .CLEARED(1)) request_line (
    .clk(clk), .reset(reset), .in(valid1 && target1 == quasar_pkg::TARGET_RESIDUAL), .out(residual_access));
  quasar_delay #(.BITS(TOKEN_BITS + 16 + COUNT_BITS + STRIDE_BITS), .CYCLES(REQUEST_CYCLES), .CLEARED(0)) place_line (
    .clk(clk), .reset(reset), .in({token1, channel1, count1, stride1}),
    .out({residual_token, residual_channel_late, residual_count, width_late}));
  assign residual_channel = residual_channel_late[CHANNEL_BITS-1:0];
  assign residual_width = width_late[CHANNEL_BITS-1:0];

  // Addresses in cycle 5, the first column in cycle 3; both wait for the codes.
  logic [ADDRESS_BITS-1:0] address5, far5, late_address, late_far;
  logic [FIRST_BITS-1:0] first3, first;
  quasar_router_address #(
    .ROWS(ROWS), .INPUTS(INPUTS), .TOKENS(TOKENS), .ADDRESS_BITS(ADDRESS_BITS), .STRIDE_BITS(STRIDE_BITS),
    .WORD_BITS(WORD_BITS), .TOKEN_BITS(TOKEN_BITS), .BLOCK_BITS(BLOCK_BITS), .FIRST_BITS(FIRST_BITS),
    .QUERY_COLUMNS(QUERY_COLUMNS)
  ) addresses (
    .clk(clk), .is_query(query1), .is_value(value1), .word(word1), .token(token1), .block(block1),
    .step(destination1.step), .stride(stride1), .key_words(key_words1), .first(first3), .address(address5),
    .far_address(far5));
  quasar_delay #(.BITS(2 * ADDRESS_BITS), .CYCLES(CODE_CYCLES - 5), .CLEARED(0)) address_line (
    .clk(clk), .reset(reset), .in({address5, far5}), .out({late_address, late_far}));
  quasar_delay #(.BITS(FIRST_BITS), .CYCLES(CODE_CYCLES - 3), .CLEARED(0)) first_line (
    .clk(clk), .reset(reset), .in(first3), .out(first));

  // The beat in the cycle of its codes.
  logic x, h, query, value, is_logit, from_context, from_pixels;
  logic [quasar_pkg::LANE_BITS-1:0] lane;
  logic [quasar_pkg::STEP_BITS-1:0] step;
  logic [GROUP_BITS-1:0] group;
  logic [COUNT_BITS-1:0] count_before;
  logic [DRAIN-1:0] mask;
  logic [DRAIN*8-1:0] late_pixels, codes;
  quasar_delay #(.BITS(5), .CYCLES(CODE_CYCLES - 1), .CLEARED(1)) write_line (
    .clk(clk), .reset(reset), .in({x1, h1, query1, value1, logit1}), .out({x, h, query, value, is_logit}));
  quasar_delay #(.BITS(18 + GROUP_BITS), .CYCLES(CODE_CYCLES - 1), .CLEARED(0)) beat_line (
    .clk(clk), .reset(reset), .in({context1, pixels1, destination1.lane, destination1.step, group1}),
    .out({from_context, from_pixels, lane, step, group}));
  quasar_delay #(.BITS(COUNT_BITS), .CYCLES(CODE_CYCLES - 2), .CLEARED(0)) count_line (
    .clk(clk), .reset(reset), .in(count1), .out(count_before));
  quasar_delay #(.BITS(DRAIN * 8), .CYCLES(CODE_CYCLES), .CLEARED(0)) pixel_line (
    .clk(clk), .reset(reset), .in(pixel_codes), .out(late_pixels));
  assign codes = from_pixels ? late_pixels : from_context ? context_codes : lane_codes;

  // Codes in the order of columns, and the columns that take one.
  logic [WINDOW*8-1:0] window, rotated;
  logic [2*QUERY_COLUMNS-1:0] query_reached;
  logic [2*INPUTS-1:0] value_reached;
  logic [DRAIN*8-1:0] operand_codes;
  localparam integer TURN_BITS = WINDOW > 1 ? $clog2(WINDOW) : 1;
  always_comb begin
    window = 0;
    window[DRAIN*8-1:0] = codes;
  end
  quasar_rotator #(.ELEMENTS(WINDOW), .BITS(8)) rotator (.in(window), .amount(-first[TURN_BITS-1:0]), .out(rotated));
  assign query_reached = {{(2*QUERY_COLUMNS-DRAIN){1'b0}}, mask} << first;
  assign value_reached = {{(2*INPUTS-DRAIN){1'b0}}, mask} << first;
  generate
    for (genvar i = 0; i < DRAIN; i = i + 1) begin : gen_mask
      localparam [COUNT_BITS-1:0] LANE = i;
      always_ff @(posedge clk) mask[i] <= LANE < count_before;
    end
    for (genvar i = 0; i < WORD_TOKENS; i = i + 1) begin : gen_byte
      localparam integer GROUP = i / DRAIN;
      always_ff @(posedge clk) operand_bytes[i] <= mask[i % DRAIN] && group == GROUP[GROUP_BITS-1:0];
      assign operand_word[i*8 +: 8] = operand_codes[i % DRAIN*8 +: 8];
    end
    for (genvar i = 0; i < COLUMNS; i = i + 1) begin : gen_column
      localparam [quasar_pkg::LANE_BITS-1:0] COLUMN = i;
      always_ff @(posedge clk) columns[i] <= lane == COLUMN;
    end
  endgenerate
  always_ff @(posedge clk) begin
    x_write <= x && !reset;
    h_write <= h && !reset;
    logit_write <= is_logit && !reset;
    query_columns <= {QUERY_COLUMNS{query}}
      & (query_reached[QUERY_COLUMNS-1:0] | query_reached[2*QUERY_COLUMNS-1:QUERY_COLUMNS]);
    query_far <= {QUERY_COLUMNS{query}} & query_reached[2*QUERY_COLUMNS-1:QUERY_COLUMNS];
    value_columns <= {INPUTS{value}} & (value_reached[INPUTS-1:0] | value_reached[2*INPUTS-1:INPUTS]);
    value_far <= {INPUTS{value}} & value_reached[2*INPUTS-1:INPUTS];
    operand_codes <= codes;
    window_codes <= rotated;
    address <= late_address;
    far_address <= late_far;
    logit_class <= {step, lane};
    logit <= lane_logit;
  end

`ifndef SYNTHESIS
  initial begin
    assert (TOKENS % DRAIN == 0 && WORD_TOKENS % TOKENS == 0 && HALVES <= 2 && INPUTS <= 64 && TILE <= 64
            && REQUEST_CYCLES >= 0 && CHANNEL_BITS <= STRIDE_BITS && CHANNEL_BITS <= 16 && DRAIN <= INPUTS)
    else $fatal(1, "DRAIN %0d, TOKENS %0d, WORD_TOKENS %0d, INPUTS %0d, ROWS %0d, CODE_CYCLES %0d do not go together",
                DRAIN, TOKENS, WORD_TOKENS, INPUTS, ROWS, CODE_CYCLES);
  end
  logic [31:0] lane0, rows;
  assign lane0 = {26'd0, destination0.lane};
  assign rows = target0 == quasar_pkg::TARGET_QKV && destination0.kind == quasar_pkg::KIND_VALUE ? TILE : INPUTS;
  always @(posedge clk) if (!reset && (beat_valid === 1'b1 || pixel_valid === 1'b1)) begin
    assert (target0 > quasar_pkg::TARGET_QKV || lane0 < rows)
    else $fatal(1, "column %0d of %0d", lane0, rows);
    assert (target0 > quasar_pkg::TARGET_QKV
            || (target0 == quasar_pkg::TARGET_QKV) == (destination0.kind != quasar_pkg::KIND_DIRECT))
    else $fatal(1, "row of kind %0d for target %0d", destination0.kind, target0);
    assert (group_of_word * DRAIN < WORD_TOKENS) else $fatal(1, "group %0d beyond the word", group_of_word);
  end
  always @(posedge clk) if (!reset && beat_valid === 1'b1) begin
    assert (beat_target <= quasar_pkg::TARGET_LOGITS && (!beat_context || beat_target == quasar_pkg::TARGET_X))
    else $fatal(1, "target %0d, from context lanes %b", beat_target, beat_context);
    assert (beat_count != 0 && {{(32-COUNT_BITS){1'b0}}, beat_count} <= DRAIN)
    else $fatal(1, "%0d tokens in a beat", beat_count);
    assert ({{(32-TOKEN_BITS){1'b0}}, beat_token}
            == {{(32-WORD_BITS){1'b0}}, beat_word} * WORD_TOKENS + (beat_half ? TOKENS : 0))
    else $fatal(1, "token %0d is not that of word %0d, half %b", beat_token, beat_word, beat_half);
    assert ((!beat_half || HALVES == 2) && first_token + {{(32-COUNT_BITS){1'b0}}, beat_count} <= MAX_TOKENS)
    else $fatal(1, "half %b, %0d tokens from %0d", beat_half, beat_count, first_token);
  end
`endif
endmodule
