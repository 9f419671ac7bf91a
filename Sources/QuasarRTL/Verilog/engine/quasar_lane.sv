// One requantiser lane of the engine: y = clamp(((acc + bias)·M + 2^(S−1)) >> S, lo, hi), and what a form makes of y.
//
//   code: y or table[y], less an offset, in 8 bits (codes and table); sum: clamp16(residual + y); value: y.
//
// acc + bias fits SUM_BITS, signed. Up to the width of the pre-adder, 27 (25 on a DSP48E1), one DSP forms the product; up
// to 32 two do, both numbers cut at bit 17 as in quasar_requantiser. |(acc + bias)·M| < 2^47. Rounding and shift are
// those of quasar_round_clamp, so no constant is added in the DSP.
// Everything but acc and the residual is the same for all lanes and comes from quasar_lanes in the cycle in which it is
// needed, with P = 4, or 5 for two DSPs. Latency: P + 6 cycles. One result per cycle.
module quasar_lane #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer SUM_BITS = 27,
  parameter integer VALUE_BITS = 16
) (
  input  logic                                     clk,
  input  logic                                     reset,
  input  logic [SUM_BITS-1:0]                      acc,             // cycle 0
  input  logic [quasar_pkg::BIAS_BITS-1:0]         bias,            // cycle 0
  input  logic [quasar_pkg::MULTIPLIER_BITS-1:0]   multiplier,      // cycle 0
  input  logic [quasar_pkg::SHIFT_BITS-1:0]        shift_less_one,  // cycle P
  input  logic [VALUE_BITS-1:0]                    lo,              // cycle P + 3
  input  logic [VALUE_BITS-1:0]                    hi,              // cycle P + 3
  input  logic                                     looks_up,        // cycle P + 4: the code is an index of the table
  input  logic [quasar_pkg::RESIDUAL_BITS-1:0]     residual,        // cycle P + 4
  input  logic                                     from_table,      // cycle P + 5
  input  logic [quasar_pkg::CODE_BITS-1:0]         code_offset,     // cycle P + 5
  input  logic                                     table_write,
  input  logic [quasar_pkg::GELU_ADDRESS_BITS-1:0] table_address,
  input  logic [quasar_pkg::CODE_BITS-1:0]         table_data,
  output logic [quasar_pkg::CODE_BITS-1:0]         code,            // cycle P + 6
  output logic [quasar_pkg::RESIDUAL_BITS-1:0]     sum,             // cycle P + 6
  output logic [VALUE_BITS-1:0]                    value            // cycle P + 6
);
  localparam integer PRE_ADDER_BITS = GENERATION == quasar_pkg::GENERATION_DSP48E2
    ? quasar_pkg::DSP48E2_PRE_ADDER_BITS : quasar_pkg::DSP48E1_PRE_ADDER_BITS;
  localparam integer DSPS = SUM_BITS <= PRE_ADDER_BITS ? 1 : 2;
  localparam integer PRODUCT_BITS = DSPS == 1 ? SUM_BITS + quasar_pkg::MULTIPLIER_BITS - 1 : 48;

  logic [31:0] wide_acc, wide_bias;
  logic [17:0] b;
  logic [47:0] product;
  generate
    if (SUM_BITS < 32) begin : gen_extended
      assign wide_acc = {{(32 - SUM_BITS){acc[SUM_BITS-1]}}, acc};
    end else begin : gen_whole
      assign wide_acc = acc;
    end
  endgenerate
  assign wide_bias = {bias[quasar_pkg::BIAS_BITS-1], bias};
  assign b = {multiplier[quasar_pkg::MULTIPLIER_BITS-1], multiplier};
  generate
    if (DSPS == 1) begin : gen_one
      logic [47:0] unused_cascade;
      quasar_dsp #(.GENERATION(GENERATION)) dsp (
        .clk(clk), .a(wide_acc[26:0]), .b(b), .d(wide_bias[26:0]), .base(quasar_pkg::BASE_ZERO), .with_c(1'b0),
        .c(48'd0), .enable_p(1'b1), .pcin(48'd0), .p(product), .pcout(unused_cascade)
      );
    end else begin : gen_two
      localparam integer CUT = quasar_pkg::DSP_CASCADE_SHIFT;
      logic [47:0] low_product, high_product, low_cascade, unused_cascade;
      logic [14:0] high_acc, high_bias;
      logic [17:0] high_b;
      logic [CUT-1:0] low_bits;
      quasar_dsp #(.GENERATION(GENERATION)) low_dsp (
        .clk(clk), .a({10'd0, wide_acc[CUT-1:0]}), .b(b), .d({10'd0, wide_bias[CUT-1:0]}), .base(quasar_pkg::BASE_ZERO),
        .with_c(1'b0), .c(48'd0), .enable_p(1'b1), .pcin(48'd0), .p(low_product), .pcout(low_cascade)
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
      assign product = {high_product[30:0], low_bits};
    end
  endgenerate

  logic [VALUE_BITS-1:0] clamped;
  quasar_round_clamp #(.VALUE_BITS(PRODUCT_BITS), .OUT_BITS(VALUE_BITS)) round_clamp (
    .clk(clk), .value(product[PRODUCT_BITS-1:0]), .shift_less_one(shift_less_one), .lo(lo), .hi(hi), .out(clamped));

  logic [quasar_pkg::CODE_BITS-1:0] entry, plain;
  logic [VALUE_BITS-1:0] value_before;
  logic [quasar_pkg::RESIDUAL_BITS:0] whole;
  logic unused_valid;
  assign plain = value_before[quasar_pkg::CODE_BITS-1:0];
  quasar_gelu gelu (
    .clk(clk), .reset(reset), .write_enable(table_write), .write_address(table_address), .write_data(table_data),
    .in_valid(looks_up), .code(clamped[quasar_pkg::CODE_BITS-1:0]), .out_valid(unused_valid), .out(entry));
  always_ff @(posedge clk) begin
    value_before <= clamped;
    whole <= {residual[15], residual} + {clamped[15], clamped[15:0]};
    code <= (from_table ? entry : plain) - code_offset;
    sum <= whole[16] != whole[15] ? {whole[16], {15{!whole[16]}}} : whole[15:0];
    value <= value_before;
  end

`ifndef SYNTHESIS
  initial begin
    assert (SUM_BITS >= 2 && SUM_BITS <= 32 && VALUE_BITS >= 16)
    else $fatal(1, "SUM_BITS %0d, VALUE_BITS %0d; 2…32 and at least 16", SUM_BITS, VALUE_BITS);
  end
`endif
endmodule
