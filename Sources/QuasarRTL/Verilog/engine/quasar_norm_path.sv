// LayerNorm of tokens of the residual memory into the operand memory X, NORM = V channels a cycle.
//
// `start` begins a command; what stands below it comes in the same cycle and is kept here. Tokens first_token …
// first_token + tokens − 1 of D = width channels (a multiple of V, at most MAX_WIDTH) are read from the residual memory, where
// channel c of token t is in bank (t + c) mod BANKS at address ⌊t/BANKS⌋·D + c; first_address is ⌊first_token/BANKS⌋·D. Their codes
// go to consecutive byte lanes of the words of X from byte lane first_byte of the word at first_word (token word·S) on, S = steps:
// channel c to column c mod INPUTS of address token word·S + ⌊c/INPUTS⌋. So a product in which the tokens or the
// addresses are multiplied is never needed here.
//
// A read names the bank and the address of the first of V channels; the V values, first channel in the low bits, come two
// cycles later. Parameters of the norm are written while no command runs.
//
// Cycles, n = D/V, from start in cycle 0: first read in cycle 1, then one a cycle; last write in cycle
// (tokens + 2)·n + 86 + 2·⌈log2 V⌉, writes of a token in consecutive cycles; `done` in the cycle after the last write.
module quasar_norm_path #(
  parameter integer NORM = 4,
  parameter integer INPUTS = 8,
  parameter integer BANKS = 4,
  parameter integer WORD_TOKENS = 9,
  parameter integer MAX_TOKENS = 64,
  parameter integer MAX_WIDTH = 64,
  parameter integer DEPTH = 64,  // words of X
  parameter integer CODE_BITS = 8,
  parameter integer CHUNKS = MAX_WIDTH / NORM,
  parameter integer CHUNK_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1,
  parameter integer LANE_BITS = NORM > 1 ? $clog2(NORM) : 1,
  parameter integer WIDTH_BITS = $clog2(MAX_WIDTH + 1),
  parameter integer TOKEN_BITS = $clog2(MAX_TOKENS + 1),
  parameter integer BANK_BITS = BANKS > 1 ? $clog2(BANKS) : 1,
  parameter integer RESIDUAL_DEPTH = (MAX_TOKENS + BANKS - 1) / BANKS * MAX_WIDTH,
  parameter integer RESIDUAL_BITS = RESIDUAL_DEPTH > 1 ? $clog2(RESIDUAL_DEPTH) : 1,
  parameter integer ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1,
  parameter integer COLUMN_BITS = INPUTS > 1 ? $clog2(INPUTS) : 1,
  parameter integer BYTE_BITS = WORD_TOKENS > 1 ? $clog2(WORD_TOKENS) : 1
) (
  input  logic                                     clk,
  input  logic                                     reset,
  // Parameters of the norm, see quasar_layer_norm.
  input  logic                                     norm_write,
  input  logic [quasar_pkg::EPSILON_BITS-1:0]      norm_epsilon,
  input  logic [CODE_BITS-1:0]                     norm_lo,
  input  logic [CODE_BITS-1:0]                     norm_hi,
  input  logic                                     channel_write,
  input  logic [CHUNK_BITS-1:0]                    channel_chunk,
  input  logic [LANE_BITS-1:0]                     channel_lane,
  input  quasar_channel_t                          channel,
  // The command, cycle 0.
  input  logic                                     start,
  input  logic [TOKEN_BITS-1:0]                    tokens,         // 1…MAX_TOKENS
  input  logic [WIDTH_BITS-1:0]                    width,
  input  logic [BANK_BITS-1:0]                     first_bank,     // first_token mod BANKS
  input  logic [RESIDUAL_BITS-1:0]                 first_address,
  input  logic [ADDRESS_BITS-1:0]                  steps,
  input  logic [ADDRESS_BITS-1:0]                  first_word,
  input  logic [BYTE_BITS-1:0]                     first_byte,
  output logic                                     done,
  // The residual memory.
  output logic                                     read,
  output logic [BANK_BITS-1:0]                     read_bank,
  output logic [RESIDUAL_BITS-1:0]                 read_address,   // cycle 0 of a read
  input  logic [NORM*quasar_pkg::RESIDUAL_BITS-1:0] read_values,   // cycle 2 of a read
  // X: byte `write_byte` of columns write_column … write_column + V − 1.
  output logic                                     write,
  output logic [COLUMN_BITS-1:0]                   write_column,
  output logic [ADDRESS_BITS-1:0]                  write_address,
  output logic [BYTE_BITS-1:0]                     write_byte,
  output logic [NORM*8-1:0]                        write_codes
);
  localparam integer LAST_BANK_NUMBER = BANKS - 1;
  localparam integer LAST_BYTE_NUMBER = WORD_TOKENS - 1;
  localparam integer LAST_COLUMN_NUMBER = INPUTS - NORM;
  localparam [BANK_BITS-1:0] LAST_BANK = LAST_BANK_NUMBER[BANK_BITS-1:0];
  localparam [BYTE_BITS-1:0] LAST_BYTE = LAST_BYTE_NUMBER[BYTE_BITS-1:0];
  localparam [COLUMN_BITS-1:0] LAST_COLUMN = LAST_COLUMN_NUMBER[COLUMN_BITS-1:0];
  localparam [CHUNK_BITS-1:0] ONE = 1;
  localparam integer SHIFT = $clog2(NORM);

  // What the command says of every token.
  logic [WIDTH_BITS-1:0] kept_width;
  logic [ADDRESS_BITS-1:0] kept_steps;
  logic [CHUNK_BITS-1:0] last_chunk;
  always_ff @(posedge clk) if (start) begin
    kept_width <= width;
    kept_steps <= steps;
    last_chunk <= width[SHIFT +: CHUNK_BITS] - ONE;
  end

  // Reads. `bank` is that of the token's channel 0, `row` the address of it.
  logic [TOKEN_BITS-1:0] tokens_behind;
  logic [CHUNK_BITS-1:0] chunk;
  logic [BANK_BITS-1:0] bank, next_bank;
  logic [RESIDUAL_BITS-1:0] row, next_address;
  logic read_last;
  assign read_last = chunk == last_chunk;
  assign next_bank = (bank + {{BANK_BITS-1{1'b0}}, 1'b1}) & LAST_BANK;
  assign next_address = read_address + NORM[RESIDUAL_BITS-1:0];
  always_ff @(posedge clk) begin
    if (reset) read <= 1'b0;
    else read <= start | (read & ~(read_last & tokens_behind == {TOKEN_BITS{1'b0}}));
    if (start) begin
      tokens_behind <= tokens - {{TOKEN_BITS-1{1'b0}}, 1'b1};
      chunk <= {CHUNK_BITS{1'b0}};
      bank <= first_bank;
      row <= first_address;
      read_bank <= first_bank;
      read_address <= first_address;
    end else if (read_last) begin
      tokens_behind <= tokens_behind - {{TOKEN_BITS-1{1'b0}}, 1'b1};
      chunk <= {CHUNK_BITS{1'b0}};
      bank <= next_bank;
      read_bank <= next_bank;
      // The next row of all banks begins where this one ends.
      if (bank == LAST_BANK) row <= next_address;
      read_address <= bank == LAST_BANK ? next_address : row;
    end else begin
      chunk <= chunk + ONE;
      read_bank <= (read_bank + NORM[BANK_BITS-1:0]) & LAST_BANK;
      read_address <= next_address;
    end
  end

  logic in_valid, in_last, out_last;
  logic [NORM*CODE_BITS-1:0] codes;
  quasar_delay #(.BITS(2), .CYCLES(2), .CLEARED(1)) in_line (
    .clk(clk), .reset(reset), .in({read, read & read_last}), .out({in_valid, in_last}));
  quasar_layer_norm #(.WIDTH(MAX_WIDTH), .LANES(NORM), .OUT_BITS(CODE_BITS)) layer_norm (
    .clk(clk), .reset(reset), .width(kept_width), .norm_write(norm_write), .norm_epsilon(norm_epsilon), .norm_lo(norm_lo),
    .norm_hi(norm_hi), .channel_write(channel_write), .channel_chunk(channel_chunk), .channel_lane(channel_lane),
    .channel(channel), .in_valid(in_valid), .in_last(in_last), .in_values(read_values), .out_valid(write),
    .out_last(out_last), .out_codes(codes));
  generate
    for (genvar i = 0; i < NORM; i = i + 1) begin : gen_byte
      if (CODE_BITS < 8) begin : gen_extend
        assign write_codes[i*8 +: 8] = {{8-CODE_BITS{codes[i*CODE_BITS+CODE_BITS-1]}}, codes[i*CODE_BITS +: CODE_BITS]};
      end else begin : gen_whole
        assign write_codes[i*8 +: 8] = codes[i*CODE_BITS +: CODE_BITS];
      end
    end
  endgenerate

  // Writes. `word` is the address of the token word's first step.
  logic [TOKEN_BITS-1:0] tokens_left;
  logic [ADDRESS_BITS-1:0] word, next_word;
  assign next_word = word + kept_steps;
  always_ff @(posedge clk) begin
    done <= write & out_last & tokens_left == {{TOKEN_BITS-1{1'b0}}, 1'b1} & ~reset;
    if (start) begin
      tokens_left <= tokens;
      word <= first_word;
      write_address <= first_word;
      write_byte <= first_byte;
      write_column <= {COLUMN_BITS{1'b0}};
    end else if (write & out_last) begin
      tokens_left <= tokens_left - {{TOKEN_BITS-1{1'b0}}, 1'b1};
      write_column <= {COLUMN_BITS{1'b0}};
      write_byte <= write_byte == LAST_BYTE ? {BYTE_BITS{1'b0}} : write_byte + {{BYTE_BITS-1{1'b0}}, 1'b1};
      if (write_byte == LAST_BYTE) word <= next_word;
      write_address <= write_byte == LAST_BYTE ? next_word : word;
    end else if (write) begin
      write_column <= write_column == LAST_COLUMN ? {COLUMN_BITS{1'b0}} : write_column + NORM[COLUMN_BITS-1:0];
      if (write_column == LAST_COLUMN) write_address <= write_address + {{ADDRESS_BITS-1{1'b0}}, 1'b1};
    end
  end

`ifndef SYNTHESIS
  initial begin
    assert (NORM == 1 << SHIFT && INPUTS % NORM == 0 && BANKS >= NORM && MAX_WIDTH % NORM == 0)
    else $fatal(1, "%0d lanes, %0d inputs, %0d banks, width %0d", NORM, INPUTS, BANKS, MAX_WIDTH);
  end
  logic running;
  always @(posedge clk) begin
    if (reset) running <= 1'b0;
    else if (start || done) running <= start;
    if (!reset && start === 1'b1) begin
      assert (!running || done) else $fatal(1, "a command starts before the one before is done");
      assert (tokens != 0 && {{32-TOKEN_BITS{1'b0}}, tokens} <= MAX_TOKENS) else $fatal(1, "%0d tokens", tokens);
      assert ({{32-WIDTH_BITS{1'b0}}, width} <= MAX_WIDTH && {{32-WIDTH_BITS{1'b0}}, width} % NORM == 0 && width != 0)
      else $fatal(1, "width %0d", width);
      assert ({{32-BYTE_BITS{1'b0}}, first_byte} < WORD_TOKENS && {{32-BANK_BITS{1'b0}}, first_bank} < BANKS)
      else $fatal(1, "byte lane %0d, bank %0d", first_byte, first_bank);
    end
  end
`endif
endmodule
