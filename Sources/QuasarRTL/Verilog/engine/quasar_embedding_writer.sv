// Embedding codes out of stream words: tokens × channels codes of 16 bits, NORM channels a write.
//
// Cycles of a word: STREAM_BITS/(16·NORM) where that is more than 1, as long as writes are wanted. start (before the first
// word), tokens and channels (a multiple of NORM) hold while words come. Out one cycle after the word's cycle.
module quasar_embedding_writer #(
  parameter integer STREAM_BITS = 128,
  parameter integer NORM = 4
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
  output logic                   embedding_write,
  output logic [15:0]            embedding_token,
  output logic [15:0]            embedding_channel,  // the first of NORM
  output logic [NORM*16-1:0]     embedding_values
);
  localparam [15:0] STEP = NORM[15:0];
  logic valid, token_ends, last;
  logic [NORM*16-1:0] values;
  logic [15:0] token, channel, next_channel, next_token;
  assign next_channel = channel + STEP;
  assign next_token = token + 16'd1;
  assign token_ends = next_channel >= channels;
  assign last = token_ends && next_token >= tokens;
  quasar_gearbox #(.IN_BITS(STREAM_BITS), .OUT_BITS(NORM * 16)) gearbox (
    .clk(clk), .start(start), .in_valid(in_valid), .in_done(in_done), .in_word(in_word), .finished(finished),
    .out_valid(valid), .out_ready(1'b1), .out_last(last), .out_item(values));

  always_ff @(posedge clk) begin
    if (reset || start) begin
      token <= 16'd0;
      channel <= 16'd0;
      finished <= 1'b0;
    end else if (valid) begin
      channel <= token_ends ? 16'd0 : next_channel;
      if (token_ends) token <= next_token;
      if (last) finished <= 1'b1;
    end
    embedding_write <= !reset && valid;
    embedding_token <= token;
    embedding_channel <= channel;
    embedding_values <= values;
  end
endmodule
