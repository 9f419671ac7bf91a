// Test of a quasar_requantiser with the vectors of one case; see quasar_replay_tb. LOW and HIGH are the limits.
//
// Input word, 108 bits, from the low bits, each field signed and extended to whole hexadecimal digits:
// shift [8], multiplier [20], bias [32], acc [32], residual [16].
// Output word: out [OUT_BITS], zeros up to a multiple of four bits. With FORM_GELU the table of quasar_gelu comes
// from vectors/<CASE>.table.hex. Without a result the limits are turned over, as nothing but a result may use them.
module quasar_requantiser_tb #(
  parameter integer GENERATION = quasar_pkg::GENERATION_DSP48E2,
  parameter integer ACCUMULATOR_BITS = 32,
  parameter integer SUM_BITS = 27,
  parameter integer OUT_BITS = 8,
  parameter integer FORM = quasar_pkg::FORM_CODES,
  parameter integer LOW = -128,
  parameter integer HIGH = 127,
  parameter CASE = "quasar_requantiser",
  parameter integer VECTORS = 1
) (
  input  logic        clk,
  input  logic        reset,
  output logic        done,
  output logic [31:0] errors
);
  localparam integer OUT_WORD = (OUT_BITS + 3) / 4 * 4;

  logic in_valid, out_valid, ready, table_write;
  logic [7:0] table_address, table_data;
  logic [32:0] low, high;
  quasar_row_t row;
  logic [107:0] word;
  logic [OUT_BITS-1:0] out;
  logic [OUT_WORD-1:0] found;

  assign low = {33{!in_valid}} ^ {LOW < 0, LOW[31:0]};
  assign high = {33{!in_valid}} ^ {HIGH < 0, HIGH[31:0]};
  assign row = {word[28 +: 31], word[8 +: 17], word[5:0]};

  always_comb begin
    found = 0;
    found[OUT_BITS-1:0] = out;
  end

  quasar_replay_tb #(.IN_WORD(108), .OUT_WORD(OUT_WORD), .CASE(CASE), .VECTORS(VECTORS)) replay (
    .clk(clk), .reset(reset), .ready(ready), .in_valid(in_valid), .word(word), .out_valid(out_valid), .found(found),
    .done(done), .errors(errors)
  );

  quasar_table_tb #(.CASE(CASE), .USED(FORM == quasar_pkg::FORM_GELU ? 1 : 0)) loader (
    .clk(clk), .reset(reset), .write_enable(table_write), .write_address(table_address), .write_data(table_data),
    .ready(ready)
  );

  quasar_requantiser #(
    .GENERATION(GENERATION), .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .SUM_BITS(SUM_BITS), .OUT_BITS(OUT_BITS),
    .FORM(FORM)
  ) unit (
    .clk(clk), .reset(reset), .in_valid(in_valid), .acc(word[60 +: ACCUMULATOR_BITS]), .row(row),
    .residual(word[92 +: 16]), .low(low[OUT_BITS:0]), .high(high[OUT_BITS:0]), .table_write(table_write),
    .table_address(table_address), .table_data(table_data), .out_valid(out_valid), .out(out)
  );
endmodule
