// Hold registers of a tile's sums, and the beats in which they leave.
//
// The tile comes with sums_valid; the cycle after it is cycle h. Beat n is selected in cycle h + n and stands at the outputs
// in cycle h + n + 1, a beat per cycle, in this order:
//   ordinary tile  for each row ρ, for each group g of DRAIN tokens: sums of the tokens g·DRAIN …
//   score tile     for each row pair, for each group g of SOFTMAX tokens (keys): score_sums [2 rows][SOFTMAX]
// The last group of a row has beat_count valid tokens, the others DRAIN or SOFTMAX. The hold registers show one row
// pair and move up by one after its beats. A tile may come in the cycle in which the last beat of the one before is
// selected, and not earlier.
// Score tiles have the pair shape, so at most TOKENS tokens; ordinary ones at most WORD_TOKENS.
module quasar_drain #(
  parameter integer ROWS = 2,
  parameter integer TOKENS = 4,
  parameter integer BLOCK_PITCH = 11,  // 0: no block shape
  parameter integer SUM_BITS = 27,
  parameter integer DRAIN = 2,         // divides TOKENS
  parameter integer SOFTMAX = 2,       // divides TOKENS
  parameter integer TAG_BITS = 8,
  parameter integer WORD_TOKENS = TOKENS * (BLOCK_PITCH == 0 ? 1 : 2),
  parameter integer ROW_BITS = $clog2(2 * ROWS),
  parameter integer TOKEN_BITS = $clog2(WORD_TOKENS + 1),
  parameter integer MOST_GROUPS = WORD_TOKENS / DRAIN > TOKENS / SOFTMAX ? WORD_TOKENS / DRAIN : TOKENS / SOFTMAX,
  parameter integer GROUP_BITS = MOST_GROUPS > 1 ? $clog2(MOST_GROUPS) : 1,
  parameter integer COUNT_BITS = $clog2((DRAIN > SOFTMAX ? DRAIN : SOFTMAX) + 1)
) (
  input  logic                                   clk,
  input  logic                                   reset,
  input  logic                                   sums_valid,       // cycle h − 1
  input  logic [2*ROWS*WORD_TOKENS*SUM_BITS-1:0] sums,             // cycle h − 1, [row][token]
  input  logic                                   is_scores,        // cycle h − 1
  input  logic [ROW_BITS:0]                      rows,             // cycle h − 1: 1 … 2·ROWS
  input  logic [TOKEN_BITS-1:0]                  tokens,           // cycle h − 1: 1 … WORD_TOKENS
  input  logic [TAG_BITS-1:0]                    tag,              // cycle h − 1
  output logic                                   row_read,         // cycle h + n: an ordinary beat is selected
  output logic [ROW_BITS-1:0]                    row_address,      // cycle h + n: its row
  output logic                                   tile_ends,        // cycle h + n: the last beat of a tile is selected
  output logic                                   beat_valid,       // cycle h + n + 1, as all that follow
  output logic                                   beat_first,       // of the tile
  output logic                                   beat_last,        // of the tile
  output logic                                   beat_ends_row,    // of its row, or row pair
  output logic                                   beat_has_second,  // the tile has row ρ + 1
  output logic                                   beat_is_scores,
  output logic [ROW_BITS-1:0]                    beat_row,         // ρ; of a score tile the first row of the pair
  output logic [GROUP_BITS-1:0]                  beat_group,
  output logic [COUNT_BITS-1:0]                  beat_count,
  output logic [TAG_BITS-1:0]                    beat_tag,
  output logic [DRAIN*SUM_BITS-1:0]              beat_sums,
  output logic [2*SOFTMAX*SUM_BITS-1:0]          beat_score_sums
);
  localparam integer ROW_PAIR_BITS = 2 * WORD_TOKENS * SUM_BITS;
  localparam integer GROUPS = WORD_TOKENS / DRAIN;
  localparam integer CHUNKS = TOKENS / SOFTMAX;

  // What is left of the tile from the row and the group of this beat on.
  logic active, scores, begins;
  logic [ROW_BITS:0] rows_left;
  logic [TOKEN_BITS-1:0] tokens_left, tokens_kept;
  logic [ROW_BITS-1:0] row;
  logic [GROUP_BITS-1:0] group;
  logic [TAG_BITS-1:0] tag_kept;

  logic [TOKEN_BITS-1:0] step;
  logic [ROW_BITS:0] rows_step;
  logic row_ends, ends, moves;
  assign step = scores ? SOFTMAX[TOKEN_BITS-1:0] : DRAIN[TOKEN_BITS-1:0];
  assign rows_step = {{ROW_BITS-1{1'b0}}, scores, !scores};
  assign row_ends = tokens_left <= step;
  assign ends = row_ends && (rows_left == 1 || (scores && rows_left == 2));
  assign moves = row_ends && (scores || row[0]);
  assign row_read = active && !scores;
  assign row_address = row;
  assign tile_ends = active && ends;

  always_ff @(posedge clk) begin
    if (sums_valid) begin
      scores <= is_scores;
      begins <= 1'b1;
      rows_left <= rows;
      tokens_left <= tokens;
      tokens_kept <= tokens;
      row <= 0;
      group <= 0;
      tag_kept <= tag;
    end else begin
      begins <= 1'b0;
      if (row_ends) begin
        rows_left <= rows_left - rows_step;
        row <= row + rows_step[ROW_BITS-1:0];
        group <= 0;
        tokens_left <= tokens_kept;
      end else begin
        group <= group + 1'b1;
        tokens_left <= tokens_left - step;
      end
    end
    if (reset) active <= 1'b0;
    else if (sums_valid) active <= 1'b1;
    else if (ends) active <= 1'b0;
  end

  // Hold registers by row pair; head: the pair of this beat.
  logic [ROWS*ROW_PAIR_BITS-1:0] hold;
  logic [ROW_PAIR_BITS-1:0] head;
  assign head = hold[0 +: ROW_PAIR_BITS];
  always_ff @(posedge clk) begin
    if (sums_valid) hold <= sums;
    else if (moves) hold <= hold >> ROW_PAIR_BITS;
  end

  // Selection as a sum of products: every group is a constant part of the head.
  logic [31:0] group_number;
  logic odd;
  logic [DRAIN*SUM_BITS-1:0] chosen;
  logic [2*SOFTMAX*SUM_BITS-1:0] chosen_scores;
  assign odd = row[0];
  assign group_number = {{32-GROUP_BITS{1'b0}}, group};
  always_comb begin
    chosen = {DRAIN*SUM_BITS{1'b0}};
    for (int g = 0; g < GROUPS; g = g + 1) begin
      chosen = chosen
        | ({DRAIN*SUM_BITS{group_number == g && !odd}} & head[g*DRAIN*SUM_BITS +: DRAIN*SUM_BITS])
        | ({DRAIN*SUM_BITS{group_number == g && odd}} & head[(WORD_TOKENS+g*DRAIN)*SUM_BITS +: DRAIN*SUM_BITS]);
    end
    chosen_scores = {2*SOFTMAX*SUM_BITS{1'b0}};
    for (int g = 0; g < CHUNKS; g = g + 1) begin
      chosen_scores = chosen_scores | ({2*SOFTMAX*SUM_BITS{group_number == g}}
        & {head[(WORD_TOKENS+g*SOFTMAX)*SUM_BITS +: SOFTMAX*SUM_BITS], head[g*SOFTMAX*SUM_BITS +: SOFTMAX*SUM_BITS]});
    end
  end

  always_ff @(posedge clk) begin
    beat_valid <= active && !reset;
    beat_first <= begins;
    beat_last <= ends;
    beat_ends_row <= row_ends;
    beat_has_second <= rows_left != 1;
    beat_is_scores <= scores;
    beat_row <= row;
    beat_group <= group;
    beat_count <= row_ends ? tokens_left[COUNT_BITS-1:0] : step[COUNT_BITS-1:0];
    beat_tag <= tag_kept;
    beat_sums <= chosen;
    beat_score_sums <= chosen_scores;
  end

`ifndef SYNTHESIS
  initial begin
    assert (TOKENS % DRAIN == 0 && TOKENS % SOFTMAX == 0)
    else $fatal(1, "DRAIN %0d and SOFTMAX %0d must divide TOKENS = %0d", DRAIN, SOFTMAX, TOKENS);
  end
  always @(posedge clk) if (!reset && sums_valid) begin
    assert (!active || ends) else $fatal(1, "a tile comes %0d rows before the end of the one before", rows_left);
    assert (rows >= 1 && {{31-ROW_BITS{1'b0}}, rows} <= 2 * ROWS)
    else $fatal(1, "a tile of %0d rows; 1…%0d are possible", rows, 2 * ROWS);
    assert (tokens >= 1 && {{32-TOKEN_BITS{1'b0}}, tokens} <= (is_scores ? TOKENS : WORD_TOKENS))
    else $fatal(1, "a tile of %0d tokens; 1…%0d are possible", tokens, is_scores ? TOKENS : WORD_TOKENS);
  end
`endif
endmodule
