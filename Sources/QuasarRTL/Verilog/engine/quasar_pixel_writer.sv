// Pixels of an image out of stream words: for each group of DRAIN tokens, each channel, a beat of DRAIN codes.
//
// A beat is padded to a power of two bytes, B. Cycles of a word: STREAM_BITS/(8·B) where that is more than 1, as long as
// beats are wanted and taken. start (before the first word), tokens and channels hold while words come. A beat goes out one
// cycle after the cycle in which it is complete; it is held until pixel_ready. The last pixel_count tokens rule: lanes
// beyond it hold anything.
module quasar_pixel_writer #(
  parameter integer STREAM_BITS = 128,
  parameter integer TOKENS = 9,
  parameter integer BLOCK_PITCH = 0,
  parameter integer DRAIN = 3
) (
  input  logic                   clk,
  input  logic                   reset,
  input  logic                   start,
  input  logic [15:0]            tokens,
  input  logic [15:0]            channels,
  input  logic                   in_valid,
  input  logic [STREAM_BITS-1:0] in_word,
  output logic                   in_done,
  output logic                   finished,
  output logic                   pixel_valid,
  input  logic                   pixel_ready,
  output logic [DRAIN*8-1:0]     pixel_codes,
  output logic [15:0]            pixel_channel,
  output logic [15:0]            pixel_word,   // of operand memory
  output logic                   pixel_half,
  output logic [7:0]             pixel_group,  // tokens pixel_group·DRAIN … of the half
  output logic [7:0]             pixel_count   // valid tokens, 1…DRAIN
);
  localparam integer BEAT_BITS = 8 << $clog2(DRAIN);
  localparam [15:0] STEP = DRAIN[15:0];
  localparam integer LAST_GROUP_NUMBER = TOKENS / DRAIN - 1;
  localparam [7:0] LAST_GROUP = LAST_GROUP_NUMBER[7:0];
  localparam integer OUT_BITS = DRAIN * 8 + 49;

  logic valid, ready, channels_end, tokens_end, group_ends, half;
  logic [BEAT_BITS-1:0] beat;
  logic [15:0] channel, next_channel, left, word;
  logic [7:0] group, count;
  assign next_channel = channel + 16'd1;
  assign channels_end = next_channel >= channels;
  assign tokens_end = left <= STEP;
  assign group_ends = group == LAST_GROUP;
  assign count = tokens_end ? left[7:0] : STEP[7:0];
  quasar_gearbox #(.IN_BITS(STREAM_BITS), .OUT_BITS(BEAT_BITS)) gearbox (
    .clk(clk), .start(start), .in_valid(in_valid), .in_done(in_done), .in_word(in_word), .finished(finished),
    .out_valid(valid), .out_ready(ready), .out_last(channels_end & tokens_end), .out_item(beat));

  always_ff @(posedge clk) begin
    if (reset || start) begin
      channel <= 16'd0;
      left <= tokens;
      word <= 16'd0;
      half <= 1'b0;
      group <= 8'd0;
      finished <= 1'b0;
    end else if (valid && ready) begin
      channel <= channels_end ? 16'd0 : next_channel;
      if (channels_end) begin
        left <= left - STEP;
        group <= group_ends ? 8'd0 : group + 8'd1;
        if (group_ends && BLOCK_PITCH != 0) half <= ~half;
        if (group_ends && (BLOCK_PITCH == 0 || half)) word <= word + 16'd1;
        if (tokens_end) finished <= 1'b1;
      end
    end
  end
  quasar_spill #(.BITS(OUT_BITS)) exit (
    .clk(clk), .reset(reset), .in_valid(valid), .in_ready(ready),
    .in_data({beat[DRAIN*8-1:0], channel, word, half, group, count}), .out_valid(pixel_valid), .out_ready(pixel_ready),
    .out_data({pixel_codes, pixel_channel, pixel_word, pixel_half, pixel_group, pixel_count}));

`ifndef SYNTHESIS
  initial assert (DRAIN >= 1 && DRAIN <= 128 && TOKENS % DRAIN == 0)
  else $fatal(1, "DRAIN %0d, TOKENS %0d; DRAIN divides TOKENS and is at most 128", DRAIN, TOKENS);
`endif
endmodule
