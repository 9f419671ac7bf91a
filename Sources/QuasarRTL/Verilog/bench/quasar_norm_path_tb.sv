// Runs commands of quasar_norm_path over a residual memory of its own, and checks every write and the cycle of each, and of done.
//
// Residual codes, parameters, tokens, widths and places are made here, the codes that are expected by the definition of
// LayerNorm in plain integers. Commands follow until VECTORS tokens have passed. The first command has the width MAX_WIDTH and
// two tokens at least and is measured: from start to the first write, and from token to token. Others have any width; some keep
// width and parameters and start in the cycle in which the one before is done.
module quasar_norm_path_tb #(
  parameter CASE = "norm-path",
  parameter integer VECTORS = 60,
  parameter integer NORM = 4,
  parameter integer INPUTS = 8,
  parameter integer WORD_TOKENS = 9,
  parameter integer MAX_TOKENS = 64,
  parameter integer MAX_WIDTH = 64,
  parameter integer DEPTH = (MAX_TOKENS + WORD_TOKENS - 1) / WORD_TOKENS * ((MAX_WIDTH + INPUTS - 1) / INPUTS),
  parameter integer CODE_BITS = 8,
  parameter integer RESIDUAL_CYCLES = 2
) (
  input  logic        clk,
  input  logic        reset,
  output logic        done,
  output logic [31:0] errors
);
  localparam integer CHUNKS = MAX_WIDTH / NORM;
  localparam integer CHUNK_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1;
  localparam integer LANE_BITS = NORM > 1 ? $clog2(NORM) : 1;
  localparam integer WIDTH_BITS = $clog2(MAX_WIDTH + 1);
  localparam integer TOKEN_BITS = MAX_TOKENS > 1 ? $clog2(MAX_TOKENS) : 1;
  localparam integer COUNT_BITS = $clog2(MAX_TOKENS + 1);
  localparam integer ADDRESS_BITS = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam integer COLUMN_BITS = INPUTS > 1 ? $clog2(INPUTS) : 1;
  localparam integer BYTE_BITS = WORD_TOKENS > 1 ? $clog2(WORD_TOKENS) : 1;
  localparam integer PIPELINE = 84 + 2 * $clog2(NORM) + RESIDUAL_CYCLES;

  logic norm_write, channel_write, start, unit_done, read, write;
  logic [39:0] norm_epsilon;
  logic [CODE_BITS-1:0] norm_lo, norm_hi;
  logic [CHUNK_BITS-1:0] channel_chunk;
  logic [LANE_BITS-1:0] channel_lane;
  quasar_channel_t channel;
  logic [COUNT_BITS-1:0] tokens;
  logic [WIDTH_BITS-1:0] width, read_width, read_channel;
  logic [TOKEN_BITS-1:0] first_token, read_token;
  logic [ADDRESS_BITS-1:0] steps, first_word, write_address;
  logic [BYTE_BITS-1:0] first_byte, write_byte;
  logic [NORM*16-1:0] answer, read_values;
  logic [RESIDUAL_CYCLES*NORM*16-1:0] answers;  // of the reads before, the last one in the low bits
  assign read_values = answers[RESIDUAL_CYCLES*NORM*16-1 -: NORM*16];
  logic [COLUMN_BITS-1:0] write_column;
  logic [NORM*8-1:0] write_codes, expected_codes;
  quasar_norm_path #(
    .NORM(NORM), .INPUTS(INPUTS), .WORD_TOKENS(WORD_TOKENS), .MAX_TOKENS(MAX_TOKENS), .MAX_WIDTH(MAX_WIDTH),
    .DEPTH(DEPTH), .CODE_BITS(CODE_BITS), .RESIDUAL_CYCLES(RESIDUAL_CYCLES)
  ) unit (
    .clk(clk), .reset(reset), .norm_write(norm_write), .norm_epsilon(norm_epsilon), .norm_lo(norm_lo), .norm_hi(norm_hi),
    .channel_write(channel_write), .channel_chunk(channel_chunk), .channel_lane(channel_lane), .channel(channel),
    .start(start), .tokens(tokens), .width(width), .first_token(first_token), .steps(steps),
    .first_word(first_word), .first_byte(first_byte), .done(unit_done), .read(read), .read_width(read_width),
    .read_token(read_token), .read_channel(read_channel), .read_values(read_values), .write(write), .write_column(write_column),
    .write_address(write_address), .write_byte(write_byte), .write_codes(write_codes));

  logic [15:0] residual [0:MAX_TOKENS*MAX_WIDTH-1];  // [token][channel]
  integer expected [0:MAX_TOKENS*MAX_WIDTH-1];       // codes [token of the command][channel]
  longint multiplier [0:MAX_WIDTH-1];
  longint offset [0:MAX_WIDTH-1];
  integer shift [0:MAX_WIDTH-1];

  // phase 0: a new command, 1: parameters, 2: start, 3: running, 4: nothing more may come, 5: finished.
  integer phase, cycle, found, latency, interval, loaded, quiet, passed, command;
  // The command.
  integer count, size, chunks, first, position, row_steps, low, high, started, due, due_before, place, token, chunk, lane, index;
  logic keep;
  logic [31:0] random;
  longint epsilon, sum, mean, centred, root, inverse, value;

  // Marsaglia's xorshift.
  task automatic step;
    begin
      random = random ^ (random << 13);
      random = random ^ (random >> 17);
      random = random ^ (random << 5);
    end
  endtask

  task automatic below(input integer limit, output integer chosen);
    begin
      step;
      chosen = $unsigned(random >> 1) % limit;
    end
  endtask

  task automatic complain(input integer reason);
    begin
      found = found + 1;
      if (found <= 5) $display("%0s cycle %0d, command %0d: wrong %0d", CASE, cycle, command, reason);
    end
  endtask

  task automatic make_parameters;
    integer c, chosen;
    begin
      below(1 << 20, chosen);
      epsilon = {32'd0, chosen};
      below(3, chosen);
      high = chosen == 0 ? 31 : (1 << (CODE_BITS - 1)) - 1;
      low = chosen == 1 ? -high - 1 : -high;
      for (c = 0; c < size; c = c + 1) begin
        below(20, chosen);
        shift[c] = chosen == 0 ? 1 : chosen == 1 ? 47 : 28 + chosen;
        below(65536, chosen);
        multiplier[c] = {32'd0, chosen};
        below(401, chosen);
        offset[c] = {32'd0, chosen} - 64'd200;
        offset[c] = offset[c] * (64'sd1 <<< shift[c]) / 64'sd100;
        if (chosen % 2 == 1) multiplier[c] = -multiplier[c];
      end
    end
  endtask

  // Codes of a token's channels: the residual codes go to the memory, the norm's to `expected`.
  task automatic make_token(input integer t);
    integer c, kind, centre, spread, chosen, at;
    integer values [0:MAX_WIDTH-1];
    begin
      below(6, kind);
      below(60001, centre);
      centre = centre - 30000;
      below(12000, spread);
      if (kind == 5) spread = spread % 40;
      sum = 64'd0;
      for (c = 0; c < size; c = c + 1) begin
        below(2 * spread + 1, chosen);
        at = kind == 0 ? centre : kind == 1 ? (c == t % size ? 32767 : -32768)
           : kind == 2 ? (chosen % 2 == 0 ? 32767 : -32768) : centre + chosen - spread;
        at = at > 32767 ? 32767 : at < -32768 ? -32768 : at;
        values[c] = at;
        sum = sum + {{32{at[31]}}, at};
        residual[(first+t)*MAX_WIDTH+c] = at[15:0];
      end
      // The dividend counts from −2^15, as a quotient is rounded to 0.
      value = 64'd2 * sum + {32'd0, size} + 64'd65536 * {32'd0, size};
      mean = value / (64'd2 * {32'd0, size}) - 64'd32768;
      value = epsilon;
      for (c = 0; c < size; c = c + 1) begin
        centred = {{32{values[c][31]}}, values[c]} - mean;
        value = value + centred * centred;
      end
      root = 64'd0;
      for (c = 30; c >= 0; c = c - 1)
        if ((root + (64'd1 << c)) * (root + (64'd1 << c)) <= value) root = root + (64'd1 << c);
      inverse = 64'd1073741824 / (root == 64'd0 ? 64'd1 : root);
      for (c = 0; c < size; c = c + 1) begin
        centred = {{32{values[c][31]}}, values[c]} - mean;
        value = centred * inverse * multiplier[c] + offset[c] + (64'sd1 <<< (shift[c] - 1));
        value = value >>> shift[c];
        expected[t*MAX_WIDTH+c] = value < $signed({{32{low[31]}}, low}) ? low
                                : value > $signed({{32{high[31]}}, high}) ? high : value[31:0];
      end
    end
  endtask

  task automatic make_command;
    integer t;
    begin
      if (!keep) begin
        below(CHUNKS, size);
        size = command == 0 ? MAX_WIDTH : (size + 1) * NORM;
        make_parameters;
      end
      below(command % 4 == 1 || MAX_TOKENS < 8 ? MAX_TOKENS : 8, count);
      count = command == 0 && count == 0 ? 2 : count + 1;
      chunks = size / NORM;
      below(MAX_TOKENS - count + 1, first);
      below(2, position);
      position = position == 0 ? 0 : first;
      row_steps = (size + INPUTS - 1) / INPUTS;
      below(2, index);
      if (size + INPUTS <= MAX_WIDTH) row_steps = row_steps + index;
      for (t = 0; t < count; t = t + 1) make_token(t);
    end
  endtask

  task automatic check;
    begin
      quiet = quiet + 1;
      index = cycle - started - 2 * chunks - PIPELINE - 1;
      if (phase == 3 && index >= 0 && index < count * chunks) begin
        token = index / chunks;
        chunk = index % chunks;
        place = position + token;
        for (lane = 0; lane < NORM; lane = lane + 1)
          expected_codes[lane*8 +: 8] = expected[token*MAX_WIDTH+chunk*NORM+lane][7:0];
        if (write !== 1'b1 || write_codes !== expected_codes) complain(1);
        lane = place % WORD_TOKENS;
        if (write_byte !== lane[BYTE_BITS-1:0]) complain(2);
        lane = chunk * NORM % INPUTS;
        if (write_column !== lane[COLUMN_BITS-1:0]) complain(3);
        lane = place / WORD_TOKENS * row_steps + chunk * NORM / INPUTS;
        if (write_address !== lane[ADDRESS_BITS-1:0]) complain(4);
        if (command == 0 && index == 0) latency = cycle - started;
        if (command == 0 && index == chunks) interval = cycle - started - latency;
      end else if (write !== 1'b0) complain(5);
      if (unit_done !== (cycle == due || cycle == due_before)) complain(6);
      // The residual memory.
      index = {{32-TOKEN_BITS{1'b0}}, read_token} * MAX_WIDTH + {{32-WIDTH_BITS{1'b0}}, read_channel};
      for (lane = 0; lane < NORM; lane = lane + 1)
        answer[lane*16 +: 16] = read === 1'b1 ? residual[index+lane] : 16'bx;
      answers <= answers << (NORM * 16) | {{(RESIDUAL_CYCLES-1)*NORM*16{1'b0}}, answer};
      if (read !== (phase == 3 && cycle > started && cycle <= started + count * chunks)) complain(7);
      if (read === 1'b1 && read_width !== size[WIDTH_BITS-1:0]) complain(8);
    end
  endtask

  always @(posedge clk) begin
    if (reset) begin
      phase = 0; cycle = 0; found = 0; latency = 0; interval = 0; loaded = 0; quiet = 0; passed = 0; command = 0;
      started = 0; due = -1; due_before = -1; chunks = 1; count = 0; keep = 1'b0; random = 32'h13579bdf;
      norm_write <= 1'b0; channel_write <= 1'b0; start <= 1'b0; done <= 1'b0; errors <= 0;
    end else begin
      check;
      norm_write <= 1'b0;
      channel_write <= 1'b0;
      start <= 1'b0;
      tokens <= ~tokens;
      width <= ~width;
      steps <= ~steps;
      first_token <= ~first_token;
      first_word <= ~first_word;
      first_byte <= ~first_byte;
      if (phase == 3 && cycle == due - 1) begin
        // The next command may start in the cycle of `done`.
        step;
        keep = random[4] && passed + count < VECTORS;
        if (keep) begin
          passed = passed + count;
          command = command + 1;
          due_before = due;
          make_command;
          phase = 2;
        end
      end else if (phase == 3 && cycle == due) begin
        passed = passed + count;
        command = command + 1;
        phase = passed >= VECTORS ? 4 : 0;
        quiet = 0;
      end
      if (phase == 0) begin
        make_command;
        loaded = 0;
        phase = 1;
      end else if (phase == 1) begin
        norm_write <= loaded == 0;
        norm_epsilon <= epsilon[39:0];
        norm_lo <= low[CODE_BITS-1:0];
        norm_hi <= high[CODE_BITS-1:0];
        channel_write <= 1'b1;
        lane = loaded / NORM;
        channel_chunk <= lane[CHUNK_BITS-1:0];
        lane = loaded % NORM;
        channel_lane <= lane[LANE_BITS-1:0];
        channel <= {offset[loaded][62:0], multiplier[loaded][16:0], shift[loaded][5:0]};
        loaded = loaded + 1;
        if (loaded == size) phase = 2;
      end else if (phase == 4) begin
        if (quiet > PIPELINE + 4 * CHUNKS) phase = 5;
      end else if (phase == 5 && !done) begin
        done <= 1'b1;
        errors <= found;
        if (found == 0) $display("PASS %0s vectors=%0d latency=%0d interval=%0d", CASE, VECTORS, latency, interval);
        else $display("FAIL %0s errors=%0d of %0d", CASE, found, passed);
      end
      if (phase == 2) begin
        start <= 1'b1;
        tokens <= count[COUNT_BITS-1:0];
        width <= size[WIDTH_BITS-1:0];
        steps <= row_steps[ADDRESS_BITS-1:0];
        first_token <= first[TOKEN_BITS-1:0];
        lane = position / WORD_TOKENS * row_steps;
        first_word <= lane[ADDRESS_BITS-1:0];
        lane = position % WORD_TOKENS;
        first_byte <= lane[BYTE_BITS-1:0];
        started = cycle + 1;
        due = started + (count + 2) * chunks + PIPELINE + 1;
        phase = 3;
      end
      cycle = cycle + 1;
    end
  end
endmodule
