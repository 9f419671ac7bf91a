// Probabilities on the input side of the array: INPUTS columns of TOKENS bytes, three slots of a block of queries each.
//
// Key j of query u is byte u of column j mod INPUTS at address slot·STEPS + ⌊j/INPUTS⌋. A write brings SOFTMAX keys from
// chunk·SOFTMAX of query u and, with write_second, of query u + 1: the code of key i of the second query is byte
// SOFTMAX + i. A read brings read_keys keys; the columns after them are 0, whatever was written.
// Two registers stand before the memory: what is written in cycle 0 is read at an address of cycle 3.
module quasar_probability_memory #(
  parameter integer INPUTS = 8,
  parameter integer TOKENS = 9,
  parameter integer SOFTMAX = 3,
  parameter integer MAX_TOKENS = 64,
  parameter integer STEPS = (MAX_TOKENS + INPUTS - 1) / INPUTS,
  parameter integer STEP_BITS = STEPS > 1 ? $clog2(STEPS) : 1,
  parameter integer CHUNKS = (MAX_TOKENS + SOFTMAX - 1) / SOFTMAX,
  parameter integer CHUNK_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1,
  parameter integer QUERY_BITS = TOKENS > 1 ? $clog2(TOKENS) : 1,
  parameter integer KEYS_BITS = $clog2(INPUTS + 1)
) (
  input  logic                       clk,
  input  logic                       reset,
  input  logic                       write,
  input  logic [1:0]                 write_slot,
  input  logic [QUERY_BITS-1:0]      write_query,
  input  logic                       write_second,
  input  logic [CHUNK_BITS-1:0]      write_chunk,
  input  logic [2*SOFTMAX*8-1:0]     write_codes,
  input  logic [1:0]                 read_slot,   // cycle 0
  input  logic [STEP_BITS-1:0]       read_step,   // cycle 0
  input  logic [KEYS_BITS-1:0]       read_keys,   // cycle 0, 1…INPUTS
  output logic [INPUTS*TOKENS*8-1:0] read_words   // cycle 2: byte κ·TOKENS + u
);
  localparam integer DEPTH = 3 * STEPS;
  localparam integer ADDRESS_BITS = $clog2(DEPTH);
  localparam integer WINDOW = 1 << $clog2(SOFTMAX);
  localparam integer TURN_BITS = WINDOW > 1 ? $clog2(WINDOW) : 1;
  localparam integer COLUMN_BITS = INPUTS > 1 ? $clog2(INPUTS) : 1;
  localparam integer KEY_BITS = STEP_BITS + $clog2(INPUTS);  // holds the first key of a chunk
  localparam [KEY_BITS-1:0] CHUNK_KEYS = SOFTMAX[KEY_BITS-1:0];
  localparam [ADDRESS_BITS-1:0] SLOT_STEPS = STEPS[ADDRESS_BITS-1:0];
  localparam integer LAST_STEP = STEPS - 1;

  // First register: the first key.
  logic write1, second1;
  logic [1:0] slot1;
  logic [QUERY_BITS-1:0] query1;
  logic [KEY_BITS-1:0] chunk, key1;
  logic [2*SOFTMAX*8-1:0] codes1;
  always_comb begin
    chunk = 0;
    chunk[CHUNK_BITS-1:0] = write_chunk;
  end
  always_ff @(posedge clk) begin
    write1 <= write && !reset;
    {second1, slot1, query1} <= {write_second, write_slot, write_query};
    key1 <= chunk * CHUNK_KEYS;
    codes1 <= write_codes;
  end

  // Second register: what goes into each column. Bit i of `reached` is place i of the step of the first key and, from INPUTS
  // on, of the step after it.
  logic [STEP_BITS-1:0] step1;
  logic [TURN_BITS-1:0] turn1;
  logic [2*INPUTS-1:0] reached;
  logic [INPUTS-1:0] columns, far, clear;
  logic beyond;
  logic [ADDRESS_BITS-1:0] base, address, far_address, read_address;
  logic [2*WINDOW*8-1:0] rotated, codes;
  logic [TOKENS-1:0] first_byte, second_byte;
  generate
    if (INPUTS > 1) begin : gen_turn
      assign reached = {{(2*INPUTS-SOFTMAX){1'b0}}, {SOFTMAX{1'b1}}} << key1[COLUMN_BITS-1:0];
      assign step1 = key1[$clog2(INPUTS) +: STEP_BITS];
    end else begin : gen_straight
      assign reached = 2'b01;
      assign step1 = key1[STEP_BITS-1:0];
    end
    if (WINDOW > 1) begin : gen_rotated
      assign turn1 = -key1[TURN_BITS-1:0];
    end else begin : gen_still
      assign turn1 = 1'b0;
    end
    for (genvar i = 0; i < 2; i = i + 1) begin : gen_query
      logic [SOFTMAX*8-1:0] own;
      logic [WINDOW*8-1:0] row;
      assign own = codes1[i*SOFTMAX*8 +: SOFTMAX*8];
      always_comb begin
        row = 0;
        row[SOFTMAX*8-1:0] = own;
      end
      quasar_rotator #(.ELEMENTS(WINDOW), .BITS(8)) rotator (
        .in(row), .amount(turn1), .out(rotated[i*WINDOW*8 +: WINDOW*8]));
    end
  endgenerate
  assign beyond = step1 == LAST_STEP[STEP_BITS-1:0];  // no step after it: no place there for what follows the last key
  assign base = (slot1 == 2'd0 ? {ADDRESS_BITS{1'b0}} : slot1 == 2'd1 ? SLOT_STEPS : SLOT_STEPS + SLOT_STEPS)
    + {{(ADDRESS_BITS-STEP_BITS){1'b0}}, step1};
  always_ff @(posedge clk) begin
    far <= reached[2*INPUTS-1:INPUTS];
    columns <= {INPUTS{write1}} & (reached[INPUTS-1:0] | (reached[2*INPUTS-1:INPUTS] & {INPUTS{!beyond}}));
    address <= base;
    far_address <= base + 1;
    codes <= rotated;
    first_byte <= {{(TOKENS-1){1'b0}}, 1'b1} << query1;
    second_byte <= second1 ? {{(TOKENS-1){1'b0}}, 1'b1} << query1 << 1 : {TOKENS{1'b0}};
  end

  logic [WINDOW*TOKENS*8-1:0] words;
  generate
    for (genvar i = 0; i < WINDOW; i = i + 1) begin : gen_window
      for (genvar k = 0; k < TOKENS; k = k + 1) begin : gen_byte
        assign words[(i*TOKENS + k)*8 +: 8] = second_byte[k] ? codes[(WINDOW + i)*8 +: 8] : codes[i*8 +: 8];
      end
    end
  endgenerate
  assign read_address = (read_slot == 2'd0 ? {ADDRESS_BITS{1'b0}} : read_slot == 2'd1 ? SLOT_STEPS
    : SLOT_STEPS + SLOT_STEPS) + {{(ADDRESS_BITS-STEP_BITS){1'b0}}, read_step};
  generate
    for (genvar i = 0; i < INPUTS; i = i + 1) begin : gen_clear
      localparam [KEYS_BITS-1:0] COLUMN = i;
      always_ff @(posedge clk) clear[i] <= COLUMN >= read_keys;
    end
  endgenerate
  quasar_column_memory #(.COLUMNS(INPUTS), .BYTES(TOKENS), .WINDOW(WINDOW), .DEPTH(DEPTH)) memory (
    .clk(clk), .write_columns(columns), .write_far(far), .write_address(address),
    .write_far_address(far_address), .write_bytes(first_byte | second_byte), .write_words(words),
    .read_address(read_address), .read_clear(clear), .read_words(read_words));

`ifndef SYNTHESIS
  initial begin
    assert (SOFTMAX <= INPUTS && TOKENS % SOFTMAX == 0)
    else $fatal(1, "SOFTMAX %0d; at most INPUTS %0d and a divisor of TOKENS %0d", SOFTMAX, INPUTS, TOKENS);
  end
  always @(posedge clk) if (!reset && write === 1'b1) begin
    assert (write_slot != 2'd3) else $fatal(1, "slot 3; there are 0…2");
    assert ({{(32-QUERY_BITS){1'b0}}, write_query} + {31'd0, write_second} < TOKENS)
    else $fatal(1, "query %0d, second %b; a block has %0d", write_query, write_second, TOKENS);
    assert ({{(32-CHUNK_BITS){1'b0}}, write_chunk} < CHUNKS)
    else $fatal(1, "chunk %0d of %0d", write_chunk, CHUNKS);
  end
`endif
endmodule
