// Lanes of chains of any length: the carries that pass from lane to lane are counted while the chain runs.
//
// Let S_i be lane i's true sum and C_i = ⌊(everything below bit PITCH·i) / 2^(PITCH·i)⌋ the carry it has received,
// so that field i of P, upwards without end, holds S_i + C_i. Two bits of every upper lane are predicted in
// fabric: T_i = Σ w_i[1:0]·x[1:0] mod 4 = S_i mod 4. With O_i = the two lowest bits of field i, C_i ≡ O_i − T_i
// (mod 4); one product changes C_i by −1, 0 or 1 (|w·x| < 2^PITCH), so the counter follows C_i exactly:
//   C_i += 0, +1, −1 for (O_i − T_i − C_i) mod 4 = 0, 1, 3.
// Then S_i = C_{i+1}·2^PITCH + field_i (unsigned) − C_i with C_0 = 0. The top lane is its field − C_top, wrapped to
// the bits of the field and then read as a signed number: right for every sum that fits them, even where sum and
// carry together do not. Values follow p by 2 edges; the weights and the activation enter 4 edges before p.
module quasar_pe_counters #(
  parameter integer WEIGHTS = 3,
  parameter integer PITCH = 11,
  parameter integer WEIGHT_BITS = 4,
  parameter integer ACTIVATION_BITS = 8,
  parameter integer COUNTER_BITS = 12,
  parameter integer VALUE_BITS = 32
) (
  input  logic                           clk,
  input  logic [WEIGHTS*WEIGHT_BITS-1:0] weights,     // cycle 0
  input  logic [ACTIVATION_BITS-1:0]     activation,  // cycle 0
  input  logic [47:0]                    p,           // cycle 4
  input  logic                           p_valid,     // cycle 4
  input  logic                           p_start,     // cycle 4
  output logic [WEIGHTS*VALUE_BITS-1:0]  values       // cycle 6
);
  localparam integer TOP_BITS = 48 - PITCH * (WEIGHTS - 1);

  // carries[i]: C_i sign-extended to 48 bits, one edge behind P.
  logic [WEIGHTS*48-1:0] carries;
  assign carries[47:0] = 48'd0;

  generate
    for (genvar i = 1; i < WEIGHTS; i = i + 1) begin : gen_counter
      // Predicted low bits of the product, then of the sum; `total` belongs to the product that P holds.
      logic [1:0] low1, low2, low3, low4, total, past;
      logic [1:0] step;
      logic [COUNTER_BITS-1:0] count, base;
      assign total = (p_start ? 2'd0 : past) + low4;
      assign base = p_start ? {COUNTER_BITS{1'b0}} : count;
      assign step = p[PITCH*i +: 2] - total - base[1:0];
      always_ff @(posedge clk) begin
        low1 <= weights[i*WEIGHT_BITS +: 2] * activation[1:0];
        low2 <= low1;
        low3 <= low2;
        low4 <= low3;
        if (p_valid) begin
          past <= total;
          count <= base + {{(COUNTER_BITS-1){step == 2'd3}}, step[0]};
        end
      end
      assign carries[i*48 +: 48] = {{(48 - COUNTER_BITS){count[COUNTER_BITS-1]}}, count};
    end
  endgenerate

  generate
    for (genvar i = 0; i < WEIGHTS; i = i + 1) begin : gen_lane
      logic [47:0] sum;
      if (i == WEIGHTS - 1) begin : gen_top
        logic [TOP_BITS-1:0] field, top;
        always_ff @(posedge clk) field <= p[47 -: TOP_BITS];
        assign top = field - carries[i*48 +: TOP_BITS];
        assign sum = {{(48 - TOP_BITS){top[TOP_BITS-1]}}, top};
      end else begin : gen_lower
        logic [PITCH-1:0] field;
        always_ff @(posedge clk) field <= p[PITCH*i +: PITCH];
        assign sum = {carries[(i+1)*48 +: 48-PITCH], field} - carries[i*48 +: 48];
      end
      always_ff @(posedge clk) values[i*VALUE_BITS +: VALUE_BITS] <= sum[VALUE_BITS-1:0];
    end
  endgenerate
endmodule
