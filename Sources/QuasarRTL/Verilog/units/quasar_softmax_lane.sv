// One lane of the second pass of softmax: the probability code of a score.
//
//   d = maximum − score; z = (d·M + 2^(S−1)) >> S; i = z >> 8, f = z mod 256;
//   P = (E[f] + 2^(15−A+i)) >> (16−A+i), 0 for i > A.
//
// z beyond 4095 is clamped there: its i = 15 > A. P = ((E[f] >> (15−A+i)) + 1) >> 1, so only the top A + 1 bits
// of an entry of the table matter and only those are kept, in a copy per lane. d < 2^SCORE_BITS, M < 2^16; one
// multiplier of 27 × 18 bits while SCORE_BITS ≤ 26. Latency: 9 cycles.
module quasar_softmax_lane #(
  parameter integer SCORE_BITS = 26,
  parameter integer ACTIVATION_BITS = 8
) (
  input  logic                       clk,
  input  logic                       table_write,
  input  logic [7:0]                 table_address,
  input  logic [ACTIVATION_BITS:0]   table_top,
  input  logic [SCORE_BITS-1:0]      maximum,         // cycle 0
  input  logic [SCORE_BITS-1:0]      score,           // cycle 0
  input  logic [15:0]                multiplier,      // cycle 1
  input  logic [5:0]                 shift_less_one,  // cycle 3
  input  logic                       padding,         // cycle 8
  output logic [ACTIVATION_BITS-1:0] code             // cycle 9
);
  localparam integer A = ACTIVATION_BITS;
  localparam integer PRODUCT_BITS = SCORE_BITS + 16;
  localparam [3:0] LAST_OCTAVE = A[3:0];

  // Cycle 1: the distance, below 2^SCORE_BITS though a signed difference would need a bit more. Cycle 2: the
  // product; cycle 3: its second register.
  logic [SCORE_BITS-1:0] distance;
  logic [PRODUCT_BITS-1:0] distance_wide, multiplier_wide, product, exact;
  assign distance_wide = {16'b0, distance};
  assign multiplier_wide = {{SCORE_BITS{1'b0}}, multiplier};
  always_ff @(posedge clk) begin
    distance <= maximum - score;
    product <= distance_wide * multiplier_wide;
    exact <= product;
  end

  // Cycle 7: z in 0…4095.
  logic [12:0] exponent;
  quasar_round_clamp #(.VALUE_BITS(PRODUCT_BITS + 1), .OUT_BITS(13)) rounding (
    .clk(clk), .value({1'b0, exact}), .shift_less_one(shift_less_one), .lo(13'd0), .hi(13'd4095),
    .out(exponent));

  // Cycle 8: the entry. Cycle 9: the code.
  logic [A:0] entry, shifted;
  logic [A+1:0] plus_one;
  logic [3:0] octave;
  quasar_memory #(.BITS(A + 1), .DEPTH(256)) fractions (
    .clk(clk), .write(table_write), .write_address(table_address), .write_word(table_top),
    .read_address(exponent[7:0]), .read_word(entry));
  assign shifted = entry >> octave;
  assign plus_one = {1'b0, shifted} + {{A+1{1'b0}}, 1'b1};
  always_ff @(posedge clk) begin
    octave <= exponent[11:8];
    code <= padding || octave > LAST_OCTAVE ? {A{1'b0}} : plus_one[A:1];
  end
endmodule
