// Test of quasar_lanes: random beats of all forms mixed, against the formula in 64-bit integers.
//
// Half of all operands are corners: the largest sums, shifts 1 and 47, M at both ends and 0, residuals at both ends,
// limits that meet. Every beat brings another row, form, limits and offset; what a beat does not define is random.
// Pass 0 sends VECTORS beats without gaps, pass 1 repeats the beginning with gaps. The table has 256 random entries.
// A result must equal the formula and come as many cycles after its beat as the first one did.
module quasar_lanes_tb #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer SUM_BITS = 27,
  parameter integer LANES = 3,
  parameter CASE = "quasar_lanes",
  parameter integer VECTORS = 1
) (
  input  logic        clk,
  input  logic        reset,
  output logic        done,
  output logic [31:0] errors
);
  localparam integer SHORT = VECTORS < 2048 ? VECTORS : 2048;
  localparam integer DEPTH = 32;  // beats under way
  localparam integer RESIDUAL_LEAD = quasar_pkg::LANE_RESIDUAL_CYCLES;
  localparam integer LATENCY = quasar_pkg::LANE_CYCLES + (SUM_BITS
    <= (GENERATION == quasar_pkg::GENERATION_DSP48E2 ? quasar_pkg::DSP48E2_PRE_ADDER_BITS
        : quasar_pkg::DSP48E1_PRE_ADDER_BITS) ? 0 : quasar_pkg::SECOND_DSP_CYCLES);

  logic in_valid, offset_codes, table_write, out_valid;
  logic [1:0] form;
  logic [3:0] code_bits;
  logic [LANES*SUM_BITS-1:0] acc;
  logic [LANES*16-1:0] residual, residual_now, wide;
  logic [LANES*8-1:0] codes;
  logic [8:0] low, high;
  logic [7:0] table_address, table_data;
  logic [31:0] logit;
  logic [30:0] bias;
  logic [16:0] multiplier;
  logic [5:0] shift;
  quasar_row_t row;
  assign row = {bias, multiplier, shift};
  quasar_delay #(.BITS(LANES * 16), .CYCLES(LATENCY - RESIDUAL_LEAD), .CLEARED(0)) residual_line (
    .clk(clk), .reset(reset), .in(residual), .out(residual_now));
  quasar_lanes #(.GENERATION(GENERATION), .SUM_BITS(SUM_BITS), .LANES(LANES)) unit (
    .clk(clk), .reset(reset), .in_valid(in_valid), .form(form), .acc(acc), .row(row), .low(low), .high(high),
    .offset_codes(offset_codes), .code_bits(code_bits), .residual(residual_now), .table_write(table_write),
    .table_address(table_address), .table_data(table_data), .out_valid(out_valid), .codes(codes), .wide(wide),
    .logit(logit));

  logic [7:0] entries [0:255];
  logic [1:0] sent_form [0:DEPTH-1];
  integer sent_at [0:DEPTH-1];
  logic [LANES*32-1:0] expected [0:DEPTH-1];
  integer cycle, sent, received, latency, first_out, last_out, found;

  // A random number of a range of which half are corners.
  task automatic choose(input logic signed [63:0] least, input logic signed [63:0] most,
                        output logic signed [63:0] value);
    begin
      case ($urandom % 10)
        0: value = least;
        1: value = most;
        2: value = least < most ? least + 1 : least;
        3: value = least < most ? most - 1 : most;
        4: value = least <= 0 && most >= 0 ? 0 : least;
        default: value = least + $signed({$urandom, $urandom} % (most - least + 1));
      endcase
      if (value < least || value > most) value = least;
    end
  endtask

  task automatic clamp(input logic signed [63:0] value, input logic signed [63:0] least,
                       input logic signed [63:0] most, output logic signed [63:0] clamped);
    clamped = value < least ? least : value > most ? most : value;
  endtask

  // Puts a random beat on the ports and what it has to give into `expected`.
  task automatic send;
    logic signed [63:0] value, sum_limit, whole, m, s, b, old, lo, hi, result;
    logic [LANES*SUM_BITS-1:0] next_acc;
    logic [LANES*16-1:0] next_residual;
    logic [LANES*32-1:0] next_expected;
    logic [1:0] next_form;
    logic next_offset;
    integer bits;
    begin
      next_form = $urandom;
      next_offset = $urandom;
      bits = 1 + $urandom % 8;
      sum_limit = (64'sd1 <<< (SUM_BITS - 1)) - 1;
      choose(-65535, 65535, m);
      choose(1, 47, s);
      // Mostly shifts around the one that brings the sum to the width of the result.
      if ($urandom % 4 != 0) begin
        s = SUM_BITS + 16 - (next_form == quasar_pkg::LANE_LOGITS ? 32 : next_form == quasar_pkg::LANE_RESIDUAL ? 16 : 8)
          + $urandom % 8;
        s = s < 1 ? 1 : s > 47 ? 47 : s;
      end
      choose(-(sum_limit < 1073741823 ? sum_limit : 1073741823), sum_limit < 1073741823 ? sum_limit : 1073741823, b);
      if (next_offset) begin
        choose(0, (1 << bits) - 1, lo);
        choose(lo, (1 << bits) - 1, hi);
      end else begin
        choose(-128, 255, lo);
        choose(lo, 255, hi);
      end
      next_expected = 0;
      for (int i = 0; i < LANES; i = i + 1) begin
        // acc and acc + bias in SUM_BITS.
        choose(b < 0 ? -sum_limit - 1 - b : -sum_limit - 1, b > 0 ? sum_limit - b : sum_limit, value);
        choose(-32768, 32767, old);
        next_acc[i*SUM_BITS +: SUM_BITS] = value;
        next_residual[i*16 +: 16] = old;
        whole = ((value + b) * m + (64'sd1 <<< (s - 1))) >>> s;
        case (next_form)
          quasar_pkg::LANE_CODES: clamp(whole, lo, hi, result);
          quasar_pkg::LANE_TABLE: begin
            clamp(whole, -127, 127, result);
            result = {56'd0, entries[result + 128]};
          end
          quasar_pkg::LANE_RESIDUAL: begin
            clamp(whole, -32768, 32767, result);
            clamp(old + result, -32768, 32767, result);
          end
          default: clamp(whole, -64'sd2147483648, 64'sd2147483647, result);
        endcase
        if (!next_form[1] && next_offset) result = result - (64'sd1 <<< (bits - 1));
        next_expected[i*32 +: 32] = result;
      end
      in_valid = 1;
      form = next_form;
      acc = next_acc;
      residual = next_residual;
      bias = b;
      multiplier = m;
      shift = s;
      low = lo;
      high = hi;
      offset_codes = next_offset;
      code_bits = bits;
      expected[sent % DEPTH] = next_expected;
      sent_form[sent % DEPTH] = next_form;
      sent_at[sent % DEPTH] = cycle;
      sent = sent + 1;
    end
  endtask

  task automatic check;
    integer place, wrong;
    begin
      place = received % DEPTH;
      wrong = received >= sent || cycle - sent_at[place] != latency;
      if (latency < 0) begin
        latency = cycle - sent_at[0];
        first_out = cycle;
        wrong = 0;
      end
      if (received < VECTORS) last_out = cycle;
      for (int i = 0; i < LANES; i = i + 1) begin
        case (sent_form[place])
          quasar_pkg::LANE_RESIDUAL: if (wide[i*16 +: 16] !== expected[place][i*32 +: 16]) wrong = 1;
          quasar_pkg::LANE_LOGITS: if (i == 0 && logit !== expected[place][31:0]) wrong = 1;
          default: if (codes[i*8 +: 8] !== expected[place][i*32 +: 8]) wrong = 1;
        endcase
      end
      if (wrong != 0 && found < 3)
        $display("%0s: beat %0d of form %0d after %0d cycles: expected %h, found codes %h wide %h logit %h", CASE,
                 received, sent_form[place], cycle - sent_at[place], expected[place], codes, wide, logit);
      found = found + (wrong != 0);
      received = received + 1;
    end
  endtask

  // The middle of the next cycle, where inputs change and outputs are seen; what is on the ports without a beat is random.
  task automatic step;
    begin
      @(negedge clk);
      cycle = cycle + 1;
      if (out_valid !== 1'b0) check;
      in_valid = 0;
      table_write = 0;
      form = $urandom;
      {shift, multiplier, bias} = {$urandom, $urandom};
      {low, high, offset_codes, code_bits} = $urandom;
    end
  endtask

  initial begin
    done = 0;
    errors = 0;
    cycle = 0;
    sent = 0;
    received = 0;
    latency = -1;
    found = 0;
    in_valid = 0;
    table_write = 0;
    while (reset !== 1'b0) @(negedge clk);
    repeat (16) @(negedge clk);
    for (int i = 0; i < 256; i = i + 1) begin
      step;
      entries[i] = $urandom;
      table_write = 1;
      table_address = i;
      table_data = entries[i];
    end
    step;
    repeat (VECTORS) begin
      step;
      send;
    end
    repeat (SHORT) begin
      step;
      while ($urandom % 4 == 0) step;
      send;
    end
    repeat (2 * DEPTH) step;
    if (received != sent) begin
      $display("%0s: %0d results of %0d", CASE, received, sent);
      found = found + 1;
    end
    if (last_out - first_out != VECTORS - 1) begin
      $display("%0s: %0d beats took %0d cycles", CASE, VECTORS, last_out - first_out + 1);
      found = found + 1;
    end
    if (found == 0) $display("PASS %0s vectors=%0d latency=%0d interval=1x%0d", CASE, VECTORS, latency, VECTORS - 1);
    else $display("FAIL %0s errors=%0d of %0d", CASE, found, sent);
    errors = found;
    done = 1;
  end
endmodule
