// Lanes of one product set of three weights whose products need one bit more than the pitch.
//
// Bit PITCH of P is the exclusive or of lane 0's missing sign bit and the lowest bit of lane 1, which is
// w_1[0]·x[0] (no carry reaches it from lane 0, whose window now has PITCH + 1 bits). With it
//   f0 = signed {P[PITCH] ^ w_1[0]·x[0], P[PITCH-1:0]},   Q = (P − f0) >> PITCH = P[47:PITCH] + (sign of f0),
//   f1 = signed {Q[PITCH] ^ w_2[0]·x[0], Q[PITCH-1:0]},   f2 = (Q − f1) >> PITCH likewise.
// Holds for single products: |f| ≤ 2^PITCH. Values follow p by 2 edges, weights and activation are those that
// went into the packing 4 edges before p.
module quasar_pe_restored #(
  parameter integer PITCH = 11,
  parameter integer WEIGHT_BITS = 4,
  parameter integer ACTIVATION_BITS = 8,
  parameter integer VALUE_BITS = 32
) (
  input  logic                         clk,
  input  logic [3*WEIGHT_BITS-1:0]     weights,     // cycle 0
  input  logic [ACTIVATION_BITS-1:0]   activation,  // cycle 0
  input  logic [47:0]                  p,           // cycle 4
  output logic [3*VALUE_BITS-1:0]      values       // cycle 6
);
  localparam integer TOP_BITS = 48 - 2 * PITCH;

  // Lowest bits of the products of weights 1 and 2, 4 edges later, with P; that of weight 2 one more.
  logic [4:1] odd1;
  logic [5:1] odd2;
  always_ff @(posedge clk) begin
    odd1 <= {odd1[3:1], weights[WEIGHT_BITS] & activation[0]};
    odd2 <= {odd2[4:1], weights[2*WEIGHT_BITS] & activation[0]};
  end

  // Stage 1: f0 and Q.
  logic sign0;
  logic [PITCH:0] f0;
  logic [47-PITCH:0] q;
  assign sign0 = p[PITCH] ^ odd1[4];
  always_ff @(posedge clk) begin
    f0 <= {sign0, p[PITCH-1:0]};
    q <= p[47:PITCH] + {{(47 - PITCH){1'b0}}, sign0};
  end

  // Stage 2: f1 and f2.
  logic sign1;
  logic [TOP_BITS-1:0] f2;
  assign sign1 = q[PITCH] ^ odd2[5];
  assign f2 = q[47-PITCH:PITCH] + {{(TOP_BITS-1){1'b0}}, sign1};

  logic [3*48-1:0] wide;
  assign wide[0 +: 48] = {{(47 - PITCH){f0[PITCH]}}, f0};
  assign wide[48 +: 48] = {{(48 - PITCH){sign1}}, q[PITCH-1:0]};
  assign wide[96 +: 48] = {{(48 - TOP_BITS){f2[TOP_BITS-1]}}, f2};

  generate
    for (genvar n = 0; n < 3; n = n + 1) begin : gen_value
      always_ff @(posedge clk) values[n*VALUE_BITS +: VALUE_BITS] <= wide[n*48 +: VALUE_BITS];
    end
  endgenerate
endmodule
