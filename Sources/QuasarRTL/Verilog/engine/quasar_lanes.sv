// LANES requantiser lanes of which every beat chooses the form; one beat per cycle.
//
//   y = clamp(((acc + bias)·M + 2^(S−1)) >> S, lo, hi), arithmetic shift, halves round up
//   LANE_CODES     lo, hi = low, high                    code = y − offset
//   LANE_TABLE     lo, hi = −127, 127                    code = table[y] − offset, see quasar_gelu
//   LANE_RESIDUAL  lo, hi = −2^15, 2^15 − 1              wide = clamp16(residual + y)
//   LANE_LOGITS    lo, hi = −2^31, 2^31 − 1              logit = y of lane 0
//
// Lane l has its acc (signed, SUM_BITS) and residual at index l; the row and all control serve every lane. acc + bias
// fits SUM_BITS. low and high are signed with one bit more than a code. Where offset_codes is set, the codes are unsigned
// with code_bits = A bits (1…8) and leave the lanes less 2^(A−1), as signed bytes; the limits and the table keep them
// below 2^A. Outputs that a form does not name are undefined. The table is written while no LANE_TABLE beat is inside.
//
// Latency: quasar_pkg::LANE_CYCLES = 10, with SUM_BITS beyond the pre-adder one more: DSP 4 (5), shift, rounding and clamp
// 4, table or residual sum 1, offset or saturation 1. The residual is needed LANE_RESIDUAL_CYCLES = 2 before the result.
module quasar_lanes #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer SUM_BITS = 27,
  parameter integer LANES = 3
) (
  input  logic                                       clk,
  input  logic                                       reset,
  input  logic                                       in_valid,      // cycle 0, as all that has no cycle
  input  logic [1:0]                                 form,          // quasar_pkg::lane_form_e
  input  logic [LANES*SUM_BITS-1:0]                  acc,
  input  quasar_row_t                                row,
  input  logic [quasar_pkg::CODE_BITS:0]             low,
  input  logic [quasar_pkg::CODE_BITS:0]             high,
  input  logic                                       offset_codes,
  input  logic [3:0]                                 code_bits,
  input  logic [LANES*quasar_pkg::RESIDUAL_BITS-1:0] residual,      // cycle L − 2
  input  logic                                       table_write,
  input  logic [quasar_pkg::GELU_ADDRESS_BITS-1:0]   table_address,
  input  logic [quasar_pkg::CODE_BITS-1:0]           table_data,
  output logic                                       out_valid,     // cycle L = LANE_CYCLES (+ 1), as all outputs
  output logic [LANES*quasar_pkg::CODE_BITS-1:0]     codes,
  output logic [LANES*quasar_pkg::RESIDUAL_BITS-1:0] wide,
  output logic [31:0]                                logit
);
  localparam integer PRE_ADDER_BITS = GENERATION == quasar_pkg::GENERATION_DSP48E2
    ? quasar_pkg::DSP48E2_PRE_ADDER_BITS : quasar_pkg::DSP48E1_PRE_ADDER_BITS;
  localparam integer LATENCY = quasar_pkg::LANE_CYCLES
    + (SUM_BITS <= PRE_ADDER_BITS ? 0 : quasar_pkg::SECOND_DSP_CYCLES);
  localparam integer PRODUCT = LATENCY - 6;  // cycles to the product

  quasar_scale_t scale;
  logic [quasar_pkg::SHIFT_BITS-1:0] shift, shift_less_one;
  assign scale = row.scale;
  quasar_delay #(.BITS(quasar_pkg::SHIFT_BITS), .CYCLES(PRODUCT - 1), .CLEARED(0)) shift_line (
    .clk(clk), .reset(reset), .in(scale.shift), .out(shift));
  always_ff @(posedge clk) shift_less_one <= shift - 6'd1;

  // Form and limits in cycle P + 2, so that a register stands between them and the lanes; form and offset again in P + 4.
  logic [1:0] clamp_form, late_form;
  logic [8:0] clamp_low, clamp_high;
  logic late_offset;
  logic [3:0] late_bits;
  quasar_delay #(.BITS(20), .CYCLES(PRODUCT + 2), .CLEARED(0)) limit_line (
    .clk(clk), .reset(reset), .in({form, low, high}), .out({clamp_form, clamp_low, clamp_high}));
  quasar_delay #(.BITS(5), .CYCLES(PRODUCT + 4), .CLEARED(0)) offset_line (
    .clk(clk), .reset(reset), .in({offset_codes, code_bits}), .out({late_offset, late_bits}));
  quasar_delay #(.BITS(2), .CYCLES(2), .CLEARED(0)) form_line (
    .clk(clk), .reset(reset), .in(clamp_form), .out(late_form));

  logic signed [31:0] lo, hi;
  logic looks_up, from_table, late_valid;
  logic [quasar_pkg::CODE_BITS-1:0] code_offset;
  always_ff @(posedge clk) begin
    case (clamp_form)
      quasar_pkg::LANE_CODES: begin
        lo <= {{23{clamp_low[8]}}, clamp_low};
        hi <= {{23{clamp_high[8]}}, clamp_high};
      end
      quasar_pkg::LANE_TABLE: begin
        lo <= -32'sd127;
        hi <= 32'sd127;
      end
      quasar_pkg::LANE_RESIDUAL: begin
        lo <= -32'sd32768;
        hi <= 32'sd32767;
      end
      default: begin
        lo <= 32'h80000000;
        hi <= 32'h7fffffff;
      end
    endcase
    from_table <= late_form == quasar_pkg::LANE_TABLE;
    code_offset <= late_offset ? 8'd1 << (late_bits - 4'd1) : 8'd0;
  end
  quasar_delay #(.BITS(1), .CYCLES(PRODUCT + 4), .CLEARED(1)) valid_line (
    .clk(clk), .reset(reset), .in(in_valid), .out(late_valid));
  quasar_delay #(.BITS(1), .CYCLES(2), .CLEARED(1)) out_valid_line (
    .clk(clk), .reset(reset), .in(late_valid), .out(out_valid));
  assign looks_up = late_valid && late_form == quasar_pkg::LANE_TABLE;

  // Lane 0 has the whole int32; in the others the limits of logits are cut, and nothing is said of their y.
  generate
    for (genvar i = 0; i < LANES; i = i + 1) begin : gen_lane
      localparam integer VALUE_BITS = i == 0 ? 32 : 16;
      logic [VALUE_BITS-1:0] value_unused_but_first;
      quasar_lane #(.GENERATION(GENERATION), .SUM_BITS(SUM_BITS), .VALUE_BITS(VALUE_BITS)) lane (
        .clk(clk), .reset(reset), .acc(acc[i*SUM_BITS +: SUM_BITS]), .bias(row.bias), .multiplier(scale.multiplier),
        .shift_less_one(shift_less_one), .lo(lo[VALUE_BITS-1:0]), .hi(hi[VALUE_BITS-1:0]), .looks_up(looks_up),
        .residual(residual[i*16 +: 16]), .from_table(from_table), .code_offset(code_offset),
        .table_write(table_write), .table_address(table_address), .table_data(table_data),
        .code(codes[i*8 +: 8]), .sum(wide[i*16 +: 16]), .value(value_unused_but_first));
      if (i == 0) begin : gen_logit
        assign logit = value_unused_but_first;
      end
    end
  endgenerate

