// Entries of 12 bytes out of stream words: rows of a tile, as many as come, or channels of a norm, one a cycle.
//
// Three words hold two groups of LANES = STREAM_BITS/64 entries: the second word completes one, the third another. The last
// word of a section, in_last, also ends the group that it only begins. Cycles of a word with single = 0: 1; a group that
// the last word begins goes out a cycle later, when no word of entries comes any more. With single = 1: LANES for each
// group that it ends and `count` still wants, at least 1. start (before the first word of a section) and count: the number
// of entries; the rest is dropped. single and count hold while words come.
// Out, one cycle after the cycle of the group or entry: groups with single = 0, entries with single = 1.
module quasar_entry_gearbox #(
  parameter integer STREAM_BITS = 128,
  parameter integer GROUP_BITS = 4,
  parameter integer INDEX_BITS = 8,
  parameter integer LANES = STREAM_BITS / 64
) (
  input  logic                        clk,
  input  logic                        reset,
  input  logic                        start,
  input  logic                        single,
  input  logic [15:0]                 count,
  input  logic                        in_valid,
  input  logic                        in_last,
  input  logic [STREAM_BITS-1:0]      in_word,
  output logic                        in_done,
  output logic                        group_write,
  output logic [GROUP_BITS-1:0]       group,  // its first entry divided by LANES
  output logic [LANES*72-1:0]         group_entries,
  output logic                        entry_write,
  output logic [INDEX_BITS-1:0]       entry_index,
  output quasar_channel_t             entry
);
  localparam integer HALF = STREAM_BITS / 2;
  localparam integer GROUP = 3 * HALF;
  localparam integer LANE_BITS = LANES > 1 ? $clog2(LANES) : 1;
  localparam [GROUP_BITS-1:0] ONE_GROUP = 1;
  localparam [15:0] STEP = LANES[15:0];
  localparam integer LAST_LANE_NUMBER = LANES - 1;
  localparam [LANE_BITS-1:0] LAST_LANE = LAST_LANE_NUMBER[LANE_BITS-1:0];
  localparam [LANE_BITS-1:0] NEXT_LANE = LANES > 1 ? 1 : 0;

  logic [1:0] phase;  // of the word in its three; 3: what the last word began
  logic [STREAM_BITS-1:0] kept;
  logic [15:0] first, index;  // first entry of the group, the entry
  logic [GROUP_BITS-1:0] next_group;
  logic [LANE_BITS-1:0] lane;
  logic [GROUP-1:0] whole;
  logic finished, ends, group_done, begins_another;
  assign whole = phase == 2'd0 ? {{HALF{1'b0}}, in_word} : phase == 2'd1 ? {in_word[HALF-1:0], kept}
    : phase == 2'd2 ? {in_word, kept[HALF-1:0]} : {{HALF{1'b0}}, kept};
  assign finished = first >= count;
  assign ends = ~finished & (phase == 2'd3 ? in_valid | ~single : in_valid & (phase != 2'd0 | in_last));
  assign group_done = ends & (~single | lane == LAST_LANE);
  assign begins_another = in_last & phase == 2'd1 & {1'b0, first} + {1'b0, STEP} < {1'b0, count};
  assign in_done = in_valid & (~ends | (group_done & ~(single & begins_another)));
  assign index = first + {{16-LANE_BITS{1'b0}}, lane};

  always_ff @(posedge clk) begin
    if (reset || start) begin
      phase <= 2'd0;
      first <= 16'd0;
      next_group <= {GROUP_BITS{1'b0}};
      lane <= {LANE_BITS{1'b0}};
    end else begin
      if (group_done && begins_another) phase <= 2'd3;
      else if (in_done) phase <= phase[1] ? 2'd0 : phase + 2'd1;
      if (group_done) begin
        first <= first + STEP;
        next_group <= next_group + ONE_GROUP;
      end
      if (group_done) lane <= {LANE_BITS{1'b0}};
      else if (ends) lane <= lane + NEXT_LANE;
    end
    if (in_done || (group_done && begins_another)) kept <= phase == 2'd1 ? {{HALF{1'b0}}, in_word[STREAM_BITS-1:HALF]} : in_word;
    group_write <= !reset && ends && !single;
    entry_write <= !reset && ends && single && index < count;
    group <= next_group;
    entry_index <= index[INDEX_BITS-1:0];
    entry <= whole[lane*96 +: 86];
  end
  generate
    for (genvar i = 0; i < LANES; i = i + 1) begin : gen_lane
      always_ff @(posedge clk) group_entries[i*72 +: 72] <= whole[i*96 +: 72];
    end
  endgenerate
endmodule
