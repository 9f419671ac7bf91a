// Compares the beats of a quasar_drain with the tiles that went into the array, in value and in cycle.
//
// A tile is pushed before its sums are valid: `hold_cycle` is the cycle in which they stand in the hold registers, `expected`
// the sums [ROWS_OF_TILE][WORD_TOKENS] as 32-bit integers. Beat n of q is due in cycle hold_cycle + n + 1, its row entry
// in hold_cycle + n; in every other cycle there must be none.
module quasar_beats_tb #(
  parameter CASE = "beats",
  parameter integer ROWS_OF_TILE = 4,
  parameter integer WORD_TOKENS = 8,
  parameter integer SUM_BITS = 27,
  parameter integer DRAIN = 2,
  parameter integer SOFTMAX = 2,
  parameter integer TAG_BITS = 8
) (
  input  logic                                   clk,
  input  logic                                   reset,
  input  logic [31:0]                            cycle,
  input  logic                                   push,
  input  logic [31:0]                            hold_cycle,
  input  logic                                   is_scores,
  input  logic [31:0]                            rows,
  input  logic [31:0]                            tokens,
  input  logic [TAG_BITS-1:0]                    tag,
  input  logic [ROWS_OF_TILE*WORD_TOKENS*32-1:0] expected,
  input  logic                                   row_read,
  input  logic [31:0]                            row_address,
  input  logic                                   tile_ends,
  input  logic                                   beat_valid,
  input  logic [4:0]                             beat_flags,  // first, last, ends_row, has_second, is_scores
  input  logic [31:0]                            beat_row,
  input  logic [31:0]                            beat_group,
  input  logic [31:0]                            beat_count,
  input  logic [TAG_BITS-1:0]                    beat_tag,
  input  logic [DRAIN*SUM_BITS-1:0]              beat_sums,
  input  logic [2*SOFTMAX*SUM_BITS-1:0]          beat_score_sums,
  output logic [31:0]                            tiles,       // finished
  output logic [31:0]                            beats,
  output logic [31:0]                            followers,   // beats directly behind another one
  output logic [31:0]                            first_beat,  // cycle
  output logic [31:0]                            errors
);
  localparam integer DEPTH = 64;
  localparam integer SHOWN = 5;

  logic [31:0] hold_cycles [0:DEPTH-1];
  logic [31:0] row_counts [0:DEPTH-1];
  logic [31:0] token_counts [0:DEPTH-1];
  logic [TAG_BITS-1:0] tags [0:DEPTH-1];
  logic kinds [0:DEPTH-1];
  logic [ROWS_OF_TILE*WORD_TOKENS*32-1:0] sums [0:DEPTH-1];
  integer written, place, beat, row_place, row_beat, last_cycle;
  integer wrong, step, groups, beats_of_tile, row, group, count, found;
  logic due;
  logic [ROWS_OF_TILE*WORD_TOKENS*32-1:0] wanted;
  logic [33:0] selected;
  logic [5+96+TAG_BITS-1:0] described;

  // Sum of row `which_row`, token `token` against the bits of a beat.
  task automatic compare(input integer which_row, input integer token, input logic [SUM_BITS-1:0] value);
    integer right;
    begin
      right = wanted[(which_row*WORD_TOKENS+token)*32 +: 32];
      found = {{32-SUM_BITS{value[SUM_BITS-1]}}, value};
      if (value !== right[SUM_BITS-1:0]) begin
        wrong = wrong + 1;
        if (errors + wrong <= SHOWN) begin
          $display("%0s tile %0d, beat %0d: row %0d, token %0d is %0d, not %0d", CASE, place, beat, which_row, token, found,
                   right);
        end
      end
    end
  endtask

  always @(posedge clk) begin
    wrong = 0;
    if (reset) begin
      written = 0; place = 0; beat = 0; row_place = 0; row_beat = 0; last_cycle = -2;
      tiles <= 0; beats <= 0; followers <= 0; first_beat <= 0; errors <= 0;
    end else begin
      if (push) begin
        hold_cycles[written%DEPTH] = hold_cycle;
        row_counts[written%DEPTH] = rows;
        token_counts[written%DEPTH] = tokens;
        tags[written%DEPTH] = tag;
        kinds[written%DEPTH] = is_scores;
        sums[written%DEPTH] = expected;
        written = written + 1;
      end

      // The beat that is selected now: its row entry.
      due = row_place < written && cycle >= hold_cycles[row_place%DEPTH];
      selected = 0;
      if (due) begin
        step = kinds[row_place%DEPTH] ? SOFTMAX : DRAIN;
        groups = (token_counts[row_place%DEPTH] + step - 1) / step;
        row = row_beat / groups;
        beats_of_tile = kinds[row_place%DEPTH] ? (row_counts[row_place%DEPTH] + 1) / 2 * groups
                                               : row_counts[row_place%DEPTH] * groups;
        selected = {!kinds[row_place%DEPTH], row_beat == beats_of_tile - 1, kinds[row_place%DEPTH] ? 32'd0 : row[31:0]};
        row_beat = row_beat + 1;
        if (row_beat == beats_of_tile) begin
          row_beat = 0;
          row_place = row_place + 1;
        end
      end
      if ({row_read, tile_ends, row_read ? row_address : 32'd0} !== selected) begin
        wrong = wrong + 1;
        if (errors + wrong <= SHOWN) begin
          $display("%0s cycle %0d, tile %0d: read %b, end %b, row %0d, not %b", CASE, cycle, row_place, row_read, tile_ends,
                   row_address, selected);
        end
      end

      // The beat at the outputs.
      due = place < written && cycle > hold_cycles[place%DEPTH];
      if (beat_valid !== due) begin
        wrong = wrong + 1;
        if (errors + wrong <= SHOWN) $display("%0s cycle %0d, tile %0d: beat %b, not %b", CASE, cycle, place, beat_valid, due);
      end
      if (due) begin
        step = kinds[place%DEPTH] ? SOFTMAX : DRAIN;
        groups = (token_counts[place%DEPTH] + step - 1) / step;
        group = beat % groups;
        row = kinds[place%DEPTH] ? beat / groups * 2 : beat / groups;
        beats_of_tile = kinds[place%DEPTH] ? (row_counts[place%DEPTH] + 1) / 2 * groups : row_counts[place%DEPTH] * groups;
        count = group == groups - 1 ? token_counts[place%DEPTH] - group * step : step;
        wanted = sums[place%DEPTH];
        described = {beat == 0, beat == beats_of_tile - 1, group == groups - 1, row + 1 < row_counts[place%DEPTH],
                     kinds[place%DEPTH], row, group, count, tags[place%DEPTH]};
        if ({beat_flags, beat_row, beat_group, beat_count, beat_tag} !== described) begin
          wrong = wrong + 1;
          if (errors + wrong <= SHOWN) begin
            $display("%0s cycle %0d, tile %0d, beat %0d is described as %h, not %h", CASE, cycle, place, beat,
                     {beat_flags, beat_row, beat_group, beat_count, beat_tag}, described);
          end
        end
        for (int t = 0; t < count; t = t + 1) begin
          if (!kinds[place%DEPTH]) compare(row, group * step + t, beat_sums[t*SUM_BITS +: SUM_BITS]);
          else begin
            compare(row, group * step + t, beat_score_sums[t*SUM_BITS +: SUM_BITS]);
            if (row + 1 < row_counts[place%DEPTH]) begin
              compare(row + 1, group * step + t, beat_score_sums[(SOFTMAX+t)*SUM_BITS +: SUM_BITS]);
            end
          end
        end
        if (place == 0 && beat == 0) first_beat <= cycle;
        if (last_cycle == cycle - 1) followers <= followers + 1;
        last_cycle = cycle;
        beats <= beats + 1;
        beat = beat + 1;
        if (beat == beats_of_tile) begin
          beat = 0;
          place = place + 1;
          tiles <= tiles + 1;
        end
      end
      errors <= errors + wrong;
    end
  end
endmodule
