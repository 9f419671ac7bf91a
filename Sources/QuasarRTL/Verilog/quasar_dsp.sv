// One DSP slice of either generation behind one port list: p = (a + d)·b + z, z chosen by `opmode`.
//
// GENERATION 2: DSP48E2, pre-adder 27 bits. GENERATION 1: DSP48E1, pre-adder 25 bits, the low 25 bits of a and d.
// p follows a, b, d by 4 edges; opmode and c go in 2 clocks after them; enable_p is the enable of the register p
// itself and goes in 3 clocks after them. opmode = {W, Z, Y, X} as in the DSP48E2; a DSP48E1 has no W (keep it 00).
module quasar_dsp #(
  parameter integer GENERATION = 2
) (
  input  logic        clk,
  input  logic        enable_p,
  input  logic [26:0] a,
  input  logic [17:0] b,
  input  logic [47:0] c,
  input  logic [26:0] d,
  input  logic [8:0]  opmode,
  input  logic [47:0] pcin,
  output logic [47:0] p,
  output logic [47:0] pcout
);
  generate
    if (GENERATION == 2) begin : gen_e2
      DSP48E2 #(
        .ADREG(1), .ALUMODEREG(1), .AMULTSEL("AD"), .AREG(1), .BREG(2), .CREG(1), .DREG(1), .INMODEREG(1),
        .MREG(1), .OPMODEREG(1), .PREG(1), .USE_MULT("MULTIPLY")
      ) slice (
        .CLK(clk), .A({{3{a[26]}}, a}), .B(b), .C(c), .D(d), .PCIN(pcin), .P(p), .PCOUT(pcout),
        .OPMODE(opmode), .ALUMODE(4'b0000), .INMODE(5'b00100), .CARRYINSEL(3'b000), .CARRYIN(1'b0),
        .ACIN(30'd0), .BCIN(18'd0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0),
        .CEA1(1'b0), .CEA2(1'b1), .CEAD(1'b1), .CEALUMODE(1'b1), .CEB1(1'b1), .CEB2(1'b1), .CEC(1'b1),
        .CECARRYIN(1'b0), .CECTRL(1'b1), .CED(1'b1), .CEINMODE(1'b1), .CEM(1'b1), .CEP(enable_p),
        .RSTA(1'b0), .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTCTRL(1'b0),
        .RSTD(1'b0), .RSTINMODE(1'b0), .RSTM(1'b0), .RSTP(1'b0)
      );
    end else begin : gen_e1
      wire unused_high_bits = &{1'b0, a[26:25], d[26:25], opmode[8:7]};
      DSP48E1 #(
        .ADREG(1), .ALUMODEREG(1), .AREG(1), .BREG(2), .CREG(1), .DREG(1), .INMODEREG(1), .MREG(1),
        .OPMODEREG(1), .PREG(1), .USE_DPORT("TRUE"), .USE_MULT("MULTIPLY")
      ) slice (
        .CLK(clk), .A({{5{a[24]}}, a[24:0]}), .B(b), .C(c), .D(d[24:0]), .PCIN(pcin), .P(p), .PCOUT(pcout),
        .OPMODE(opmode[6:0]), .ALUMODE(4'b0000), .INMODE(5'b00100), .CARRYINSEL(3'b000), .CARRYIN(1'b0),
        .ACIN(30'd0), .BCIN(18'd0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0),
        .CEA1(1'b0), .CEA2(1'b1), .CEAD(1'b1), .CEALUMODE(1'b1), .CEB1(1'b1), .CEB2(1'b1), .CEC(1'b1),
        .CECARRYIN(1'b0), .CECTRL(1'b1), .CED(1'b1), .CEINMODE(1'b1), .CEM(1'b1), .CEP(enable_p),
        .RSTA(1'b0), .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTCTRL(1'b0),
        .RSTD(1'b0), .RSTINMODE(1'b0), .RSTM(1'b0), .RSTP(1'b0)
      );
    end
  endgenerate
endmodule
