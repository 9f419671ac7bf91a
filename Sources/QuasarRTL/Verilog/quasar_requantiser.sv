// Requantisation: y = clamp(((acc + bias)·M + 2^(S−1)) >> S, low, high), arithmetic shift, halves round up.
//
// acc is signed, ACCUMULATOR_BITS wide; bias signed, 31 bits; multiplier M signed, |M| < 2^16; shift S in 1…47.
// SUM_BITS says how many bits acc + bias is known to need (signed):
//   up to the width of the pre-adder, 27 (25 on a DSP48E1): one DSP, P = (acc + bias)·M + C with C = 2^(S−1);
//   up to 32: two DSPs. Both numbers are cut at bit 17, P1 = (acc[16:0] + bias[16:0])·M + C (the sum of two unsigned
//   17-bit numbers has 18 bits), P2 = ((acc >> 17) + (bias >> 17))·M + (P1 >> 17): the whole is 2^17·P2 + P1[16:0].
//   |(acc + bias)·M| < 2^47 and C ≤ 2^46: the whole needs 49 bits, one more than a single P.
// low, high: signed limits of one bit more than the code, so that unsigned codes fit as well; they, like the table,
// must keep still while results are under way. All other inputs belong to one result each.
// RESIDUAL = 1 (OUT_BITS 16): delta = the same with the limits of int16, out = clamp16(residual + delta).
// GELU = 1 (OUT_BITS 8): out = table[y], see quasar_gelu.
//
// LATENCY from acc to out: DSP 4 (two DSPs 5), shift and saturate 1, then one of clamp, residual sum, table 1:
// 6 cycles with one DSP, 7 with two. One result a cycle.
module quasar_requantiser #(
  parameter integer GENERATION = 2,
  parameter integer ACCUMULATOR_BITS = 32,
  parameter integer SUM_BITS = 27,
  parameter integer OUT_BITS = 8,
  parameter integer RESIDUAL = 0,
  parameter integer GELU = 0
) (
  input  logic                               clk,
  input  logic                               reset,
  input  logic                               in_valid,
  input  logic [ACCUMULATOR_BITS-1:0]        acc,
  input  logic [30:0]                        bias,
  input  logic [16:0]                        multiplier,
  input  logic [5:0]                         shift,
  input  logic [15:0]                        residual,
  input  logic [OUT_BITS:0]                  low,
  input  logic [OUT_BITS:0]                  high,
  input  logic                               table_write,
  input  logic [7:0]                         table_address,
  input  logic [7:0]                         table_data,
  output logic                               out_valid,
  output logic [OUT_BITS-1:0]                out
);
  localparam integer PREADDER_BITS = GENERATION == 2 ? 27 : 25;
  localparam integer DSPS = SUM_BITS <= PREADDER_BITS ? 1 : 2;
  localparam integer PRODUCT = 3 + DSPS;          // cycles to the product
  localparam integer LATENCY = PRODUCT + 2;
  localparam integer PRODUCT_BITS = DSPS == 1 ? 48 : 49;
  // The shifted sum is first saturated to SHIFTED_BITS: delta itself, or one bit more than the code.
  localparam integer SHIFTED_BITS = RESIDUAL != 0 ? 16 : OUT_BITS + 1;

  logic [31:0] wide_acc, wide_bias;
  logic [17:0] b;
  assign wide_acc = {{(32 - ACCUMULATOR_BITS){acc[ACCUMULATOR_BITS-1]}}, acc};
  assign wide_bias = {bias[30], bias};
  assign b = {multiplier[16], multiplier};

  // The shift goes with its product; C enters the DSP 2 clocks after acc.
  logic [PRODUCT*6-1:0] shifts;
  logic [LATENCY-1:0] valid;
  logic [47:0] rounding;
  always_ff @(posedge clk) begin
    shifts <= {shifts[PRODUCT*6-7:0], shift};
    valid <= reset ? {LATENCY{1'b0}} : {valid[LATENCY-2:0], in_valid};
  end
  assign rounding = 48'd1 << (shifts[11:6] - 6'd1);
  assign out_valid = valid[LATENCY-1];

  // X, Y = product; Z = C (011) or PCIN >> 17 (101).
  logic [PRODUCT_BITS-1:0] product;
  generate
    if (DSPS == 1) begin : gen_one
      logic [47:0] unused_cascade;
      quasar_dsp #(.GENERATION(GENERATION)) dsp (
        .clk(clk), .enable_p(1'b1), .a(wide_acc[26:0]), .b(b), .c(rounding), .d(wide_bias[26:0]),
        .opmode(9'b00_011_0101), .pcin(48'd0), .p(product), .pcout(unused_cascade)
      );
      wire unused_sign_bits = &{1'b0, wide_acc[31:27], wide_bias[31:27]};
    end else begin : gen_two
      logic [47:0] low_product, high_product, low_cascade, unused_cascade;
      logic [14:0] high_acc, high_bias;
      logic [17:0] high_b;
      logic [16:0] low_bits;
      quasar_dsp #(.GENERATION(GENERATION)) low_dsp (
        .clk(clk), .enable_p(1'b1), .a({10'd0, wide_acc[16:0]}), .b(b), .c(rounding), .d({10'd0, wide_bias[16:0]}),
        .opmode(9'b00_011_0101), .pcin(48'd0), .p(low_product), .pcout(low_cascade)
      );
      always_ff @(posedge clk) begin
        high_acc <= wide_acc[31:17];
        high_bias <= wide_bias[31:17];
        high_b <= b;
        low_bits <= low_product[16:0];
      end
      quasar_dsp #(.GENERATION(GENERATION)) high_dsp (
        .clk(clk), .enable_p(1'b1), .a({{12{high_acc[14]}}, high_acc}), .b(high_b), .c(48'd0),
        .d({{12{high_bias[14]}}, high_bias}), .opmode(9'b00_101_0101), .pcin(low_cascade), .p(high_product),
        .pcout(unused_cascade)
      );
      assign product = {high_product[31:0], low_bits};
      wire unused_high_bits = &{1'b0, high_product[47:32], low_product[47:17]};
    end
  endgenerate

  // Shift and saturate.
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
    if (RESIDUAL != 0) begin : gen_residual
      logic [(PRODUCT+1)*16-1:0] residuals;
      logic [16:0] sum;
      assign sum = {residuals[(PRODUCT+1)*16-1], residuals[(PRODUCT+1)*16-1 -: 16]} + {saturated[15], saturated};
      always_ff @(posedge clk) begin
        residuals <= {residuals[PRODUCT*16-1:0], residual};
        out <= sum[16] != sum[15] ? {sum[16], {15{!sum[16]}}} : sum[15:0];
      end
      wire unused_inputs = &{1'b0, low, high, table_write, table_address, table_data};
    end else begin : gen_code
      logic signed [OUT_BITS:0] value, lowest, highest;
      logic [OUT_BITS-1:0] code;
      assign value = saturated;
      assign lowest = low;
      assign highest = high;
      assign code = value < lowest ? lowest[OUT_BITS-1:0] : value > highest ? highest[OUT_BITS-1:0]
        : value[OUT_BITS-1:0];
      if (GELU != 0) begin : gen_gelu
        logic unused_valid;
        quasar_gelu gelu (
          .clk(clk), .reset(reset), .write_enable(table_write), .write_address(table_address),
          .write_data(table_data), .in_valid(valid[LATENCY-2]), .code(code), .out_valid(unused_valid), .out(out)
        );
        wire unused_inputs = &{1'b0, residual};
      end else begin : gen_clamp
        always_ff @(posedge clk) out <= code;
        wire unused_inputs = &{1'b0, residual, table_write, table_address, table_data};
      end
    end
  endgenerate

`ifndef SYNTHESIS
  initial begin
    if (ACCUMULATOR_BITS > 32 || SUM_BITS > 32 || OUT_BITS > 32 || (RESIDUAL != 0 && OUT_BITS != 16)
        || (GELU != 0 && (OUT_BITS != 8 || RESIDUAL != 0))) begin
      $display("quasar_requantiser %m: widths are at most 32; RESIDUAL takes OUT_BITS 16, GELU takes OUT_BITS 8");
      $fatal(1);
    end
  end
`endif
endmodule
