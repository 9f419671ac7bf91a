// Operand packing and the DSP of a processing element; the layout is described in quasar_pe.
//
// `start` begins a chain, else the product is added to p; `enable` lets p take the product.
module quasar_pe_pack #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer WEIGHTS = 2,
  parameter integer ACTIVATIONS = 1,
  parameter integer PITCH = 18,
  parameter integer WEIGHT_BITS = 8,
  parameter integer ACTIVATION_BITS = 8,
  parameter integer WEIGHT_FORM = quasar_pkg::WEIGHT_WHOLE,
  parameter integer ACTIVATIONS_SIGNED = 1
) (
  input  logic                                   clk,
  input  logic [WEIGHTS*WEIGHT_BITS-1:0]         weights,      // cycle 0
  input  logic [ACTIVATIONS*ACTIVATION_BITS-1:0] activations,  // cycle 0
  input  logic                                   start,        // cycle 2
  input  logic                                   enable,       // cycle 3
  output logic [47:0]                            p             // cycle 4
);
  localparam integer PARTS = WEIGHT_FORM == quasar_pkg::WEIGHT_ATOMS ? 2 * WEIGHTS : WEIGHTS;
  localparam integer STEP = PITCH * ACTIVATIONS;  // distance of neighbouring parts in bits

  // Part i in 27 bits, sign-extended; l atoms have no sign.
  logic [PARTS*27-1:0] parts;
  generate
    for (genvar k = 0; k < WEIGHTS; k = k + 1) begin : gen_part
      if (WEIGHT_FORM == quasar_pkg::WEIGHT_ATOMS) begin : gen_atoms
        assign parts[(2*k)*27 +: 27] = {23'd0, weights[k*WEIGHT_BITS +: 4]};
        assign parts[(2*k+1)*27 +: 27] = {{(31 - WEIGHT_BITS){weights[(k+1)*WEIGHT_BITS-1]}},
                                          weights[k*WEIGHT_BITS+4 +: WEIGHT_BITS-4]};
      end else begin : gen_whole
        assign parts[k*27 +: 27] = {{(27 - WEIGHT_BITS){weights[(k+1)*WEIGHT_BITS-1]}},
                                    weights[k*WEIGHT_BITS +: WEIGHT_BITS]};
      end
    end
  endgenerate

  // Σ_{i ≥ 1} part_i·2^(STEP·i): nothing but wires for two parts, a small adder for more.
  function automatic [26:0] upper_parts(input [PARTS*27-1:0] all);
    integer i;
    begin
      upper_parts = 27'd0;
      for (i = 1; i < PARTS; i = i + 1) upper_parts = upper_parts + (all[i*27 +: 27] << (STEP * i));
    end
  endfunction

  // Σ_j x_j·2^(PITCH·j) in 18 bits, x_j sign- or zero-extended.
  function automatic [17:0] packed_activations(input [ACTIVATIONS*ACTIVATION_BITS-1:0] all);
    integer j;
    reg [17:0] x;
    begin
      packed_activations = 18'd0;
      for (j = 0; j < ACTIVATIONS; j = j + 1) begin
        x = {18{ACTIVATIONS_SIGNED != 0 && all[j*ACTIVATION_BITS+ACTIVATION_BITS-1]}};
        x[ACTIVATION_BITS-1:0] = all[j*ACTIVATION_BITS +: ACTIVATION_BITS];
        packed_activations = packed_activations + (x << (PITCH * j));
      end
    end
  endfunction

  logic [26:0] d;
  logic [17:0] b;
  assign d = upper_parts(parts);
  assign b = packed_activations(activations);

  logic [47:0] unused_cascade;

  quasar_dsp #(.GENERATION(GENERATION)) dsp (
    .clk(clk), .a(parts[26:0]), .b(b), .d(d), .base(start ? quasar_pkg::BASE_ZERO : quasar_pkg::BASE_P),
    .with_c(1'b0), .c(48'd0), .enable_p(enable), .pcin(48'd0), .p(p), .pcout(unused_cascade)
  );
endmodule
