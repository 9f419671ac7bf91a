// Behavioural twin of quasar_column for fast simulation: the same ports, sums and cycles by plain multiplications.
//
// The codes are read from the packed operands; there are neither lanes nor cascades. Partial sums pass from input to input
// of a group of CASCADE as the operands come, so that nothing has to be lined up.
module quasar_column_twin #(
  parameter integer INPUTS = 8,
  parameter integer CASCADE = 4,
  parameter integer PAIR_PITCH = 18,
  parameter integer BLOCK_PITCH = 11,  // 0: no block shape
  parameter integer SUM_BITS = 27,
  parameter integer OUTPUTS = BLOCK_PITCH == 0 ? 2 : 4
) (
  input  logic                                     clk,
  input  logic                                     valid,  // cycle 0
  input  logic                                     first,  // cycle 0: starts a sum
  input  logic                                     block,  // cycle 0
  input  logic [INPUTS*quasar_pkg::DSP_A_BITS-1:0] a,      // input κ: cycle κ mod CASCADE
  input  logic [INPUTS*quasar_pkg::DSP_A_BITS-1:0] d,      // input κ: cycle κ mod CASCADE
  input  logic [INPUTS*quasar_pkg::DSP_B_BITS-1:0] b,      // input κ: cycle κ mod CASCADE
  output logic [OUTPUTS*SUM_BITS-1:0]              sums
);
  localparam integer A_BITS = quasar_pkg::DSP_A_BITS;
  localparam integer B_BITS = quasar_pkg::DSP_B_BITS;
  localparam integer CASCADES = INPUTS / CASCADE;
  localparam integer HALVES = OUTPUTS / 2;
  localparam integer REST = 4 + $clog2(CASCADES);  // cycles from the last partial sums to the total

  // [c]: c cycles later, with the operands of input c of a group.
  logic [CASCADE:0] block_at, valid_at;
  logic [CASCADE:1] block_line, valid_line;
  logic valid_sum, first_sum;
  assign block_at = {block_line, block};
  assign valid_at = {valid_line, valid};
  always_ff @(posedge clk) begin
    block_line <= block_at[CASCADE-1:0];
    valid_line <= valid_at[CASCADE-1:0];
  end
  quasar_delay #(.BITS(2), .CYCLES(CASCADE + REST)) delay_control (
    .clk(clk), .reset(1'b0), .in({valid, first}), .out({valid_sum, first_sum}));

  // Output n of the group of input k, up to this input.
  logic [INPUTS*OUTPUTS*32-1:0] partial;
  generate
    for (genvar k = 0; k < INPUTS; k = k + 1) begin : gen_input
      localparam integer C = k % CASCADE;
      logic [A_BITS-1:0] odd;
      logic [B_BITS-1:0] packed_inputs;
      logic signed [31:0] w [0:1];
      logic signed [31:0] x [0:1];
      assign odd = d[k*A_BITS +: A_BITS];
      assign packed_inputs = b[k*B_BITS +: B_BITS];
      assign w[0] = {{24{a[k*A_BITS+7]}}, a[k*A_BITS +: 8]};
      if (HALVES == 1) begin : gen_pair
        assign w[1] = {{24{odd[A_BITS-1]}}, odd[PAIR_PITCH +: 8]};
        assign x[0] = {{32-B_BITS{packed_inputs[B_BITS-1]}}, packed_inputs};
      end else begin : gen_shapes
        localparam integer HIGH_BITS = B_BITS - BLOCK_PITCH;
        logic [HIGH_BITS-1:0] high;
        assign high = packed_inputs[BLOCK_PITCH +: HIGH_BITS] + {{HIGH_BITS-1{1'b0}}, packed_inputs[BLOCK_PITCH-1]};
        assign w[1] = block_at[C] ? {{28{odd[A_BITS-1]}}, odd[2*BLOCK_PITCH +: 4]}
                                    : {{24{odd[A_BITS-1]}}, odd[PAIR_PITCH +: 8]};
        assign x[0] = block_at[C] ? {{32-BLOCK_PITCH{packed_inputs[BLOCK_PITCH-1]}}, packed_inputs[0 +: BLOCK_PITCH]}
                                    : {{32-B_BITS{packed_inputs[B_BITS-1]}}, packed_inputs};
        assign x[1] = {{32-HIGH_BITS{high[HIGH_BITS-1]}}, high};
      end
      for (genvar n = 0; n < OUTPUTS; n = n + 1) begin : gen_product
        if (C == 0) begin : gen_first
          always_ff @(posedge clk) partial[(k*OUTPUTS+n)*32 +: 32] <= w[n/HALVES] * x[n%HALVES];
        end else begin : gen_next
          always_ff @(posedge clk) begin
            partial[(k*OUTPUTS+n)*32 +: 32] <= partial[((k-1)*OUTPUTS+n)*32 +: 32] + w[n/HALVES] * x[n%HALVES];
          end
        end
`ifndef SYNTHESIS
        if (C == CASCADE - 1) begin : gen_bound
          logic signed [31:0] group_sum, top;
          assign group_sum = partial[(k*OUTPUTS+n)*32 +: 32];
          assign top = group_sum >>> ((block_at[CASCADE] ? BLOCK_PITCH : PAIR_PITCH) - 1);
          always @(posedge clk) if (valid_at[CASCADE] && (n % HALVES == 0 || block_at[CASCADE])) begin
            assert (!(top != 0 && top != -1))
            else $fatal(1, "the sum %0d of a cascade leaves the field of its lane", group_sum);
          end
        end
`endif
      end
    end

    for (genvar n = 0; n < OUTPUTS; n = n + 1) begin : gen_output
      logic [31:0] total;
      logic [SUM_BITS-1:0] added, kept;
      always_comb begin
        total = 0;
        for (int g = 0; g < CASCADES; g = g + 1) total = total + partial[((g*CASCADE+CASCADE-1)*OUTPUTS+n)*32 +: 32];
      end
      quasar_delay #(.BITS(SUM_BITS), .CYCLES(REST)) delay (
        .clk(clk), .reset(1'b0), .in(total[SUM_BITS-1:0]), .out(added));
      assign sums[n*SUM_BITS +: SUM_BITS] = added + (first_sum ? {SUM_BITS{1'b0}} : kept);
      always_ff @(posedge clk) if (valid_sum) kept <= sums[n*SUM_BITS +: SUM_BITS];
    end
  endgenerate
endmodule