`ifndef SYNTHESIS
  always @(posedge clk) if (!reset && in_valid === 1'b1) begin
    assert (scale.shift != 0 && {26'd0, scale.shift} <= quasar_pkg::LARGEST_SHIFT)
    else $fatal(1, "shift %0d is outside 1…47", scale.shift);
    assert (scale.multiplier != 17'h10000) else $fatal(1, "multiplier −2^16; |M| < 2^16");
    assert (row.bias[30:29] != 2'b10 || row.bias[28:0] != 0) else $fatal(1, "bias −2^30; |bias| < 2^30");
    assert (form != quasar_pkg::LANE_CODES || $signed(low) <= $signed(high))
    else $fatal(1, "limits %0d…%0d are empty", $signed(low), $signed(high));
    assert (!offset_codes || (code_bits >= 4'd1 && code_bits <= 4'd8))
    else $fatal(1, "unsigned codes of %0d bits; 1…8", code_bits);
    assert (!offset_codes || form != quasar_pkg::LANE_CODES
            || ($signed(low) >= 0 && ($signed({1'b0, high}) >>> code_bits) == 0))
    else $fatal(1, "limits %0d…%0d are no unsigned codes of %0d bits", $signed(low), $signed(high), code_bits);
  end
  generate
    for (genvar i = 0; i < LANES; i = i + 1) begin : gen_bounds
      logic signed [32:0] whole_sum;
      assign whole_sum = {{(33 - SUM_BITS){acc[i*SUM_BITS+SUM_BITS-1]}}, acc[i*SUM_BITS +: SUM_BITS]}
        + {{2{row.bias[30]}}, row.bias};
      always @(posedge clk) if (!reset && in_valid === 1'b1) begin
        assert ((whole_sum >>> (SUM_BITS - 1)) == 0 || (whole_sum >>> (SUM_BITS - 1)) == -1)
        else $fatal(1, "lane %0d: acc + bias = %0d does not fit SUM_BITS = %0d", i, whole_sum, SUM_BITS);
      end
    end
  endgenerate
`endif
endmodule
