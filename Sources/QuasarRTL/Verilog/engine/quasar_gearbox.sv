// Words of IN_BITS into items of OUT_BITS, both powers of two times a byte, first item in the low bits.
//
// Combinational from the word to the item: the word stands at in_word until in_done. A wide word gives an item a cycle; a
// narrow one is kept until the item is complete. `finished`: nothing more is wanted, words are dropped, one a cycle;
// out_last: the item that is offered is the last one, the rest of its word is dropped with it. start: the next word is the
// first one of a sequence.
module quasar_gearbox #(
  parameter integer IN_BITS = 128,
  parameter integer OUT_BITS = 64
) (
  input  logic                clk,
  input  logic                start,
  input  logic                in_valid,
  output logic                in_done,
  input  logic [IN_BITS-1:0]  in_word,
  input  logic                finished,
  output logic                out_valid,
  input  logic                out_ready,
  input  logic                out_last,
  output logic [OUT_BITS-1:0] out_item
);
  generate
    if (IN_BITS == OUT_BITS) begin : gen_same
      assign out_valid = in_valid & ~finished;
      assign out_item = in_word;
      assign in_done = in_valid & (finished | out_ready);
    end else if (IN_BITS > OUT_BITS) begin : gen_split
      localparam integer PARTS = IN_BITS / OUT_BITS;
      localparam integer PART_BITS = $clog2(PARTS);
      localparam [PART_BITS-1:0] ONE = 1;
      logic [PART_BITS-1:0] part;
      assign out_valid = in_valid & ~finished;
      assign out_item = in_word[part*OUT_BITS +: OUT_BITS];
      assign in_done = in_valid & (finished | (out_ready & (out_last | &part)));
      always_ff @(posedge clk) begin
        if (start || in_done) part <= {PART_BITS{1'b0}};
        else if (out_valid && out_ready) part <= part + ONE;
      end
    end else begin : gen_join
      localparam integer PARTS = OUT_BITS / IN_BITS;
      localparam integer PART_BITS = $clog2(PARTS);
      localparam [PART_BITS-1:0] ONE = 1;
      logic [PART_BITS-1:0] part;
      logic [OUT_BITS-IN_BITS-1:0] kept;
      logic complete;
      assign complete = &part;
      assign out_valid = in_valid & ~finished & complete;
      assign out_item = {in_word, kept};
      assign in_done = in_valid & (finished | ~complete | out_ready);
      always_ff @(posedge clk) begin
        if (start) part <= {PART_BITS{1'b0}};
        else if (in_done) part <= part + ONE;
        if (in_done) kept <= out_item[OUT_BITS-1:IN_BITS];
      end
    end
  endgenerate

`ifndef SYNTHESIS
  initial assert (IN_BITS > OUT_BITS ? IN_BITS % OUT_BITS == 0 : OUT_BITS % IN_BITS == 0)
  else $fatal(1, "words of %0d bits and items of %0d", IN_BITS, OUT_BITS);
`endif
endmodule
