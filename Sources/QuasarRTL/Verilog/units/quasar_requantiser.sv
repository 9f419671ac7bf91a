// Requantisation: y = clamp(((acc + bias)·M + 2^(S−1)) >> S, low, high), arithmetic shift, halves round up.
//
// acc is signed, ACCUMULATOR_BITS wide; `row` brings bias (signed, |bias| < 2^30), M (signed, |M| < 2^16) and S in 1…47.
// SUM_BITS says how many bits acc + bias is known to need (signed):
//   up to the width of the pre-adder, 27 (25 on a DSP48E1): one DSP, P = (acc + bias)·M + C with C = 2^(S−1);
//   up to 32: two DSPs. Both numbers are cut at bit 17, P1 = (acc[16:0] + bias[16:0])·M + C (the sum of two unsigned
//   17-bit numbers has 18 bits), P2 = ((acc >> 17) + (bias >> 17))·M + (P1 >> 17): the whole is 2^17·P2 + P1[16:0].
//   |(acc + bias)·M| < 2^47 and C ≤ 2^46: the whole needs 49 bits, one more than a single P.
// low, high: signed limits of one bit more than the code, so that unsigned codes fit as well. All inputs but the table
// belong to the result of their cycle; the table is written while none is inside.
// FORM_CODES: out = y. FORM_GELU (OUT_BITS 8): out = table[y], see quasar_gelu. FORM_RESIDUAL (OUT_BITS 16): delta = the
// same with the limits of int16, out = clamp16(residual + delta); low and high are not used.
//
// Latency from acc to out: DSP 4 (two DSPs 5), shift 1, then one of clamp, residual sum, table 1: 6 cycles with one DSP,
// 7 with two. One result per cycle.
module quasar_requantiser #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer ACCUMULATOR_BITS = quasar_pkg::ACCUMULATOR_BITS,
  parameter integer SUM_BITS = 27,
  parameter integer OUT_BITS = 8,
  parameter integer FORM = quasar_pkg::FORM_CODES
) (
  input  logic                                     clk,
  input  logic                                     reset,
  input  logic                                     in_valid,
  input  logic [ACCUMULATOR_BITS-1:0]              acc,
  input  quasar_row_t                              row,
  input  logic [quasar_pkg::RESIDUAL_BITS-1:0]     residual,
  input  logic [OUT_BITS:0]                        low,
  input  logic [OUT_BITS:0]                        high,
  input  logic                                     table_write,
  input  logic [quasar_pkg::GELU_ADDRESS_BITS-1:0] table_address,
  input  logic [quasar_pkg::CODE_BITS-1:0]         table_data,
  output logic                                     out_valid,
  output logic [OUT_BITS-1:0]                      out
);
  localparam integer PRE_ADDER_BITS = GENERATION == quasar_pkg::GENERATION_DSP48E2
    ? quasar_pkg::DSP48E2_PRE_ADDER_BITS : quasar_pkg::DSP48E1_PRE_ADDER_BITS;
  localparam integer DSPS = SUM_BITS <= PRE_ADDER_BITS ? 1 : 2;
  localparam integer LATENCY = quasar_pkg::REQUANTISER_CYCLES + (DSPS - 1) * quasar_pkg::SECOND_DSP_CYCLES;
  localparam integer PRODUCT = LATENCY - 2;  // cycles to the product
  localparam integer PRODUCT_BITS = DSPS == 1 ? 48 : 49;

  logic [31:0] wide_acc, wide_bias;
  logic [17:0] b;
  quasar_scale_t scale;
  assign scale = row.scale;
  assign wide_acc = {{(32 - ACCUMULATOR_BITS){acc[ACCUMULATOR_BITS-1]}}, acc};
  assign wide_bias = {row.bias[30], row.bias};
  assign b = {scale.multiplier[16], scale.multiplier};

  // The shift goes with its product; C enters the DSP 2 clocks after acc.
  logic [PRODUCT*6-1:0] shifts;
  logic [LATENCY-1:0] valid;
  logic [47:0] rounding;
  always_ff @(posedge clk) begin
    shifts <= {shifts[PRODUCT*6-7:0], scale.shift};
    valid <= reset ? {LATENCY{1'b0}} : {valid[LATENCY-2:0], in_valid};
  end
  assign rounding = 48'd1 << (shifts[11:6] - 6'd1);
  assign out_valid = valid[LATENCY-1];

  logic [PRODUCT_BITS-1:0] product;
  generate
    if (DSPS == 1) begin : gen_one
      logic [47:0] unused_cascade;
      quasar_dsp #(.GENERATION(GENERATION)) dsp (
        .clk(clk), .a(wide_acc[26:0]), .b(b), .d(wide_bias[26:0]), .base(quasar_pkg::BASE_ZERO), .with_c(1'b1),
        .c(rounding), .enable_p(1'b1), .pcin(48'd0), .p(product), .pcout(unused_cascade)
      );
    end else begin : gen_two
      localparam integer CUT = quasar_pkg::DSP_CASCADE_SHIFT;
      logic [47:0] low_product, high_product, low_cascade, unused_cascade;
      logic [14:0] high_acc, high_bias;
      logic [17:0] high_b;
      logic [CUT-1:0] low_bits;
      quasar_dsp #(.GENERATION(GENERATION)) low_dsp (
        .clk(clk), .a({10'd0, wide_acc[CUT-1:0]}), .b(b), .d({10'd0, wide_bias[CUT-1:0]}), .base(quasar_pkg::BASE_ZERO),
        .with_c(1'b1), .c(rounding), .enable_p(1'b1), .pcin(48'd0), .p(low_product), .pcout(low_cascade)
      );
      always_ff @(posedge clk) begin
        high_acc <= wide_acc[31:CUT];
        high_bias <= wide_bias[31:CUT];
        high_b <= b;
        low_bits <= low_product[CUT-1:0];
      end
      quasar_dsp #(.GENERATION(GENERATION)) high_dsp (
        .clk(clk), .a({{12{high_acc[14]}}, high_acc}), .b(high_b), .d({{12{high_bias[14]}}, high_bias}),
        .base(quasar_pkg::BASE_CASCADE_SHIFTED), .with_c(1'b0), .c(48'd0), .enable_p(1'b1), .pcin(low_cascade),
        .p(high_product), .pcout(unused_cascade)
      );
      assign product = {high_product[31:0], low_bits};
    end
  endgenerate

  // Shift and saturate to SHIFTED_BITS: delta itself, or one bit more than the code.
  localparam integer SHIFTED_BITS = FORM == quasar_pkg::FORM_RESIDUAL ? 16 : OUT_BITS + 1;
  logic signed [PRODUCT_BITS-1:0] shifted;
  logic negative, overflow;
  logic [SHIFTED_BITS-1:0] saturated;
  assign shifted = $signed(product) >>> shifts[PRODUCT*6-1 -: 6];
  assign negative = shifted[PRODUCT_BITS-1];
  assign overflow = shifted[PRODUCT_BITS-1:SHIFTED_BITS-1] != {(PRODUCT_BITS + 1 - SHIFTED_BITS){negative}};
  always_ff @(posedge clk) begin
    saturated <= overflow ? {negative, {(SHIFTED_BITS-1){!negative}}} : shifted[SHIFTED_BITS-1:0];
  end

  generate
    if (FORM == quasar_pkg::FORM_RESIDUAL) begin : gen_residual
      logic [15:0] old;
      logic [16:0] sum;
      quasar_delay #(.BITS(16), .CYCLES(PRODUCT + 1), .CLEARED(0)) residual_line (
        .clk(clk), .reset(reset), .in(residual), .out(old));
      assign sum = {old[15], old} + {saturated[15], saturated};
      always_ff @(posedge clk) out <= sum[16] != sum[15] ? {sum[16], {15{!sum[16]}}} : sum[15:0];
    end else begin : gen_code
      logic signed [OUT_BITS:0] value, lowest, highest;
      logic [OUT_BITS-1:0] code;
      quasar_delay #(.BITS(2 * OUT_BITS + 2), .CYCLES(PRODUCT + 1), .CLEARED(0)) limit_line (
        .clk(clk), .reset(reset), .in({low, high}), .out({lowest, highest}));
      assign value = saturated;
      assign code = value < lowest ? lowest[OUT_BITS-1:0] : value > highest ? highest[OUT_BITS-1:0]
        : value[OUT_BITS-1:0];
      if (FORM == quasar_pkg::FORM_GELU) begin : gen_gelu
        logic unused_valid;
        quasar_gelu gelu (
          .clk(clk), .reset(reset), .write_enable(table_write), .write_address(table_address),
          .write_data(table_data), .in_valid(valid[LATENCY-2]), .code(code), .out_valid(unused_valid), .out(out)
        );
      end else begin : gen_clamp
        always_ff @(posedge clk) out <= code;
      end
    end
  endgenerate

