// Processing element: one DSP that multiplies WEIGHTS × ACTIVATIONS pairs per cycle and adds them up, lane by lane.
//
// Packing. Every weight has one part (the code) or, as WEIGHT_ATOMS, two: w = 16·h + l, part 2k = l (0…15, unsigned),
// part 2k + 1 = h (signed). With AD = Σ_i part_i·2^(PITCH·ACTIVATIONS·i) on the pre-adder (part 0 on port A, the
// others on port D) and B = Σ_j x_j·2^(PITCH·j), lane i·ACTIVATIONS + j of P, at bit PITCH·(i·ACTIVATIONS + j),
// accumulates part_i·x_j.
//
// A chain of at most CHAIN products adds up in P; P is drained after CHAIN products and at in_last, decoded
// (quasar_pe_decode, or for the repairs quasar_pe_restored and quasar_pe_counters) and added to one accumulator of
// ACCUMULATOR_BITS (at most 32, wrapping) for each output.
//
// One set of products per cycle while in_valid; gaps are allowed, dot products may follow each other directly.
// in_last comes with in_valid only. out_valid comes quasar_pkg::ELEMENT_CYCLES = 7 cycles after it: DSP 4, decode 2,
// accumulator 1.
// weights[k], activations[j]: codes, index 0 in the low bits; out: index weight·ACTIVATIONS + activation.
module quasar_pe #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer WEIGHTS = 2,
  parameter integer ACTIVATIONS = 1,
  parameter integer PITCH = 18,
  parameter integer WEIGHT_BITS = 8,        // always signed
  parameter integer ACTIVATION_BITS = 8,
  parameter integer WEIGHT_FORM = quasar_pkg::WEIGHT_WHOLE,
  parameter integer ACTIVATIONS_SIGNED = 1,
  parameter integer REPAIR = quasar_pkg::REPAIR_NONE,
  parameter integer DECODE = quasar_pkg::DECODE_PARALLEL,  // REPAIR_NONE only: naive reads the bare fields
  parameter integer CHAIN = 7,
  parameter integer ACCUMULATOR_BITS = quasar_pkg::ACCUMULATOR_BITS,
  parameter integer COUNTER_BITS = $clog2(CHAIN + 1) + 1  // carry counters: a count is at most CHAIN in magnitude
) (
  input  logic                                              clk,
  input  logic                                              reset,
  input  logic                                              in_valid,
  input  logic                                              in_last,
  input  logic [WEIGHTS*WEIGHT_BITS-1:0]                    weights,
  input  logic [ACTIVATIONS*ACTIVATION_BITS-1:0]            activations,
  output logic                                              out_valid,
  output logic [WEIGHTS*ACTIVATIONS*ACCUMULATOR_BITS-1:0]   out
);
  localparam integer OUTPUTS = WEIGHTS * ACTIVATIONS;

  localparam integer DECODED = quasar_pkg::ELEMENT_CYCLES - 1;

  // Flow. drain[n], last[n]: n cycles after the product; P holds it when n = 4, its decoded values when n = DECODED.
  logic first, full;
  logic [4:1] valid, start;
  logic [DECODED:1] drain, last;

  generate
    if (CHAIN == 1) begin : gen_single
      assign first = 1'b1;
      assign full = 1'b1;
    end else begin : gen_chain
      localparam integer COUNT_BITS = $clog2(CHAIN);
      logic [COUNT_BITS-1:0] count;
      assign first = count == 0;
      assign full = {{(32 - COUNT_BITS){1'b0}}, count} == CHAIN - 1;
      always_ff @(posedge clk) begin
        if (reset) count <= 0;
        else if (in_valid) count <= in_last || full ? 0 : count + 1'b1;
      end
    end
  endgenerate

  always_ff @(posedge clk) begin
    start <= {start[3:1], first};
    if (reset) begin
      valid <= 0;
      drain <= 0;
      last <= 0;
    end else begin
      valid <= {valid[3:1], in_valid};
      drain <= {drain[DECODED-1:1], in_valid && (in_last || full)};
      last <= {last[DECODED-1:1], in_valid && in_last};
    end
  end

  logic [47:0] p;

  quasar_pe_pack #(
    .GENERATION(GENERATION), .WEIGHTS(WEIGHTS), .ACTIVATIONS(ACTIVATIONS), .PITCH(PITCH),
    .WEIGHT_BITS(WEIGHT_BITS), .ACTIVATION_BITS(ACTIVATION_BITS), .WEIGHT_FORM(WEIGHT_FORM),
    .ACTIVATIONS_SIGNED(ACTIVATIONS_SIGNED)
  ) pack (
    .clk(clk), .weights(weights), .activations(activations), .start(start[2]), .enable(valid[3]), .p(p)
  );

  logic [OUTPUTS*ACCUMULATOR_BITS-1:0] values;

  generate
    if (REPAIR == quasar_pkg::REPAIR_NONE) begin : gen_decode
      quasar_pe_decode #(
        .WEIGHTS(WEIGHTS), .ACTIVATIONS(ACTIVATIONS), .PITCH(PITCH), .WEIGHT_FORM(WEIGHT_FORM),
        .ACTIVATIONS_SIGNED(ACTIVATIONS_SIGNED), .DECODE(DECODE), .VALUE_BITS(ACCUMULATOR_BITS)
      ) decode (
        .clk(clk), .p(p), .values(values)
      );
    end else if (REPAIR == quasar_pkg::REPAIR_RESTORED_BIT) begin : gen_restored
      quasar_pe_restored #(
        .PITCH(PITCH), .WEIGHT_BITS(WEIGHT_BITS), .ACTIVATION_BITS(ACTIVATION_BITS), .VALUE_BITS(ACCUMULATOR_BITS)
      ) decode (
        .clk(clk), .weights(weights), .activation(activations), .p(p), .values(values)
      );
    end else begin : gen_counters
      quasar_pe_counters #(
        .WEIGHTS(WEIGHTS), .PITCH(PITCH), .WEIGHT_BITS(WEIGHT_BITS), .ACTIVATION_BITS(ACTIVATION_BITS),
        .COUNTER_BITS(COUNTER_BITS), .VALUE_BITS(ACCUMULATOR_BITS)
      ) decode (
        .clk(clk), .weights(weights), .activation(activations), .p(p), .p_valid(valid[4]), .p_start(start[4]),
        .values(values)
      );
    end
  endgenerate

  // Accumulators, cleared by their own reset when a dot product ends; the last sum goes to `out`, which holds it for
  // the requantiser while the next dot product adds up. One LUT per bit: the clear is not part of the adder.
  always_ff @(posedge clk) out_valid <= !reset && last[DECODED];

  generate
    for (genvar n = 0; n < OUTPUTS; n = n + 1) begin : gen_accumulator
      logic [ACCUMULATOR_BITS-1:0] kept, sum;
      assign sum = kept + values[n*ACCUMULATOR_BITS +: ACCUMULATOR_BITS];
      always_ff @(posedge clk) begin
        if (reset || last[DECODED]) kept <= 0;
        else if (drain[DECODED]) kept <= sum;
        if (last[DECODED]) out[n*ACCUMULATOR_BITS +: ACCUMULATOR_BITS] <= sum;
      end
    end
  endgenerate

