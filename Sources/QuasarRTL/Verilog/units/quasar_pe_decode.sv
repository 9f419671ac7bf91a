// Reads the lanes of P and joins atoms: values follow p by 2 edges, one of VALUE_BITS for each output.
//
// Lane n is the field P[PITCH·n +: PITCH], the top lane everything up to bit 47. A lane is signed unless its part
// is an l atom and the activations are unsigned. A negative lane has borrowed one from the field above it; the
// bit just below a field is the sign of everything below, so adding it gives the borrow back (DECODE_PARALLEL). An
// unsigned lane never borrows. Joined output: 16·h + l. Values wrap at VALUE_BITS.
module quasar_pe_decode #(
  parameter integer WEIGHTS = 2,
  parameter integer ACTIVATIONS = 1,
  parameter integer PITCH = 18,
  parameter integer WEIGHT_FORM = quasar_pkg::WEIGHT_WHOLE,
  parameter integer ACTIVATIONS_SIGNED = 1,
  parameter integer DECODE = quasar_pkg::DECODE_PARALLEL,
  parameter integer VALUE_BITS = 32
) (
  input  logic                                     clk,
  input  logic [47:0]                              p,
  output logic [WEIGHTS*ACTIVATIONS*VALUE_BITS-1:0] values
);
  localparam integer HAS_ATOMS = WEIGHT_FORM == quasar_pkg::WEIGHT_ATOMS ? 1 : 0;
  localparam integer LANES = WEIGHTS * ACTIVATIONS * (1 + HAS_ATOMS);

  // Stage 1: the lanes of P, corrected, each extended to 48 bits.
  logic [LANES*48-1:0] lanes;
  generate
    for (genvar n = 0; n < LANES; n = n + 1) begin : gen_lane
      localparam integer BITS = n == LANES - 1 ? 48 - PITCH * n : PITCH;
      localparam integer LOW_ATOM = HAS_ATOMS != 0 && (n / ACTIVATIONS) % 2 == 0 ? 1 : 0;
      localparam integer IS_SIGNED = LOW_ATOM != 0 && ACTIVATIONS_SIGNED == 0 ? 0 : 1;
      logic [BITS-1:0] field;
      if (n == 0 || DECODE == quasar_pkg::DECODE_NAIVE) begin : gen_bare
        always_ff @(posedge clk) field <= p[PITCH*n +: BITS];
      end else begin : gen_corrected
        localparam integer BELOW_ATOM = HAS_ATOMS != 0 && ((n - 1) / ACTIVATIONS) % 2 == 0 ? 1 : 0;
        if (BELOW_ATOM != 0 && ACTIVATIONS_SIGNED == 0) begin : gen_no_borrow
          always_ff @(posedge clk) field <= p[PITCH*n +: BITS];
        end else begin : gen_borrow
          always_ff @(posedge clk) field <= p[PITCH*n +: BITS] + {{(BITS-1){1'b0}}, p[PITCH*n-1]};
        end
      end
      assign lanes[n*48 +: 48] = {{(48 - BITS){IS_SIGNED != 0 && field[BITS-1]}}, field};
    end
  endgenerate

  // Stage 2: outputs. Part i of weight k and activation j stand in lane (parts·k + i)·ACTIVATIONS + j.
  generate
    for (genvar k = 0; k < WEIGHTS; k = k + 1) begin : gen_weight
      for (genvar j = 0; j < ACTIVATIONS; j = j + 1) begin : gen_value
        localparam integer OUTPUT = k * ACTIVATIONS + j;
        if (HAS_ATOMS != 0) begin : gen_join
          logic [47:0] low, high;
          assign low = lanes[((2*k)*ACTIVATIONS+j)*48 +: 48];
          assign high = lanes[((2*k+1)*ACTIVATIONS+j)*48 +: 48];
          // The low four bits of 16·h + l are those of l.
          always_ff @(posedge clk) begin
            values[OUTPUT*VALUE_BITS +: VALUE_BITS]
              <= {low[VALUE_BITS-1:4] + high[VALUE_BITS-5:0], low[3:0]};
          end
        end else begin : gen_whole
          always_ff @(posedge clk) values[OUTPUT*VALUE_BITS +: VALUE_BITS] <= lanes[OUTPUT*48 +: VALUE_BITS];
        end
      end
    end
  endgenerate
endmodule
