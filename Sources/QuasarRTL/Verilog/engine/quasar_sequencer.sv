// Walks through the commands of a program: tiles of GEMM and attention to the array, norms to the norm path.
//
// Commands run one after the other, in order. A command that is taken in cycle c starts in c + 1; the first address of its
// first tile, if that may start at once, is on the memories in cycle c + 4. After a tile's last address in cycle z and q
// beats of its drain, a command of products is complete in cycle z + q + TAIL, when its last output can be read:
// TAIL counts the pipeline from an address to the memory of the target. `complete` is high for one cycle; the next command
// may be taken in that cycle.
//
// Address and control of a step leave together (`step_valid`), the record of its tile with the tile's last step.
module quasar_sequencer #(
  parameter integer ROWS = 2,
  parameter integer TOKENS = 9,
  parameter integer DRAIN = 3,
  parameter integer SOFTMAX = 3,
  parameter integer HAS_BLOCKS = 0,
  parameter integer QUERY_TILES = 1,
  parameter integer RING_BITS = 3,
  parameter integer GEMM_TAIL = 40,
  parameter integer ATTENTION_TAIL = 40,
  parameter integer ADDRESS_BITS = 16
) (
  input  logic                                clk,
  input  logic                                reset,
  // Commands.
  input  logic                                command_valid,
  output logic                                command_ready,
  input  logic [quasar_command_pkg::COMMAND_BITS-1:0] command,
  output logic                                complete,
  output quasar_command_t                     current,  // still while a command runs
  // Weights of row tiles.
  input  logic [1:0]                          slot_full,
  input  logic                                slot_release,  // the drain has left a slot, in the order of their use
  input  logic [1:0]                          slot_is_block,
  input  logic [15:0]                         slot_rows,
  // Steps of the array.
  output logic                                step_valid,
  output logic                                step_first,
  output logic                                step_last,
  output logic                                step_is_block,
  output logic                                step_half,
  output logic                                step_is_scores,
  output logic                                step_is_context,
  output logic                                step_slot,
  output logic [15:0]                         step,
  output logic [ADDRESS_BITS-1:0]             input_address,
  output logic [ADDRESS_BITS-1:0]             weight_address,  // of Q or V
  output logic [7:0]                          query_select,
  // The record of the tile, with every step.
  output logic [7:0]                          tile_rows,
  output logic [7:0]                          tile_tokens,
  output quasar_tile_t                        tile,
  // Attention, norm, end of an image.
  input  logic                                block_ready,
  output logic                                norm_start,
  input  logic                                norm_done,
  output logic                                finish_start,
  input  logic                                finish_done
);
  localparam integer BEAT_BITS = 12;
  localparam [2:0] IDLE = 3'd0, START = 3'd1, PRODUCT = 3'd2, PRODUCT_TAIL = 3'd3, NORM = 3'd4, FINISH = 3'd5;
  localparam integer TAIL_BITS = $clog2((GEMM_TAIL > ATTENTION_TAIL ? GEMM_TAIL : ATTENTION_TAIL) + 1);
  localparam integer AFTER_GEMM = GEMM_TAIL - 1;
  localparam integer AFTER_ATTENTION = ATTENTION_TAIL - 1;
  localparam [TAIL_BITS-1:0] GEMM_REST = AFTER_GEMM[TAIL_BITS-1:0];
  localparam [TAIL_BITS-1:0] ATTENTION_REST = AFTER_ATTENTION[TAIL_BITS-1:0];

  logic [2:0] state;
  logic [TAIL_BITS-1:0] tail;
  logic is_gemm, is_attention, gemm_start, attention_start, walk_active, issue_idle;
  assign is_gemm = current.kind == quasar_command_pkg::COMMAND_GEMM;
  assign is_attention = current.kind == quasar_command_pkg::COMMAND_ATTENTION;
  assign gemm_start = state == START & is_gemm;
  assign attention_start = state == START & is_attention;
  assign norm_start = state == START & current.kind == quasar_command_pkg::COMMAND_NORM;
  assign finish_start = state == START & current.kind == quasar_command_pkg::COMMAND_END;
  assign complete = (state == PRODUCT_TAIL & tail == {TAIL_BITS{1'b0}}) | (state == NORM & norm_done) | (state == FINISH & finish_done);
  assign command_ready = state == IDLE | complete;

  always_ff @(posedge clk) begin
    if (reset) state <= IDLE;
    else case (state)
      START: state <= is_gemm | is_attention ? PRODUCT : current.kind == quasar_command_pkg::COMMAND_NORM ? NORM : FINISH;
      PRODUCT: if (!walk_active && issue_idle) state <= PRODUCT_TAIL;
      default: if (command_ready) state <= command_valid ? START : IDLE;
    endcase
    if (command_valid && command_ready) current <= command;
    if (state == PRODUCT) tail <= is_gemm ? GEMM_REST : ATTENTION_REST;
    else tail <= tail - {{(TAIL_BITS-1){1'b0}}, 1'b1};
  end

  logic taken, gemm_active, gemm_ready, gemm_is_block, gemm_slot, gemm_ends_slot, gemm_half;

  // A slot whose last tile was issued stays full until the drain has left it.
  logic [1:0] issued;
  logic released;
  always_ff @(posedge clk) begin
    if (reset) begin
      issued <= 2'd0;
      released <= 1'b0;
    end else begin
      if (taken && gemm_active && gemm_ends_slot) issued[gemm_slot] <= 1'b1;
      if (slot_release) begin
        issued[released] <= 1'b0;
        released <= ~released;
      end
    end
  end

  // The two walks offer their next tile.
  logic [7:0] gemm_rows, gemm_tokens, gemm_word;
  logic [BEAT_BITS-1:0] gemm_beats;
  logic [ADDRESS_BITS-1:0] gemm_base;
  quasar_gemm_walk #(
    .ROWS(ROWS), .TOKENS(TOKENS), .DRAIN(DRAIN), .HAS_BLOCKS(HAS_BLOCKS), .ADDRESS_BITS(ADDRESS_BITS),
    .BEAT_BITS(BEAT_BITS)
  ) gemm (
    .clk(clk), .reset(reset), .start(gemm_start), .tokens(current.tokens), .row_tiles(current.row_tiles),
    .source_stride(current.source_stride), .last_groups_pair(current.last_groups),
    .last_groups_block(current.last_groups_block), .slot_full(slot_full & ~issued), .slot_is_block(slot_is_block),
    .slot_rows(slot_rows), .taken(taken & gemm_active), .active(gemm_active), .ready(gemm_ready), .is_block(gemm_is_block),
    .slot(gemm_slot), .ends_slot(gemm_ends_slot), .tile_rows(gemm_rows), .tile_tokens(gemm_tokens), .beats(gemm_beats),
    .base(gemm_base), .word(gemm_word), .half(gemm_half));

  logic attention_active, attention_ready, is_context, attention_half, ends_block, ends_rows;
  logic [15:0] attention_steps, first_key, channel;
  logic [7:0] attention_rows, attention_tokens, attention_word, first_query, select;
  logic [BEAT_BITS-1:0] attention_beats;
  logic [ADDRESS_BITS-1:0] weight_base, attention_base;
  logic [1:0] block_slot;
  logic [RING_BITS-1:0] pair_slot;
  quasar_attention_walk #(
    .ROWS(ROWS), .TOKENS(TOKENS), .DRAIN(DRAIN), .SOFTMAX(SOFTMAX), .HAS_BLOCKS(HAS_BLOCKS), .QUERY_TILES(QUERY_TILES),
    .RING_BITS(RING_BITS), .ADDRESS_BITS(ADDRESS_BITS), .BEAT_BITS(BEAT_BITS)
  ) attention (
    .clk(clk), .reset(reset), .start(attention_start), .heads(current.heads), .blocks(current.blocks),
    .head_steps(current.steps), .stride(current.source_stride), .key_steps(current.key_steps),
    .head_channels(current.head_channels), .channel_tiles(current.row_tiles), .last_tokens(current.last_tokens),
    .last_groups(current.last_groups), .last_key_groups(current.last_key_groups),
    .last_row_tiles(current.last_row_tiles), .last_channels(current.last_channels), .block_ready(block_ready),
    .taken(taken & attention_active), .active(attention_active), .ready(attention_ready), .is_context(is_context), .steps(attention_steps),
    .tile_rows(attention_rows), .tile_tokens(attention_tokens), .beats(attention_beats), .weight_base(weight_base),
    .query_select(select), .input_base(attention_base), .word(attention_word), .half(attention_half),
    .block_slot(block_slot), .first_query(first_query), .ends_block(ends_block), .ends_rows(ends_rows),
    .first_key(first_key), .pair_slot(pair_slot), .channel(channel));
  assign walk_active = gemm_active | attention_active;

  logic issue_valid, issue_first, issue_last;
  logic [15:0] issue_step;
  quasar_tile_issue #(.STEP_BITS(16), .BEAT_BITS(BEAT_BITS)) issue (
    .clk(clk), .reset(reset), .offer_ready(gemm_ready | attention_ready),
    .offer_steps(gemm_active ? current.steps : attention_steps), .offer_beats(gemm_active ? gemm_beats : attention_beats),
    .taken(taken), .valid(issue_valid), .first(issue_first), .last(issue_last), .step(issue_step), .idle(issue_idle));

  // The tile whose steps are issued.
  logic is_block, half, is_scores, in_context, slot;
  logic [ADDRESS_BITS-1:0] input_base, weights_at;
  logic [7:0] rows, tokens, selected;
  quasar_tile_t record, next_record;
  always_comb begin
    next_record = '0;
    next_record.is_scores = ~gemm_active & ~is_context;
    next_record.is_context = ~gemm_active & is_context;
    next_record.slot = gemm_slot;
    next_record.ends_slot = gemm_active & gemm_ends_slot;
    next_record.word = gemm_active ? gemm_word : attention_word;
    next_record.half = gemm_active ? gemm_half : attention_half;
    next_record.block_slot = block_slot;
    next_record.query = first_query;
    next_record.ends_block = ends_block;
    next_record.ends_rows = ends_rows;
    next_record.chunk = first_key;
    next_record.pair_slot = {{(8 - RING_BITS){1'b0}}, pair_slot};
    next_record.channel = channel;
  end
  always_ff @(posedge clk) if (taken) begin
    is_block <= gemm_active & gemm_is_block;
    // In the attention of scores the halves of a word are keys; a context reads words of TOKENS queries.
    half <= gemm_active ? gemm_half : attention_half & ~is_context;
    is_scores <= ~gemm_active & ~is_context;
    in_context <= ~gemm_active & is_context;
    slot <= gemm_slot;
    input_base <= gemm_active ? gemm_base : attention_base;
    weights_at <= weight_base;
    selected <= select;
    rows <= gemm_active ? gemm_rows : attention_rows;
    tokens <= gemm_active ? gemm_tokens : attention_tokens;
    record <= next_record;
  end

  always_ff @(posedge clk) begin
    step_valid <= issue_valid & ~reset;
    step_first <= issue_first;
    step_last <= issue_last;
    step_is_block <= is_block;
    step_half <= half;
    step_is_scores <= is_scores;
    step_is_context <= in_context;
    step_slot <= slot;
    step <= issue_step;
    input_address <= input_base + issue_step[ADDRESS_BITS-1:0];
    weight_address <= weights_at + issue_step[ADDRESS_BITS-1:0];
    query_select <= selected;
    tile_rows <= rows;
    tile_tokens <= tokens;
    tile <= record;
  end

`ifndef SYNTHESIS
  always @(posedge clk) if (!reset && state == START) begin
    assert (is_gemm || is_attention || current.kind == quasar_command_pkg::COMMAND_NORM || current.kind == quasar_command_pkg::COMMAND_END)
    else $fatal(1, "command %0d is unknown", current.kind);
  end
`endif
endmodule
