// Bounds of a processing element, as assertions: the operands fit the ports of the slice, and every lane's sum fits its
// field of P after each product, so that the chain is not longer than is proved for its operands.
//
// Outside synthesis only. The sums are formed from the codes as plain integers, without packing. A field has PITCH bits,
// the top one the rest of 48; a repaired lower field one bit more (restored bit) or any number (carry counters).
module quasar_pe_check #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer WEIGHTS = 2,
  parameter integer ACTIVATIONS = 1,
  parameter integer PITCH = 18,
  parameter integer WEIGHT_BITS = 8,
  parameter integer ACTIVATION_BITS = 8,
  parameter integer WEIGHT_FORM = quasar_pkg::WEIGHT_WHOLE,
  parameter integer ACTIVATIONS_SIGNED = 1,
  parameter integer REPAIR = quasar_pkg::REPAIR_NONE
) (
  input logic                                   clk,
  input logic                                   reset,
  input logic                                   valid,
  input logic                                   first,
  input logic [WEIGHTS*WEIGHT_BITS-1:0]         weights,
  input logic [ACTIVATIONS*ACTIVATION_BITS-1:0] activations
);
`ifndef SYNTHESIS
  localparam integer HAS_ATOMS = WEIGHT_FORM == quasar_pkg::WEIGHT_ATOMS ? 1 : 0;
  localparam integer PARTS = WEIGHTS * (1 + HAS_ATOMS);
  localparam integer LANES = PARTS * ACTIVATIONS;
  localparam integer ADDER_BITS = GENERATION == quasar_pkg::GENERATION_DSP48E2
    ? quasar_pkg::DSP48E2_PRE_ADDER_BITS : quasar_pkg::DSP48E1_PRE_ADDER_BITS;

  // part_i and x_j as they count, in 48 bits each; AD and B before anything is cut off.
  logic [PARTS*48-1:0] parts;
  logic [ACTIVATIONS*48-1:0] codes;
  logic signed [47:0] ad, b;
  generate
    for (genvar i = 0; i < PARTS; i = i + 1) begin : gen_part
      localparam integer LOW = HAS_ATOMS == 0 ? i * WEIGHT_BITS : i / 2 * WEIGHT_BITS + i % 2 * 4;
      localparam integer BITS = HAS_ATOMS == 0 ? WEIGHT_BITS : i % 2 == 0 ? 4 : WEIGHT_BITS - 4;
      localparam integer IS_SIGNED = HAS_ATOMS == 0 || i % 2 != 0 ? 1 : 0;
      assign parts[i*48 +: 48] = {{48-BITS{IS_SIGNED != 0 && weights[LOW+BITS-1]}}, weights[LOW +: BITS]};
    end
    for (genvar j = 0; j < ACTIVATIONS; j = j + 1) begin : gen_code
      assign codes[j*48 +: 48] = {
        {48-ACTIVATION_BITS{ACTIVATIONS_SIGNED != 0 && activations[(j+1)*ACTIVATION_BITS-1]}},
        activations[j*ACTIVATION_BITS +: ACTIVATION_BITS]};
    end
  endgenerate
  always_comb begin
    ad = 48'sd0;
    b = 48'sd0;
    for (int i = 0; i < PARTS; i = i + 1) ad = ad + (parts[i*48 +: 48] << (PITCH * ACTIVATIONS * i));
    for (int j = 0; j < ACTIVATIONS; j = j + 1) b = b + (codes[j*48 +: 48] << (PITCH * j));
  end
  always @(posedge clk) if (!reset && valid === 1'b1) begin
    assert (ad >>> (ADDER_BITS - 1) == 0 || ad >>> (ADDER_BITS - 1) == -48'sd1)
    else $fatal(1, "the weights %h need more than the %0d bits of the pre-adder", weights, ADDER_BITS);
    assert (b >>> 17 == 0 || b >>> 17 == -48'sd1)
    else $fatal(1, "the activations %h need more than the 18 bits of port B", activations);
  end

  generate
    for (genvar n = 0; n < LANES; n = n + 1) begin : gen_lane
      localparam integer PART = n / ACTIVATIONS;
      localparam integer FIELD_BITS = n == LANES - 1 ? 48 - PITCH * n
        : REPAIR == quasar_pkg::REPAIR_CARRY_COUNTERS ? 48
        : REPAIR == quasar_pkg::REPAIR_RESTORED_BIT ? PITCH + 1 : PITCH;
      localparam integer IS_UNSIGNED = HAS_ATOMS != 0 && PART % 2 == 0 && ACTIVATIONS_SIGNED == 0 ? 1 : 0;
      logic signed [47:0] kept, sum;
      logic fits;
      // A product of sign-extended words is right modulo 2^48.
      assign sum = (first ? 48'sd0 : kept) + parts[PART*48 +: 48] * codes[n%ACTIVATIONS*48 +: 48];
      assign fits = IS_UNSIGNED != 0 ? sum >>> FIELD_BITS == 0
        : sum >>> (FIELD_BITS - 1) == 0 || sum >>> (FIELD_BITS - 1) == -48'sd1;
      always @(posedge clk) if (!reset && valid === 1'b1) begin
        assert (fits)
        else $fatal(1, "the sum %0d leaves its field of %0d bits: the chain is too long", sum, FIELD_BITS);
        kept <= sum;
      end
    end
  endgenerate
`endif
endmodule