`ifndef SYNTHESIS
  initial begin
    assert (CHAIN >= 1 && ACCUMULATOR_BITS <= 32)
    else $fatal(1, "CHAIN %0d, ACCUMULATOR_BITS %0d: at least 1, at most 32", CHAIN, ACCUMULATOR_BITS);
    assert (REPAIR != quasar_pkg::REPAIR_RESTORED_BIT || (CHAIN == 1 && WEIGHTS == 3))
    else $fatal(1, "a restored bit takes CHAIN 1 and 3 weights, found %0d and %0d", CHAIN, WEIGHTS);
    assert (REPAIR == quasar_pkg::REPAIR_NONE || (ACTIVATIONS == 1 && WEIGHT_FORM == quasar_pkg::WEIGHT_WHOLE))
    else $fatal(1, "repairs take one activation and whole weights");
    assert (DECODE == quasar_pkg::DECODE_PARALLEL || DECODE == quasar_pkg::DECODE_NAIVE)
    else $fatal(1, "DECODE %0d has no decoder", DECODE);
  end
  always @(posedge clk) if (!reset) begin
    assert (!(in_last === 1'b1 && in_valid === 1'b0)) else $fatal(1, "in_last without in_valid");
  end
  quasar_pe_check #(
    .GENERATION(GENERATION), .WEIGHTS(WEIGHTS), .ACTIVATIONS(ACTIVATIONS), .PITCH(PITCH), .WEIGHT_BITS(WEIGHT_BITS),
    .ACTIVATION_BITS(ACTIVATION_BITS), .WEIGHT_FORM(WEIGHT_FORM), .ACTIVATIONS_SIGNED(ACTIVATIONS_SIGNED),
    .REPAIR(REPAIR)
  ) check (
    .clk(clk), .reset(reset), .valid(in_valid), .first(first), .weights(weights), .activations(activations)
  );
`endif
endmodule
