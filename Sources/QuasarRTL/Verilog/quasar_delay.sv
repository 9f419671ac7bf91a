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
    if (CYCLES == 0) begin : wire_only
      logic unused;
      assign unused = &{1'b0, clk, reset};
      assign out = in;
    end else begin : line
      genvar i;
      for (i = 0; i < CYCLES; i = i + 1) begin : stage
        logic [BITS-1:0] value;
        logic [BITS-1:0] earlier;
        if (i == 0) begin : head
          assign earlier = in;
        end else begin : tail
          assign earlier = stage[i-1].value;
        end
        if (CLEARED != 0) begin : cleared
          always_ff @(posedge clk) value <= reset ? {BITS{1'b0}} : earlier;
        end else begin : free
          always_ff @(posedge clk) value <= earlier;
        end
      end
      if (CLEARED == 0) begin : ignored
        logic unused;
        assign unused = reset;
      end
      assign out = stage[CYCLES-1].value;
    end
  endgenerate
endmodule
