// Elements turned by an amount, combinational: out[i] = in[(i + amount) mod ELEMENTS]; ELEMENTS is a power of two.
module quasar_rotator #(
  parameter integer ELEMENTS = 4,
  parameter integer BITS = 8,
  parameter integer AMOUNT_BITS = ELEMENTS > 1 ? $clog2(ELEMENTS) : 1
) (
  input  logic [ELEMENTS*BITS-1:0] in,
  input  logic [AMOUNT_BITS-1:0]   amount,
  output logic [ELEMENTS*BITS-1:0] out
);
  localparam integer WORD = ELEMENTS * BITS;
  generate
    if (ELEMENTS == 1) begin : gen_wire_only
      assign out = in;
    end else begin : gen_turned
      logic [2*WORD-1:0] twice;
      assign twice = {in, in};
      assign out = twice[amount*BITS +: WORD];
    end
  endgenerate
endmodule