`ifndef SYNTHESIS
  initial begin
    assert (ACCUMULATOR_BITS <= 32 && SUM_BITS <= 32 && OUT_BITS <= 32)
    else $fatal(1, "ACCUMULATOR_BITS %0d, SUM_BITS %0d, OUT_BITS %0d: at most 32 each", ACCUMULATOR_BITS, SUM_BITS,
                OUT_BITS);
    assert (FORM == quasar_pkg::FORM_CODES || FORM == quasar_pkg::FORM_GELU || FORM == quasar_pkg::FORM_RESIDUAL)
    else $fatal(1, "FORM %0d has no requantiser", FORM);
    assert ((FORM != quasar_pkg::FORM_RESIDUAL || OUT_BITS == 16) && (FORM != quasar_pkg::FORM_GELU || OUT_BITS == 8))
    else $fatal(1, "OUT_BITS %0d: the residual form takes 16, GELU takes 8", OUT_BITS);
  end
  logic signed [32:0] whole_sum;
  assign whole_sum = $signed({wide_acc[31], wide_acc}) + $signed({wide_bias[31], wide_bias});
  always @(posedge clk) if (!reset && in_valid === 1'b1) begin
    assert (scale.shift != 0 && {26'd0, scale.shift} <= quasar_pkg::LARGEST_SHIFT)
    else $fatal(1, "shift %0d is outside 1…47", scale.shift);
    assert (scale.multiplier != 17'h10000) else $fatal(1, "multiplier −2^16; |M| < 2^16");
    assert (row.bias[30:29] != 2'b10 || row.bias[28:0] != 0) else $fatal(1, "bias −2^30; |bias| < 2^30");
    assert ((whole_sum >>> (SUM_BITS - 1)) == 0 || (whole_sum >>> (SUM_BITS - 1)) == -1)
    else $fatal(1, "acc + bias = %0d does not fit SUM_BITS = %0d", whole_sum, SUM_BITS);
    assert (FORM == quasar_pkg::FORM_RESIDUAL || $signed(low) <= $signed(high))
    else $fatal(1, "limits %0d…%0d are empty", $signed(low), $signed(high));
  end
  always @(posedge clk) if (!reset && FORM == quasar_pkg::FORM_GELU && table_write === 1'b1) begin
    assert (valid == 0 && !in_valid) else $fatal(1, "the table is written while results are inside");
  end
`endif
endmodule
