// Behavioural model of the part of a DSP48E2 that the units use: P = W + M + Z, M = (A + D)·B.
//
// Module, port and parameter names are those of the vendor's primitive: leave this file out wherever the tool
// brings its own DSP48E2 (synthesis, vendor simulation); the instances bind unchanged.
//
//   A[26:0], D   27-bit pre-adder, wraps     1 register each, then ADREG
//   B            18 bits                     2 registers, so that B meets A + D at the multiplier
//   M            45-bit signed product       1 register
//   C            48 bits                     1 register
//   P            48-bit sum, wraps           1 register; PCOUT = P
//
// P follows A, B and D by 4 edges; C and OPMODE pass one register only and go in 2 clocks after A, B and D.
// OPMODE = {W, Z, Y, X}: W 00 zero, 11 C; Y, X 0101 the product, 0000 zero;
// Z 000 zero, 001 PCIN, 010 P, 011 C, 101 PCIN >> 17 (arithmetic).
module DSP48E2 #(
  parameter integer ADREG = 1,
  parameter integer ALUMODEREG = 1,
  parameter AMULTSEL = "A",
  parameter integer AREG = 1,
  parameter integer BREG = 1,
  parameter integer CREG = 1,
  parameter integer DREG = 1,
  parameter integer INMODEREG = 1,
  parameter integer MREG = 1,
  parameter integer OPMODEREG = 1,
  parameter integer PREG = 1,
  parameter USE_MULT = "MULTIPLY"
) (
  // Pins that are tied to constants in every instance; the model only checks INMODE and ALUMODE.
  input  logic [29:0] A,  // the multiplier path has 27 bits
  input  logic [29:0] ACIN,
  input  logic [17:0] BCIN,
  input  logic        CARRYCASCIN,
  input  logic        CARRYIN,
  input  logic [2:0]  CARRYINSEL,
  input  logic        CEA1,
  input  logic        CEALUMODE,
  input  logic        CECARRYIN,
  input  logic        CEINMODE,
  input  logic        MULTSIGNIN,
  input  logic        RSTALLCARRYIN,
  input  logic        RSTALUMODE,
  input  logic        RSTINMODE,
  input  logic [3:0]  ALUMODE,
  input  logic [4:0]  INMODE,
  input  logic [17:0] B,
  input  logic [47:0] C,
  input  logic [26:0] D,
  input  logic [47:0] PCIN,
  input  logic [8:0]  OPMODE,
  input  logic        CLK,
  input  logic        CEA2,
  input  logic        CEAD,
  input  logic        CEB1,
  input  logic        CEB2,
  input  logic        CEC,
  input  logic        CECTRL,
  input  logic        CED,
  input  logic        CEM,
  input  logic        CEP,
  input  logic        RSTA,
  input  logic        RSTB,
  input  logic        RSTC,
  input  logic        RSTCTRL,
  input  logic        RSTD,
  input  logic        RSTM,
  input  logic        RSTP,
  output logic [47:0] P,
  output logic [47:0] PCOUT
);
  logic signed [26:0] a2, d1, ad;
  logic signed [17:0] b1, b2;
  logic signed [44:0] m;
  logic [2:0] z_select;
  logic [47:0] c1, w, xy, z, shifted_pcin;
  logic [8:0] op;

  // The device starts with every register at zero.
  initial begin
    a2 = 0;
    d1 = 0;
    ad = 0;
    b1 = 0;
    b2 = 0;
    m = 0;
    c1 = 0;
    op = 0;
    P = 0;
  end

  always @(posedge CLK) begin
    if (RSTA) a2 <= 0;
    else if (CEA2) a2 <= A[26:0];
    if (RSTD) d1 <= 0;
    else if (CED) d1 <= D;
    if (RSTD) ad <= 0;
    else if (CEAD) ad <= a2 + d1;
    if (RSTB) b1 <= 0;
    else if (CEB1) b1 <= B;
    if (RSTB) b2 <= 0;
    else if (CEB2) b2 <= b1;
    if (RSTM) m <= 0;
    else if (CEM) m <= ad * b2;
    if (RSTC) c1 <= 0;
    else if (CEC) c1 <= C;
    if (RSTCTRL) op <= 0;
    else if (CECTRL) op <= OPMODE;
    if (RSTP) P <= 0;
    else if (CEP) P <= w + xy + z;
  end

  assign w = op[8:7] == 2'b11 ? c1 : 48'd0;
  assign shifted_pcin = {{17{PCIN[47]}}, PCIN[47:17]};
  assign z_select = op[6:4];
  assign xy = op[3:0] == 4'b0101 ? {{3{m[44]}}, m} : 48'd0;

  always_comb begin
    case (z_select)
      3'b001: z = PCIN;
      3'b010: z = P;
      3'b011: z = c1;
      3'b101: z = shifted_pcin;
      default: z = 48'd0;
    endcase
  end

  assign PCOUT = P;

`ifndef SYNTHESIS
  initial begin
    if (ADREG != 1 || ALUMODEREG != 1 || AREG != 1 || BREG != 2 || CREG != 1 || DREG != 1 || INMODEREG != 1
        || MREG != 1 || OPMODEREG != 1 || PREG != 1) begin
      $display("DSP48E2 %m: the model has BREG = 2 and every other register = 1");
      $fatal(1);
    end
    if (AMULTSEL != "AD" || USE_MULT != "MULTIPLY") begin
      $display("DSP48E2 %m: the model has AMULTSEL = AD and USE_MULT = MULTIPLY only");
      $fatal(1);
    end
  end

  always @(posedge CLK) begin
    if (CEP && !RSTP) begin
      if (ALUMODE != 4'b0000 || INMODE != 5'b00100) begin
        $display("DSP48E2 %m: ALUMODE %b, INMODE %b: the model adds only (0000, 00100)", ALUMODE, INMODE);
        $fatal(1);
      end
      if ((op[8:7] != 2'b00 && op[8:7] != 2'b11) || (op[3:0] != 4'b0101 && op[3:0] != 4'b0000)
          || op[6:4] == 3'b100 || op[6:5] == 2'b11) begin
        $display("DSP48E2 %m: OPMODE %b is not modelled", op);
        $fatal(1);
      end
    end
  end
`endif
endmodule
