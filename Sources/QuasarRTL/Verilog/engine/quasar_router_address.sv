// Addresses of quasar_router: index·stride + offset and one gap more, and the column of the first token of a beat.
//
// Cycle 0 is the router's cycle 1. The place of a query is its token and, for every block before, the places that fill a
// block of TOKENS queries up to whole tiles of 2·ROWS. One multiplier. Latency: first 2 cycles, addresses 4.
module quasar_router_address #(
  parameter integer ROWS = 2,
  parameter integer INPUTS = 8,
  parameter integer TOKENS = 9,
  parameter integer ADDRESS_BITS = 12,
  parameter integer STRIDE_BITS = 12,
  parameter integer WORD_BITS = 3,
  parameter integer TOKEN_BITS = 6,
  parameter integer BLOCK_BITS = 4,
  parameter integer FIRST_BITS = 4,
  parameter integer QUERY_COLUMNS = 4
) (
  input  logic                             clk,
  input  logic                             is_query,     // cycle 0, as all inputs
  input  logic                             is_value,
  input  logic [WORD_BITS-1:0]             word,
  input  logic [TOKEN_BITS-1:0]            token,
  input  logic [BLOCK_BITS-1:0]            block,
  input  logic [quasar_pkg::STEP_BITS-1:0] step,
  input  logic [STRIDE_BITS-1:0]           stride,
  input  logic [STRIDE_BITS-1:0]           key_words,
  output logic [FIRST_BITS-1:0]            first,        // cycle 2
  output logic [ADDRESS_BITS-1:0]          address,      // cycle 4
  output logic [ADDRESS_BITS-1:0]          far_address   // cycle 4
);
  localparam integer TILE = 2 * ROWS;
  localparam integer PADDING = (TOKENS + TILE - 1) / TILE * TILE - TOKENS;
  localparam integer WIDE = 32;  // of which synthesis keeps what the inputs can reach
  localparam integer QUERY_STEPS = $clog2(QUERY_COLUMNS);
  localparam integer VALUE_STEPS = $clog2(INPUTS);

  logic is_query1, is_value1;
  logic [WORD_BITS-1:0] word1;
  logic [TOKEN_BITS-1:0] token1;
  logic [quasar_pkg::STEP_BITS-1:0] step1;
  logic [STRIDE_BITS-1:0] stride1, key_words1, factor2;
  logic [WIDE-1:0] wide_token, place1, keys1, first1, index1, index2, offset1, offset2, gap1, far2, product3, offset3;
  logic [WIDE-1:0] far3;
  assign keys1 = {{(WIDE-TOKEN_BITS){1'b0}}, token1};
  assign first1 = is_query1 ? place1 & (QUERY_COLUMNS - 1) : keys1 & (INPUTS - 1);
  assign index1 = is_query1 ? place1 >> QUERY_STEPS : is_value1 ? {{(WIDE-10){1'b0}}, step1}
    : {{(WIDE-WORD_BITS){1'b0}}, word1};
  assign offset1 = is_value1 ? keys1 >> VALUE_STEPS : {{(WIDE-10){1'b0}}, step1};
  assign gap1 = is_value1 ? 1 : {{(WIDE-STRIDE_BITS){1'b0}}, stride1};
  assign wide_token = {{(WIDE-TOKEN_BITS){1'b0}}, token};
  always_ff @(posedge clk) begin
    {is_query1, is_value1, word1, token1, step1} <= {is_query, is_value, word, token, step};
    {stride1, key_words1} <= {stride, key_words};
    place1 <= wide_token + {{(WIDE-BLOCK_BITS){1'b0}}, block} * PADDING;

    first <= first1[FIRST_BITS-1:0];
    index2 <= index1;
    factor2 <= is_value1 ? key_words1 : stride1;
    offset2 <= offset1;
    far2 <= offset1 + gap1;

    product3 <= index2 * {{(WIDE-STRIDE_BITS){1'b0}}, factor2};
    offset3 <= offset2;
    far3 <= far2;

    address <= product3[ADDRESS_BITS-1:0] + offset3[ADDRESS_BITS-1:0];
    far_address <= product3[ADDRESS_BITS-1:0] + far3[ADDRESS_BITS-1:0];
  end
endmodule
