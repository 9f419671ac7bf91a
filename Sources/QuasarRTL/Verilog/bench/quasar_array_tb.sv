// Edge, array and drain together on VECTORS random tiles: the structural array and its behavioural twin side by side, both
// against sums of the codes as plain integers, in value and in cycle (quasar_beats_tb).
//
// Tiles change in shape, steps, rows, tokens and kind from one to the next. Three of four start in the first cycle that the
// rule of the engine allows, a_y = max(a_x + S_x, a_x + S_x + q_x − S_y); the others later. A third of the tiles has random
// codes, a third mostly corners, a third one corner for all weights of a row and all inputs, so that every lane comes to the
// edge of its field. Rows, tokens and halves of a word that a tile does not use hold other codes.
module quasar_array_tb #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer ROWS = 2,
  parameter integer INPUTS = 8,
  parameter integer TOKENS = 4,
  parameter integer CASCADE = 4,
  parameter integer PAIR_PITCH = 18,
  parameter integer BLOCK_PITCH = 11,
  parameter integer BROADCAST = 1,
  parameter integer SUM_BITS = 27,
  parameter integer DRAIN = 2,
  parameter integer SOFTMAX = 2,
  parameter integer MOST_STEPS = 12,
  parameter integer SEED = 1,
  parameter CASE = "quasar_array",
  parameter integer VECTORS = 1
) (
  input  logic        clk,
  input  logic        reset,
  output logic        done,
  output logic [31:0] errors
);
  localparam integer TAG_BITS = 8;
  localparam integer HAS_BLOCK = BLOCK_PITCH == 0 ? 0 : 1;
  localparam integer WORD_TOKENS = TOKENS * (1 + HAS_BLOCK);
  localparam integer TILE_ROWS = 2 * ROWS;
  localparam integer ROW_BITS = $clog2(TILE_ROWS);
  localparam integer TOKEN_BITS = $clog2(WORD_TOKENS + 1);
  localparam integer RECORD_BITS = 1 + ROW_BITS + 1 + TOKEN_BITS + TAG_BITS;
  localparam integer ARRAY_CYCLES = 1 + BROADCAST + (CASCADE - 1) + 4 + 1 + $clog2(INPUTS / CASCADE) + 1;
  localparam integer MOST_GROUPS = WORD_TOKENS / DRAIN > TOKENS / SOFTMAX ? WORD_TOKENS / DRAIN : TOKENS / SOFTMAX;
  localparam integer GROUP_BITS = MOST_GROUPS > 1 ? $clog2(MOST_GROUPS) : 1;
  localparam integer COUNT_BITS = $clog2((DRAIN > SOFTMAX ? DRAIN : SOFTMAX) + 1);
  localparam integer A_BITS = ROWS * INPUTS * quasar_pkg::DSP_A_BITS;
  localparam integer B_BITS = TOKENS * INPUTS * quasar_pkg::DSP_B_BITS;

  // Stimuli. Shapes: 0 pair signed, 1 pair unsigned, 2 block; styles: 0 random, 1 corners, 2 one corner.
  integer cycle, made, left, gap, beats_before, last_step, drawn, quiet;
  integer shape, style, steps, beats, code;
  logic [31:0] random;
  integer sums [0:TILE_ROWS*WORD_TOKENS-1];
  integer row_codes [0:TILE_ROWS-1];  // of a tile with one corner
  integer row_code [0:TILE_ROWS-1];   // of this input
  integer token_codes [0:WORD_TOKENS-1];
  logic is_scores;
  integer rows, tokens;
  logic [TAG_BITS-1:0] tag;
  logic upper_half;

  // The words on the ports.
  logic valid, first, last, block, half, unsigned_inputs;
  logic [INPUTS*TILE_ROWS*8-1:0] weights;
  logic [INPUTS*WORD_TOKENS*8-1:0] inputs;
  logic [RECORD_BITS-1:0] tile, tile_drained;
  logic push;
  integer push_cycle, push_rows, push_tokens;
  logic push_scores;
  logic [TAG_BITS-1:0] push_tag;
  logic [TILE_ROWS*WORD_TOKENS*32-1:0] push_sums;

  // A random number below `count`.
  task automatic draw(input integer count);
    begin
      random = random ^ (random << 13);
      random = random ^ (random >> 17);
      random = random ^ (random << 5);
      drawn = (random >> 4) % count;
    end
  endtask

  // A code of lowest … highest in the style of the tile.
  task automatic draw_code(input integer lowest, input integer highest);
    begin
      draw(8);
      code = 0;
      if (style == 2) code = drawn[0] ? highest : lowest;
      else if (style == 0 || drawn >= 6) begin
        draw(highest - lowest + 1);
        code = lowest + drawn;
      end else begin
        case (drawn)
          0: code = lowest;
          1: code = highest;
          2: code = lowest + 1;
          3: code = highest - 1;
          4: code = lowest < 0 ? -1 : 1;
          default: code = 0;
        endcase
      end
    end
  endtask

  task automatic draw_weight;
    begin
      if (shape == 2) draw_code(-7, 7);
      else draw_code(-127, 127);
    end
  endtask

  task automatic draw_input;
    begin
      if (shape == 2) draw_code(-32, 31);
      else if (shape == 1) draw_code(0, 255);
      else draw_code(-128, 127);
    end
  endtask

  task automatic draw_tile;
    integer groups;
    begin
      draw(2 + HAS_BLOCK);
      shape = drawn;
      draw(3);
      style = drawn;
      draw(4);
      is_scores = shape != 2 && drawn == 0;
      draw(3);
      if (drawn == 0) steps = 1;
      else begin
        draw(MOST_STEPS);
        steps = 1 + drawn;
      end
      draw(2);
      if (drawn == 0) rows = TILE_ROWS;
      else begin
        draw(TILE_ROWS);
        rows = 1 + drawn;
      end
      tokens = shape == 2 ? WORD_TOKENS : TOKENS;
      draw(2);
      if (drawn != 0) begin
        draw(tokens);
        tokens = 1 + drawn;
      end
      draw(256);
      tag = drawn[TAG_BITS-1:0];
      draw(2);
      upper_half = HAS_BLOCK != 0 && shape != 2 && drawn == 1;
      groups = is_scores ? (tokens + SOFTMAX - 1) / SOFTMAX : (tokens + DRAIN - 1) / DRAIN;
      beats = is_scores ? (rows + 1) / 2 * groups : rows * groups;
      gap = beats_before > steps ? beats_before - steps : 0;
      draw(4);
      if (drawn == 0) begin
        draw(4);
        gap = gap + 1 + drawn;
      end
      left = steps;
      for (int n = 0; n < TILE_ROWS * WORD_TOKENS; n = n + 1) sums[n] = 0;
      for (int n = 0; n < TILE_ROWS; n = n + 1) begin
        draw_weight();
        row_codes[n] = code;
      end
      for (int n = 0; n < WORD_TOKENS; n = n + 1) begin
        draw_input();
        token_codes[n] = code;
      end
    end
  endtask

  // The operands of a step, and what they add to the sums.
  task automatic drive_step;
    integer token;
    begin
      for (int k = 0; k < INPUTS; k = k + 1) begin
        for (int n = 0; n < TILE_ROWS; n = n + 1) begin
          code = row_codes[n];
          if (style != 2) draw_weight();
          row_code[n] = code;
          weights[(k*TILE_ROWS+n)*8 +: 8] <= code[7:0];
        end
        for (int t = 0; t < WORD_TOKENS; t = t + 1) begin
          token = upper_half ? t - TOKENS : t;  // its place in the tile
          code = token_codes[token < 0 ? 0 : token];
          if (style != 2) draw_input();
          if (token < 0 || (token >= TOKENS && shape != 2)) begin
            draw(256);
            code = drawn;
          end else begin
            for (int n = 0; n < TILE_ROWS; n = n + 1) begin
              sums[n*WORD_TOKENS+token] = sums[n*WORD_TOKENS+token] + row_code[n] * code;
            end
          end
          inputs[(k*WORD_TOKENS+t)*8 +: 8] <= code[7:0];
        end
      end
      valid <= 1'b1;
      first <= left == steps;
      last <= left == 1;
      block <= shape == 2;
      half <= upper_half;
      unsigned_inputs <= shape == 1;
      tile <= {is_scores, rows[ROW_BITS:0], tokens[TOKEN_BITS-1:0], tag};
    end
  endtask

  always @(posedge clk) begin
    cycle <= cycle + 1;
    valid <= 1'b0;
    first <= 1'bx;
    last <= 1'bx;
    block <= 1'bx;
    half <= 1'bx;
    unsigned_inputs <= 1'bx;
    weights <= {INPUTS*TILE_ROWS*8{1'bx}};
    inputs <= {INPUTS*WORD_TOKENS*8{1'bx}};
    push <= 1'b0;
    if (reset) begin
      cycle <= 0;
      made = 0;
      left = 0;
      gap = 0;
      beats_before = 0;
      last_step <= 0;
      random = 32'h2545f491 ^ (SEED * 32'h9e3779b1);
    end else begin
      if (left == 0 && made < VECTORS) begin
        draw_tile();
        made = made + 1;
      end
      if (left > 0 && gap > 0) gap = gap - 1;
      else if (left > 0) begin
        drive_step();
        left = left - 1;
        if (left == 0) begin
          push <= 1'b1;
          push_cycle <= cycle + 1 + ARRAY_CYCLES;
          push_rows <= rows;
          push_tokens <= tokens;
          push_scores <= is_scores;
          push_tag <= tag;
          for (int n = 0; n < TILE_ROWS * WORD_TOKENS; n = n + 1) push_sums[n*32 +: 32] <= sums[n];
          beats_before = beats;
          if (made == 1) last_step <= cycle + 1;
        end
      end
    end
  end

  logic edge_valid, edge_first, edge_last, edge_block;
  logic [A_BITS-1:0] a, d;
  logic [B_BITS-1:0] b;
  quasar_edge #(
    .GENERATION(GENERATION), .ROWS(ROWS), .INPUTS(INPUTS), .TOKENS(TOKENS), .CASCADE(CASCADE), .PAIR_PITCH(PAIR_PITCH),
    .BLOCK_PITCH(BLOCK_PITCH)
  ) unit_edge (
    .clk(clk), .reset(reset), .in_valid(valid), .in_first(first), .in_last(last), .in_block(block), .half(half),
    .unsigned_inputs(unsigned_inputs), .weights(weights), .inputs(inputs), .out_valid(edge_valid),
    .out_first(edge_first), .out_last(edge_last), .out_block(edge_block), .a(a), .d(d), .b(b));
  quasar_delay #(.BITS(RECORD_BITS), .CYCLES(ARRAY_CYCLES - 1)) delay (
    .clk(clk), .reset(1'b0), .in(tile), .out(tile_drained));

  // Structural array: 0, twin: 1.
  logic [2*32-1:0] tiles, beats_seen, followers, first_beat, wrong;
  generate
    for (genvar n = 0; n < 2; n = n + 1) begin : gen_array
      logic sums_valid, row_read, tile_ends, beat_valid, beat_first, beat_last, ends_row, has_second, of_scores;
      logic [TILE_ROWS*WORD_TOKENS*SUM_BITS-1:0] array_sums;
      logic [ROW_BITS-1:0] row_address, beat_row;
      logic [GROUP_BITS-1:0] beat_group;
      logic [COUNT_BITS-1:0] beat_count;
      logic [TAG_BITS-1:0] beat_tag;
      logic [DRAIN*SUM_BITS-1:0] beat_sums;
      logic [2*SOFTMAX*SUM_BITS-1:0] beat_score_sums;
      quasar_array #(
        .GENERATION(GENERATION), .ROWS(ROWS), .INPUTS(INPUTS), .TOKENS(TOKENS), .CASCADE(CASCADE),
        .PAIR_PITCH(PAIR_PITCH), .BLOCK_PITCH(BLOCK_PITCH), .BROADCAST(BROADCAST), .SUM_BITS(SUM_BITS), .BEHAVIOURAL(n)
      ) unit (
        .clk(clk), .reset(reset), .in_valid(edge_valid), .in_first(edge_first), .in_last(edge_last),
        .in_block(edge_block), .a(a), .d(d), .b(b), .sums_valid(sums_valid), .sums(array_sums));
      quasar_drain #(
        .ROWS(ROWS), .TOKENS(TOKENS), .BLOCK_PITCH(BLOCK_PITCH), .SUM_BITS(SUM_BITS), .DRAIN(DRAIN), .SOFTMAX(SOFTMAX),
        .TAG_BITS(TAG_BITS)
      ) unit_drain (
        .clk(clk), .reset(reset), .sums_valid(sums_valid), .sums(array_sums),
        .is_scores(tile_drained[RECORD_BITS-1]), .rows(tile_drained[TAG_BITS+TOKEN_BITS +: ROW_BITS+1]),
        .tokens(tile_drained[TAG_BITS +: TOKEN_BITS]), .tag(tile_drained[0 +: TAG_BITS]), .row_read(row_read),
        .row_address(row_address), .tile_ends(tile_ends), .beat_valid(beat_valid), .beat_first(beat_first),
        .beat_last(beat_last), .beat_ends_row(ends_row), .beat_has_second(has_second), .beat_is_scores(of_scores),
        .beat_row(beat_row), .beat_group(beat_group), .beat_count(beat_count), .beat_tag(beat_tag),
        .beat_sums(beat_sums), .beat_score_sums(beat_score_sums));
      quasar_beats_tb #(
        .CASE(CASE), .ROWS_OF_TILE(TILE_ROWS), .WORD_TOKENS(WORD_TOKENS), .SUM_BITS(SUM_BITS), .DRAIN(DRAIN),
        .SOFTMAX(SOFTMAX), .TAG_BITS(TAG_BITS)
      ) check (
        .clk(clk), .reset(reset), .cycle(cycle), .push(push), .hold_cycle(push_cycle), .is_scores(push_scores),
        .rows(push_rows), .tokens(push_tokens), .tag(push_tag), .expected(push_sums), .row_read(row_read),
        .row_address({{32-ROW_BITS{1'b0}}, row_address}), .tile_ends(tile_ends), .beat_valid(beat_valid),
        .beat_flags({beat_first, beat_last, ends_row, has_second, of_scores}),
        .beat_row({{32-ROW_BITS{1'b0}}, beat_row}), .beat_group({{32-GROUP_BITS{1'b0}}, beat_group}),
        .beat_count({{32-COUNT_BITS{1'b0}}, beat_count}), .beat_tag(beat_tag), .beat_sums(beat_sums),
        .beat_score_sums(beat_score_sums), .tiles(tiles[n*32 +: 32]), .beats(beats_seen[n*32 +: 32]),
        .followers(followers[n*32 +: 32]), .first_beat(first_beat[n*32 +: 32]), .errors(wrong[n*32 +: 32]));
    end
  endgenerate

  // The end: all tiles are made, and the longest drain after the last one is over.
  always @(posedge clk) begin
    if (reset) begin
      quiet <= 0;
      done <= 1'b0;
      errors <= 0;
    end else if (made < VECTORS || left > 0) quiet <= 0;
    else if (quiet < ARRAY_CYCLES + TILE_ROWS * WORD_TOKENS + 20) quiet <= quiet + 1;
    else if (!done) begin
      done <= 1'b1;
      errors <= wrong[31:0] + wrong[63:32] + (tiles == {2{VECTORS}} ? 0 : 1);
      if (wrong == 64'd0 && tiles == {2{VECTORS}} && first_beat[31:0] == first_beat[63:32]) begin
        $display("PASS %0s vectors=%0d latency=%0d interval=1x%0d", CASE, VECTORS, first_beat[31:0] - 1 - last_step,
                 followers[31:0]);
      end else begin
        $display("FAIL %0s errors=%0d of %0d", CASE, wrong[31:0] + wrong[63:32] + (tiles == {2{VECTORS}} ? 0 : 1),
                 beats_seen[31:0]);
      end
    end
  end
endmodule
