// LayerNorm of tokens of the residual memory into the operand memory X, NORM = V channels a cycle.
//
// `start` begins a command; what stands below it comes in the same cycle and is kept here. Tokens first_token …
// first_token + tokens − 1 of D = width channels (a multiple of V, at most MAX_WIDTH) are read from the residual memory. Their
// codes go to consecutive byte lanes of the words of X, from byte lane first_byte of the word at first_word (token word·S)
// on, S = steps: channel c to column c mod INPUTS of address token word·S + ⌊c/INPUTS⌋. Words are walked by counters, so
// a command may put its tokens at another place than theirs.
//
// A read names a token and the first of V channels; the V values, first channel in the low bits, come RESIDUAL_CYCLES later.
// read_width is D from the first read to `done`. Parameters of the norm are written while no command runs.
//
// Cycles, n = D/V, from start in cycle 0: first read in cycle 1, then one a cycle; first write in cycle
// 2·n + 85 + 2·⌈log2 V⌉ + RESIDUAL_CYCLES, then one a cycle; last write in cycle (tokens + 2)·n + 84 + 2·⌈log2 V⌉ +
// RESIDUAL_CYCLES; `done` in the cycle behind it, in which the next command may start.
module quasar_norm_path #(
  parameter integer NORM = 4,
  parameter integer INPUTS = 8,
  parameter integer WORD_TOKENS = 9,
  parameter integer MAX_TOKENS = 64,
  parameter integer MAX_WIDTH = 64,
  parameter integer DEPTH = 64,  // words of X
  parameter integer CODE_BITS = 8,
  parameter integer RESIDUAL_CYCLES = 2,
  parameter integer CHUNKS = MAX_WIDTH / NORM,
  parameter integer CHUNK_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1,
  parameter integer LANE_BITS = NORM > 1 ? $clog2(NORM) : 1,
  parameter integer WIDTH_BITS = $clog2(MAX_WIDTH + 1),
  parameter integer TOKEN_BITS = MAX_TOKENS > 1 ? $clog2(MAX_TOKENS) : 1,
  parameter integer COUNT_BITS = $clog2(MAX_TOKENS + 1),
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
  input  logic [COUNT_BITS-1:0]                    tokens,         // 1…MAX_TOKENS
  input  logic [WIDTH_BITS-1:0]                    width,
  input  logic [TOKEN_BITS-1:0]                    first_token,
  input  logic [ADDRESS_BITS-1:0]                  steps,
  input  logic [ADDRESS_BITS-1:0]                  first_word,
  input  logic [BYTE_BITS-1:0]                     first_byte,
  output logic                                     done,
  // The residual memory.
  output logic                                     read,
  output logic [WIDTH_BITS-1:0]                    read_width,
  output logic [TOKEN_BITS-1:0]                    read_token,     // cycle 0 of a read
  output logic [WIDTH_BITS-1:0]                    read_channel,   // cycle 0 of a read
  input  logic [NORM*quasar_pkg::RESIDUAL_BITS-1:0] read_values,   // cycle RESIDUAL_CYCLES of a read
  // X: byte `write_byte` of columns write_column … write_column + V − 1.
  output logic                                     write,
  output logic [COLUMN_BITS-1:0]                   write_column,
  output logic [ADDRESS_BITS-1:0]                  write_address,
  output logic [BYTE_BITS-1:0]                     write_byte,
  output logic [NORM*8-1:0]                        write_codes
);
  localparam integer LAST_BYTE_NUMBER = WORD_TOKENS - 1;
  localparam integer LAST_COLUMN_NUMBER = INPUTS - NORM;
  localparam [BYTE_BITS-1:0] LAST_BYTE = LAST_BYTE_NUMBER[BYTE_BITS-1:0];
  localparam [COLUMN_BITS-1:0] LAST_COLUMN = LAST_COLUMN_NUMBER[COLUMN_BITS-1:0];
  localparam [CHUNK_BITS-1:0] ONE = 1;
  localparam integer SHIFT = $clog2(NORM);

  // What the command says of every token.
  logic [ADDRESS_BITS-1:0] kept_steps;
  logic [CHUNK_BITS-1:0] last_chunk;
  always_ff @(posedge clk) if (start) begin
    read_width <= width;
    kept_steps <= steps;
    last_chunk <= width[SHIFT +: CHUNK_BITS] - ONE;
  end

  // Reads.
  logic [COUNT_BITS-1:0] tokens_behind;
  logic [CHUNK_BITS-1:0] chunk;
  logic read_last;
  assign read_last = chunk == last_chunk;
  always_ff @(posedge clk) begin
    if (reset) read <= 1'b0;
    else read <= start | (read & ~(read_last & tokens_behind == {COUNT_BITS{1'b0}}));
    if (start) begin
      tokens_behind <= tokens - {{COUNT_BITS-1{1'b0}}, 1'b1};
      chunk <= {CHUNK_BITS{1'b0}};
      read_token <= first_token;
      read_channel <= {WIDTH_BITS{1'b0}};
    end else if (read_last) begin
      tokens_behind <= tokens_behind - {{COUNT_BITS-1{1'b0}}, 1'b1};
      chunk <= {CHUNK_BITS{1'b0}};
      read_token <= read_token + {{TOKEN_BITS-1{1'b0}}, 1'b1};
      read_channel <= {WIDTH_BITS{1'b0}};
    end else begin
      chunk <= chunk + ONE;
      read_channel <= read_channel + NORM[WIDTH_BITS-1:0];
    end
  end

  logic in_valid, in_last, out_last;
  logic [NORM*CODE_BITS-1:0] codes;
  quasar_delay #(.BITS(2), .CYCLES(RESIDUAL_CYCLES), .CLEARED(1)) in_line (
    .clk(clk), .reset(reset), .in({read, read & read_last}), .out({in_valid, in_last}));
  quasar_layer_norm #(.WIDTH(MAX_WIDTH), .LANES(NORM), .OUT_BITS(CODE_BITS)) layer_norm (
    .clk(clk), .reset(reset), .width(read_width), .norm_write(norm_write), .norm_epsilon(norm_epsilon), .norm_lo(norm_lo),
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
  logic [COUNT_BITS-1:0] tokens_left;
  logic [ADDRESS_BITS-1:0] word, next_word;
  assign next_word = word + kept_steps;
  always_ff @(posedge clk) begin
    done <= write & out_last & tokens_left == {{COUNT_BITS-1{1'b0}}, 1'b1} & ~reset;
    if (start) begin
      tokens_left <= tokens;
      word <= first_word;
      write_address <= first_word;
      write_byte <= first_byte;
      write_column <= {COLUMN_BITS{1'b0}};
    end else if (write & out_last) begin
      tokens_left <= tokens_left - {{COUNT_BITS-1{1'b0}}, 1'b1};
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
    assert (NORM == 1 << SHIFT && INPUTS % NORM == 0 && MAX_WIDTH % NORM == 0)
    else $fatal(1, "%0d lanes, %0d inputs, width %0d", NORM, INPUTS, MAX_WIDTH);
  end
  logic running;
  always @(posedge clk) begin
    if (reset) running <= 1'b0;
    else if (start || done) running <= start;
    if (!reset && start === 1'b1) begin
      assert (!running || done) else $fatal(1, "a command starts before the one before is done");
      assert (tokens != 0 && {{32-COUNT_BITS{1'b0}}, tokens} + {{32-TOKEN_BITS{1'b0}}, first_token} <= MAX_TOKENS)
      else $fatal(1, "%0d tokens from token %0d on", tokens, first_token);
      assert ({{32-WIDTH_BITS{1'b0}}, width} <= MAX_WIDTH && {{32-WIDTH_BITS{1'b0}}, width} % NORM == 0 && width != 0)
      else $fatal(1, "width %0d", width);
      assert ({{32-BYTE_BITS{1'b0}}, first_byte} < WORD_TOKENS) else $fatal(1, "byte lane %0d", first_byte);
    end
  end
`endif
endmodule
