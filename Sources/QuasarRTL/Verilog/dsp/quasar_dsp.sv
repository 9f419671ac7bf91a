// One DSP slice of either generation behind one port list: p = base + (with_c ? c : 0) + (a + d)·b.
//
// GENERATION_DSP48E2: pre-adder of 27 bits. GENERATION_DSP48E1: 25 bits, the low ones of a and d; it has no fourth adder
// input, so with_c needs BASE_ZERO. p follows a, b and d by 4 edges. Inputs that meet the product later say when: cycle n
// is n clocks after a, b, d; enable_p is the enable of the register p itself.
module quasar_dsp #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2
) (
  input  logic                              clk,
  input  logic [quasar_pkg::DSP_A_BITS-1:0] a,
  input  logic [quasar_pkg::DSP_B_BITS-1:0] b,
  input  logic [quasar_pkg::DSP_A_BITS-1:0] d,
  input  logic [1:0]                        base,      // cycle 2, quasar_pkg::base_e
  input  logic                              with_c,    // cycle 2
  input  logic [quasar_pkg::DSP_P_BITS-1:0] c,         // cycle 2
  input  logic                              enable_p,  // cycle 3
  input  logic [quasar_pkg::DSP_P_BITS-1:0] pcin,      // cycle 3
  output logic [quasar_pkg::DSP_P_BITS-1:0] p,         // cycle 4
  output logic [quasar_pkg::DSP_P_BITS-1:0] pcout      // cycle 4
);
  localparam [3:0] PRODUCT = 4'b0101;  // X and Y

  // Z: 000 zero, 001 PCIN, 010 P, 011 C, 101 PCIN >> 17. Next to a base C enters at W (11), else at Z.
  logic is_zero;
  logic [2:0] z;
  assign is_zero = base == quasar_pkg::BASE_ZERO;
  assign z = is_zero ? {1'b0, {2{with_c}}}
           : base == quasar_pkg::BASE_P ? 3'b010 : base == quasar_pkg::BASE_CASCADE ? 3'b001 : 3'b101;

  generate
    if (GENERATION == quasar_pkg::GENERATION_DSP48E2) begin : gen_e2
      DSP48E2 #(
        .ADREG(1), .ALUMODEREG(1), .AMULTSEL("AD"), .AREG(1), .BREG(2), .CREG(1), .DREG(1), .INMODEREG(1),
        .MREG(1), .OPMODEREG(1), .PREG(1), .USE_MULT("MULTIPLY")
      ) slice (
        .CLK(clk), .A({{3{a[26]}}, a}), .B(b), .C(c), .D(d), .PCIN(pcin), .P(p), .PCOUT(pcout),
        .OPMODE({{2{with_c & ~is_zero}}, z, PRODUCT}), .ALUMODE(4'b0000), .INMODE(5'b00100), .CARRYINSEL(3'b000),
        .CARRYIN(1'b0), .ACIN(30'd0), .BCIN(18'd0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0),
        .CEA1(1'b0), .CEA2(1'b1), .CEAD(1'b1), .CEALUMODE(1'b1), .CEB1(1'b1), .CEB2(1'b1), .CEC(1'b1),
        .CECARRYIN(1'b0), .CECTRL(1'b1), .CED(1'b1), .CEINMODE(1'b1), .CEM(1'b1), .CEP(enable_p),
        .RSTA(1'b0), .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTCTRL(1'b0),
        .RSTD(1'b0), .RSTINMODE(1'b0), .RSTM(1'b0), .RSTP(1'b0)
      );
    end else begin : gen_e1
      DSP48E1 #(
        .ADREG(1), .ALUMODEREG(1), .AREG(1), .BREG(2), .CREG(1), .DREG(1), .INMODEREG(1), .MREG(1),
        .OPMODEREG(1), .PREG(1), .USE_DPORT("TRUE"), .USE_MULT("MULTIPLY")
      ) slice (
        .CLK(clk), .A({{5{a[24]}}, a[24:0]}), .B(b), .C(c), .D(d[24:0]), .PCIN(pcin), .P(p), .PCOUT(pcout),
        .OPMODE({z, PRODUCT}), .ALUMODE(4'b0000), .INMODE(5'b00100), .CARRYINSEL(3'b000), .CARRYIN(1'b0),
        .ACIN(30'd0), .BCIN(18'd0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0),
        .CEA1(1'b0), .CEA2(1'b1), .CEAD(1'b1), .CEALUMODE(1'b1), .CEB1(1'b1), .CEB2(1'b1), .CEC(1'b1),
        .CECARRYIN(1'b0), .CECTRL(1'b1), .CED(1'b1), .CEINMODE(1'b1), .CEM(1'b1), .CEP(enable_p),
        .RSTA(1'b0), .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTCTRL(1'b0),
        .RSTD(1'b0), .RSTINMODE(1'b0), .RSTM(1'b0), .RSTP(1'b0)
      );
    end
  endgenerate

`ifndef SYNTHESIS
  initial begin
    assert (GENERATION == quasar_pkg::GENERATION_DSP48E1 || GENERATION == quasar_pkg::GENERATION_DSP48E2)
    else $fatal(1, "GENERATION %0d is neither 1 nor 2", GENERATION);
  end
  always @(posedge clk) begin
    assert (GENERATION == quasar_pkg::GENERATION_DSP48E2 || !(with_c === 1'b1 && base != quasar_pkg::BASE_ZERO))
    else $fatal(1, "a DSP48E1 adds C to base %0d; it takes BASE_ZERO with C only", base);
  end
`endif
endmodule
