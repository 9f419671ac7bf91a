// Breaks one rule a run, which the assertion of that rule has to stop: `violations +rule=N`.
//
// N = 0 keeps all rules: the same words as below without the fault, and the run ends with "RULES 0". Any other number up to
// RULES changes one thing; a run that reaches its end although a rule is broken prints "NOT NOTICED".
module quasar_violations;
  localparam integer RULES = 24;
  localparam integer START = 8;   // cycle of the first word
  localparam integer END = 120;

  logic clk, reset;
  integer rule, cycle;
  initial begin
    clk = 1'b0;
    forever #5 clk = !clk;
  end
  initial begin
    reset = 1'b1;
    cycle = 0;
    rule = 0;
    if (!$value$plusargs("rule=%d", rule)) rule = 0;
    #42 reset = 1'b0;
  end
  always @(posedge clk) begin
    if (!reset) cycle <= cycle + 1;
    if (cycle == END) begin
      if (rule == 0) $display("RULES %0d", RULES);
      else $display("NOT NOTICED %0d", rule);
      $finish;
    end
  end

  // A word for every unit in cycles START and START + 1, the second one the last of its run.
  logic word, last;
  assign word = cycle == START || cycle == START + 1;
  assign last = cycle == START + 1;

  // 1 divisor 0; 2 a quotient too large.
  logic divided;
  logic [7:0] quotient;
  quasar_divider #(.QUOTIENT_BITS(8), .DIVISOR_BITS(8)) divider (
    .clk(clk), .reset(reset), .in_valid(word), .numerator(rule == 2 ? 16'h0300 : rule == 1 ? 16'd0 : 16'h02ff),
    .divisor(rule == 1 ? 8'd0 : 8'd3), .out_valid(divided), .quotient(quotient));

  // 3 last without a word; 4 a chain of 8 for codes of which 7 products are proved; 5 weights beyond the pre-adder.
  logic [15:0] weights;
  logic [63:0] sums;
  logic summed, long_run;
  assign long_run = cycle >= START && cycle < START + 8;
  assign weights = rule == 4 ? 16'h8080 : 16'h8181;
  quasar_pe #(.CHAIN(8)) element (
    .clk(clk), .reset(reset), .in_valid(long_run), .in_last(rule == 3 ? cycle == START + 9 : cycle == START + 7),
    .weights(weights), .activations(rule == 4 ? 8'h80 : 8'h81), .out_valid(summed), .out(sums));
  logic [63:0] sums1;
  logic summed1;
  quasar_pe #(.GENERATION(quasar_pkg::GENERATION_DSP48E1), .PITCH(17), .CHAIN(1)) element1 (
    .clk(clk), .reset(reset), .in_valid(word), .in_last(word), .weights(rule == 5 ? 16'h8080 : 16'h8181),
    .activations(8'h01), .out_valid(summed1), .out(sums1));

  // 6 shift 0; 7 shift 48; 8 multiplier −2^16; 9 a sum of 28 bits; 10 empty limits; 11 a table written under way;
  // 12 bias −2^30.
  quasar_row_t row;
  logic [7:0] code, gelu_code;
  logic coded, gelu_coded;
  assign row = {rule == 12 ? 31'h40000000 : 31'd5, rule == 8 ? 17'h10000 : 17'd40000,
                rule == 6 ? 6'd0 : rule == 7 ? 6'd48 : 6'd20};
  quasar_requantiser #(.SUM_BITS(27)) requantiser (
    .clk(clk), .reset(reset), .in_valid(word), .acc(rule == 9 ? 32'd67108864 : rule == 12 ? 32'd1073741800 : 32'd1000),
    .row(row), .residual(16'd0), .low(rule == 10 ? 9'd8 : 9'h181), .high(rule == 10 ? 9'd7 : 9'd127),
    .table_write(1'b0), .table_address(8'd0), .table_data(8'd0), .out_valid(coded), .out(code));
  quasar_requantiser #(.SUM_BITS(27), .FORM(quasar_pkg::FORM_GELU)) gelu (
    .clk(clk), .reset(reset), .in_valid(word), .acc(32'd1000), .row({31'd5, 17'd40000, 6'd20}), .residual(16'd0),
    .low(9'h181), .high(9'd127), .table_write(cycle == (rule == 11 ? START + 3 : START - 3)), .table_address(8'd0),
    .table_data(8'd0), .out_valid(gelu_coded), .out(gelu_code));

  // 13 R below 2^15; 14 O·R beyond 2^(k+22).
  logic [7:0] context_code;
  logic context_coded;
  quasar_context #(.LANES(1)) context_unit (
    .clk(clk), .reset(reset), .in_valid(word), .in_used(1'b1), .in_sums(rule == 14 ? 24'd200000 : 24'd20000),
    .in_inverses({5'd8, rule == 13 ? 16'd32767 : 16'd33000}), .in_scale({17'd40000, 6'd20}), .in_lo(8'h81),
    .in_hi(8'd127), .out_valid(context_coded), .out_codes(context_code));

  // 15 a row too long; 16 no score in the last chunk; 17 last without a chunk; 18 a table written under way; 19 a shorter
  // row too early; 20 a negative multiplier.
  logic softmax_valid, softmax_last, codes_valid, codes_last, row_valid;
  logic [15:0] codes;
  logic [9:0] row_sum;
  quasar_inverse_t row_inverse;
  assign softmax_valid = rule == 15 ? cycle >= START && cycle < START + 3
    : rule == 19 ? cycle >= START && cycle < START + 3 : word;
  assign softmax_last = rule == 15 ? cycle == START + 2 : rule == 17 ? cycle == START + 4
    : rule == 19 ? cycle == START + 1 || cycle == START + 2 : last;
  quasar_softmax #(.TOKENS(4), .LANES(2), .SCORE_BITS(16)) softmax (
    .clk(clk), .reset(reset), .table_write(cycle == (rule == 18 ? START + 5 : START - 3)), .table_address(8'd0),
    .table_value(16'hff00), .in_valid(softmax_valid), .in_last(softmax_last), .in_lanes(rule == 16 ? 2'd0 : 2'd2),
    .in_scale({rule == 20 ? 17'h1ffff : 17'd40000, 6'd20}), .in_scores({16'd5, 16'd9}), .out_valid(codes_valid),
    .out_last(codes_last), .out_codes(codes), .row_valid(row_valid), .row_sum(row_sum), .row_inverse(row_inverse));

  // 21 channel parameters written while a token is inside; 22 a lane that does not exist.
  logic norm_valid, norm_last;
  logic [23:0] norm_codes;
  quasar_layer_norm #(.WIDTH(6), .LANES(3)) norm (
    .clk(clk), .reset(reset), .width(3'd6), .norm_write(cycle == START - 3), .norm_epsilon(40'd1), .norm_lo(8'h81),
    .norm_hi(8'd127),
    .channel_write(cycle == (rule == 21 ? START + 5 : START - 3)), .channel_chunk(1'b0),
    .channel_lane(rule == 22 ? 2'd3 : 2'd2), .channel({63'd0, 17'd40000, 6'd20}), .in_valid(word), .in_last(last),
    .in_values(48'h000100020003), .out_valid(norm_valid), .out_last(norm_last), .out_codes(norm_codes));

  // 23 a word taken back before ready; 24 a word changed before ready.
  logic offered, spill_ready, spilled;
  logic [7:0] spill_word, spilled_word;
  assign offered = cycle >= START && cycle < START + 20 && !(rule == 23 && cycle == START + 5);
  assign spill_word = rule == 24 && cycle == START + 5 ? 8'd9 : 8'd7;
  quasar_spill #(.BITS(8)) spill (
    .clk(clk), .reset(reset), .in_valid(offered), .in_ready(spill_ready), .in_data(spill_word), .out_valid(spilled),
    .out_ready(cycle > START + 10), .out_data(spilled_word));
endmodule
