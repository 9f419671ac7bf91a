// A value some cycles later.
//
// CLEARED = 1 empties the line on reset (flags); 0 leaves it alone, which lets it become shift-register LUTs.
module quasar_delay #(
  parameter integer BITS = 1,
  parameter integer CYCLES = 1,
  parameter integer CLEARED = 0
) (
  input  logic            clk,
  input  logic            reset,
  input  logic [BITS-1:0] in,
  output logic [BITS-1:0] out
);
  generate
    if (CYCLES == 0) begin : gen_wire_only
      assign out = in;
    end else begin : gen_line
      logic [BITS*CYCLES-1:0] values, values_next;
      if (CYCLES == 1) begin : gen_single
        assign values_next = in;
      end else begin : gen_several
        assign values_next = {values[BITS*(CYCLES-1)-1:0], in};
      end
      if (CLEARED != 0) begin : gen_cleared
        always_ff @(posedge clk) values <= reset ? {BITS*CYCLES{1'b0}} : values_next;
      end else begin : gen_free
        always_ff @(posedge clk) values <= values_next;
      end
      assign out = values[BITS*CYCLES-1 -: BITS];
    end
  endgenerate
endmodule
