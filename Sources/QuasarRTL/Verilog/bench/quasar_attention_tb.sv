// Sends score beats into quasar_attention as the drain does, and checks every write of a probability code, every inverse and
// the cycle of each.
//
// vectors/CASE.parameters.hex, 24 bits (6 digits): word 0 holds M [15:0] and S [23:16], word 1 + f holds E[f] [15:0],
// f = 0…255. Scores, numbers of tokens and heads are made here, so are the codes and inverses that are expected.
//
// A run is a sequence of commands until VECTORS query blocks have passed, each with its own number of tokens, heads and scale.
// The first command has one token and is measured from its only beat to block_ready; the second one has MAX_TOKENS tokens, and
// the first two row pairs of it are measured from code to code. Commands with an even number send a beat every cycle, the
// fastest that the drain can; the others stop at random. The blocks of a command follow each other without a pause, so that
// P and the inverse file are written round and round; a model of the file is compared in every cycle.
module quasar_attention_tb #(
  parameter CASE = "attention",
  parameter integer VECTORS = 40,
  parameter integer ROWS = 2,
  parameter integer TOKENS = 9,
  parameter integer DRAIN = 3,
  parameter integer SOFTMAX = 3,
  parameter integer MAX_TOKENS = 64,
  parameter integer SCORE_BITS = 24,
  parameter integer ACTIVATION_BITS = 8
) (
  input  logic        clk,
  input  logic        reset,
  output logic        done,
  output logic [31:0] errors
);
  localparam integer A = ACTIVATION_BITS;
  localparam integer E = SOFTMAX;
  localparam integer CHUNKS = (MAX_TOKENS + E - 1) / E;
  localparam integer CHUNK_BITS = CHUNKS > 1 ? $clog2(CHUNKS) : 1;
  localparam integer COUNT_BITS = $clog2(CHUNKS + 1);
  localparam integer PAIR_BITS = $clog2(2 * ROWS + 1);
  localparam integer QUERY_BITS = $clog2(TOKENS);
  localparam integer LANE_BITS = $clog2(E + 1);
  localparam integer GROUP_BITS = TOKENS > DRAIN ? $clog2(TOKENS / DRAIN) : 1;
  localparam integer INVERSE_BITS = quasar_pkg::INVERSE_BITS;
  localparam integer TREE = $clog2(E);
  localparam integer WIDTH = CHUNKS * E;     // places of a row here
  localparam integer KEPT = 256;             // pairs remembered
  localparam integer OCTAVE = SCORE_BITS > 10 ? 1 << (SCORE_BITS - 8) : 4;
  localparam integer LIMIT = (1 << (SCORE_BITS - 1)) - 1;
  localparam integer PATIENCE = 4 * CHUNKS + 400;

  logic [23:0] parameters [0:256];
  initial $readmemh({"vectors/", CASE, ".parameters.hex"}, parameters);

  logic table_write, in_valid, in_last, in_second, in_block_last, write, write_second, block_ready;
  logic [7:0] table_address;
  logic [23:0] table_word;
  quasar_scale_t scale;
  logic [COUNT_BITS-1:0] chunks;
  logic [2*E*SCORE_BITS-1:0] in_scores;
  logic [PAIR_BITS-1:0] in_pair;
  logic [CHUNK_BITS-1:0] in_chunk;
  logic [1:0] in_slot, write_slot, block_slot, read_slot;
  logic [QUERY_BITS-1:0] in_query, write_query;
  logic [LANE_BITS-1:0] in_lanes;
  logic [CHUNK_BITS-1:0] write_chunk;
  logic [2*E*8-1:0] write_codes;
  logic [GROUP_BITS-1:0] read_group;
  logic [DRAIN*INVERSE_BITS-1:0] read_inverses;
  quasar_attention #(
    .ROWS(ROWS), .TOKENS(TOKENS), .DRAIN(DRAIN), .SOFTMAX(E), .MAX_TOKENS(MAX_TOKENS), .SCORE_BITS(SCORE_BITS),
    .ACTIVATION_BITS(A)
  ) unit (
    .clk(clk), .reset(reset), .table_write(table_write), .table_address(table_address), .table_value(table_word[15:0]),
    .scale(scale), .chunks(chunks), .in_valid(in_valid), .in_scores(in_scores), .in_pair(in_pair), .in_chunk(in_chunk),
    .in_last(in_last), .in_slot(in_slot), .in_query(in_query), .in_second(in_second), .in_block_last(in_block_last),
    .in_lanes(in_lanes), .write(write), .write_second(write_second), .write_slot(write_slot),
    .write_query(write_query), .write_chunk(write_chunk), .write_codes(write_codes), .block_ready(block_ready),
    .block_slot(block_slot), .read_slot(read_slot), .read_group(read_group), .read_inverses(read_inverses));

  // What is expected of pair p, at p mod KEPT: its scores and codes [row][key], and when.
  integer scores [0:KEPT*2*WIDTH-1];
  logic [7:0] codes [0:KEPT*2*WIDTH-1];
  logic [INVERSE_BITS-1:0] first_inverse [0:KEPT-1];
  logic [INVERSE_BITS-1:0] second_inverse [0:KEPT-1];
  integer pair_slot [0:KEPT-1];
  integer pair_query [0:KEPT-1];
  integer pair_chunks [0:KEPT-1];
  integer write_cycle [0:KEPT-1];
  integer ready_cycle [0:KEPT-1];
  logic pair_second [0:KEPT-1];
  logic pair_block_last [0:KEPT-1];
  logic [INVERSE_BITS:0] file [0:3*TOKENS-1];  // inverse, and whether it is known

  // phase 0: table, 1: commands, 2: nothing more may come, 3: finished.
  integer phase, loaded, quiet, cycle, found, latency, interval, measured;
  // The command and the place in it.
  integer command, tokens, heads, head, block_first, row_first, key_first, pair, chunk, gap, blocks, slot, place;
  integer tile_pairs, keys, keys_here, queries, rows, lane, row, key, score, kind, centre;
  integer started, finished, writing, storing;  // pairs: of the tile's first one, complete, being written, being stored
  integer read_end, largest, sum, log, index, second_read;
  logic running, last_keys, exists, block_last;
  logic [31:0] random;
  longint exponent;
  longint reciprocal;
  logic [DRAIN*INVERSE_BITS-1:0] expected_inverses, known_inverses;
  logic [2*E*8-1:0] expected_codes, known_codes;
  quasar_scale_t command_scale;

  // Marsaglia's xorshift.
  task automatic step;
    begin
      random = random ^ (random << 13);
      random = random ^ (random >> 17);
      random = random ^ (random << 5);
    end
  endtask

  task automatic complain(input integer value);
    begin
      found = found + 1;
      if (found <= 5) $display("%0s cycle %0d: wrong %0d", CASE, cycle, value);
    end
  endtask

  // Any score with corners, all of a row equal, near ties, a spread of some octaves.
  task automatic make_score(input integer of_pair, input integer of_row);
    integer any;
    begin
      step;
      any = $signed(random) >>> (32 - SCORE_BITS);
      kind = (of_pair + of_row) % 4;
      centre = ((of_pair * 2 + of_row) * 40503 + command * 77) % (LIMIT / 2);
      score = kind == 1 ? centre : kind == 2 ? centre - {30'd0, random[9:8]}
            : kind == 3 ? centre - $unsigned(random >> 1) % (OCTAVE * (A + 2))
            : random[2:0] == 3'd0 ? LIMIT : random[2:0] == 3'd1 ? -LIMIT - 1 : any;
    end
  endtask

  // Codes, Z, k and R of a row by the definition.
  task automatic make_row(input integer base, output logic [INVERSE_BITS-1:0] inverse);
    integer j, distance, octave;
    begin
      largest = scores[base];
      for (j = 1; j < tokens; j = j + 1) if (scores[base+j] > largest) largest = scores[base+j];
      sum = 0;
      for (j = 0; j < WIDTH; j = j + 1) begin
        codes[base+j] = 8'd0;
        if (j < tokens) begin
          distance = largest - scores[base+j];
          exponent = {32'd0, distance} * {48'd0, command_scale.multiplier[15:0]};
          exponent = (exponent + (64'd1 << (command_scale.shift - 6'd1))) >> command_scale.shift;
          octave = exponent > 64'd8191 ? 31 : {27'd0, exponent[12:8]};
          if (octave <= A) begin
            index = {16'd0, parameters[1 + exponent[7:0]][15:0]};
            index = (index + (1 << (15 - A + octave))) >> (16 - A + octave);
            codes[base+j] = index[7:0];
            sum = sum + index;
          end
        end
      end
      log = 0;
      while ((1 << log) < sum) log = log + 1;
      reciprocal = (64'd1 << (log + 15)) / {32'd0, sum};
      inverse = {log[4:0], reciprocal[15:0]};
    end
  endtask

  task automatic new_command;
    begin
      step;
      tokens = command == 0 ? 1 : command == 1 ? MAX_TOKENS
             : command == 2 ? (TOKENS < MAX_TOKENS ? TOKENS + 1 : MAX_TOKENS) : 1 + $unsigned(random >> 1) % MAX_TOKENS;
      step;
      heads = command == 0 ? 1 : command < 3 ? 2 : 1 + {30'd0, random[9:8]} % 3;
      step;
      command_scale = {1'b0, parameters[0][15:0], parameters[0][21:16]};
      if (command > 2) command_scale = {2'b01, random[14:0], parameters[0][21:16] - {5'd0, random[16]}};
      head = 0; block_first = 0; row_first = 0; key_first = 0; pair = 0; chunk = 0;
      running = 1'b1;
    end
  endtask

  // The next beat; its ports hold it in the coming cycle.
  task automatic send;
    begin
      queries = tokens - block_first < TOKENS ? tokens - block_first : TOKENS;
      rows = queries - row_first < 2 * ROWS ? queries - row_first : 2 * ROWS;
      tile_pairs = (rows + 1) / 2;
      keys = tokens - key_first < TOKENS ? tokens - key_first : TOKENS;
      last_keys = key_first + keys == tokens;
      keys_here = keys - chunk * E < E ? keys - chunk * E : E;
      exists = 2 * pair + 1 < rows;
      block_last = row_first + rows == queries && pair == tile_pairs - 1;
      in_valid <= 1'b1;
      in_last <= last_keys && chunk * E + keys_here == keys;
      index = (tokens + E - 1) / E;
      chunks <= index[COUNT_BITS-1:0];
      scale <= command_scale;
      index = place + pair;
      in_pair <= index[PAIR_BITS-1:0];
      index = key_first / E + chunk;
      in_chunk <= index[CHUNK_BITS-1:0];
      index = (started + pair) % KEPT * 2 * WIDTH;
      for (row = 0; row < 2; row = row + 1)
        for (lane = 0; lane < E; lane = lane + 1) begin
          make_score(started + pair, row);
          if (lane >= keys_here || (row == 1 && !exists)) begin
            if (command % 2 == 0) in_scores[(row*E+lane)*SCORE_BITS +: SCORE_BITS] <= {SCORE_BITS{1'bx}};
            else in_scores[(row*E+lane)*SCORE_BITS +: SCORE_BITS] <= LIMIT[SCORE_BITS-1:0];
          end else begin
            key = key_first + chunk * E + lane;
            scores[index+row*WIDTH+key] = score;
            in_scores[(row*E+lane)*SCORE_BITS +: SCORE_BITS] <= score[SCORE_BITS-1:0];
          end
        end
      if (last_keys && chunk * E + keys_here == keys) begin
        in_slot <= slot[1:0];
        index = row_first + 2 * pair;
        in_query <= index[QUERY_BITS-1:0];
        in_second <= exists;
        in_block_last <= block_last;
        in_lanes <= keys_here[LANE_BITS-1:0];
        index = finished % KEPT;
        pair_slot[index] = slot;
        pair_query[index] = row_first + 2 * pair;
        pair_second[index] = exists;
        pair_block_last[index] = block_last;
        pair_chunks[index] = (tokens + E - 1) / E;
        read_end = (read_end > cycle + 3 ? read_end : cycle + 3) + (tokens + E - 1) / E;
        write_cycle[index] = read_end + TREE + 12;
        ready_cycle[index] = read_end + (tokens + E - 1) / E + 2 * TREE + 30;
        if (command == 0) latency = ready_cycle[index] - cycle - 1;
        lane = finished % KEPT;
        make_row(lane * 2 * WIDTH, first_inverse[lane]);
        if (exists) make_row((lane * 2 + 1) * WIDTH, second_inverse[lane]);
        finished = finished + 1;
      end
      // Chunk, pair, key tile, row tile, block, head.
      chunk = chunk + 1;
      if (chunk * E >= keys) begin
        chunk = 0;
        pair = pair + 1;
        if (pair == tile_pairs) begin
          pair = 0;
          key_first = key_first + TOKENS;
          if (last_keys) begin
            key_first = 0;
            started = started + tile_pairs;
            place = place + tile_pairs;
            row_first = row_first + 2 * ROWS;
            if (row_first >= queries) begin
              row_first = 0;
              blocks = blocks + 1;
              slot = slot == 2 ? 0 : slot + 1;
              block_first = block_first + TOKENS;
              if (block_first >= tokens) begin
                block_first = 0;
                head = head + 1;
                running = head < heads;
              end
            end
          end
        end
      end
    end
  endtask

  task automatic check_writes;
    begin
      index = writing % KEPT;
      if (writing < finished && cycle >= write_cycle[index]) begin
        key = (cycle - write_cycle[index]) * E;
        for (row = 0; row < 2; row = row + 1)
          for (lane = 0; lane < E; lane = lane + 1) begin
            expected_codes[(row*E+lane)*8 +: 8] = codes[(index * 2 + row) * WIDTH + key + lane];
            known_codes[(row*E+lane)*8 +: 8] = {8{row == 0 || pair_second[index]}};
          end
        quiet = 0;
        lane = key / E;
        row = lane == pair_chunks[index] - 1 ? 1 : 0;
        if (write !== 1'b1 || write_second !== pair_second[index]
            || write_slot !== pair_slot[index][1:0] || write_query !== pair_query[index][QUERY_BITS-1:0]
            || write_chunk !== lane[CHUNK_BITS-1:0]) complain(1);
        if (((write_codes ^ expected_codes) & known_codes) !== {2*E*8{1'b0}}) complain(2);
        if (writing == 1 && key == 0) measured = cycle;
        if (writing == 2 && key == 0) interval = cycle - measured;
        if (row == 1) writing = writing + 1;
      end else if (write !== 1'b0 || write_second !== 1'b0) complain(3);
    end
  endtask

  task automatic check_inverses;
    begin
      if (((read_inverses ^ expected_inverses) & known_inverses) !== {DRAIN*INVERSE_BITS{1'b0}}) complain(4);
      index = storing % KEPT;
      key = -1;
      if (storing < finished && cycle == ready_cycle[index]) begin
        if (block_ready !== pair_block_last[index] || (block_ready && block_slot !== pair_slot[index][1:0])) complain(5);
        key = pair_slot[index] * TOKENS + pair_query[index];
        file[key] = {1'b1, first_inverse[index]};
        if (pair_second[index]) file[key+1] = {1'b1, second_inverse[index]};
        storing = storing + 1;
      end else if (block_ready !== 1'b0) complain(6);
      for (lane = 0; lane < DRAIN; lane = lane + 1) begin
        row = read_slot * TOKENS + read_group * DRAIN + lane;
        known_inverses[lane*INVERSE_BITS +: INVERSE_BITS] = {INVERSE_BITS{file[row][INVERSE_BITS]}};
        expected_inverses[lane*INVERSE_BITS +: INVERSE_BITS] = file[row][INVERSE_BITS-1:0];
      end
      // The groups of the pair just stored, else any.
      step;
      if (key < 0 && second_read >= 0) key = second_read;
      else second_read = key >= 0 && pair_second[index] ? key + 1 : -1;
      if (key < 0) key = $unsigned(random >> 1) % (3 * TOKENS);
      else if (key == second_read) second_read = -1;
      row = key / TOKENS;
      read_slot <= row[1:0];
      row = key % TOKENS / DRAIN;
      read_group <= row[GROUP_BITS-1:0];
    end
  endtask

  always @(posedge clk) begin
    if (reset) begin
      phase = 0; loaded = 0; quiet = 0; cycle = 0; found = 0; latency = 0; interval = 0; measured = 0;
      command = 0; blocks = 0; slot = 0; place = 0; started = 0; finished = 0; writing = 0; storing = 0; gap = 0;
      read_end = 0; second_read = -1; running = 1'b0; random = 32'h2468ace1;
      known_inverses = {DRAIN*INVERSE_BITS{1'b0}};
      expected_inverses = {DRAIN*INVERSE_BITS{1'b0}};
      for (lane = 0; lane < 3 * TOKENS; lane = lane + 1) file[lane] = {INVERSE_BITS+1{1'b0}};
      table_write <= 1'b0; in_valid <= 1'b0; in_last <= 1'b0; read_slot <= 2'd0; read_group <= {GROUP_BITS{1'b0}};
      done <= 1'b0; errors <= 0;
    end else begin
      check_writes;
      check_inverses;
      table_write <= phase == 0 && loaded < 256;
      table_word <= parameters[loaded < 256 ? loaded + 1 : 0];
      table_address <= loaded[7:0];
      loaded = loaded + 1;
      if (phase == 0 && loaded > 257) begin
        phase = 1;
        new_command;
      end
      in_valid <= 1'b0;
      in_last <= 1'b0;
      in_chunk <= ~in_chunk;
      in_query <= ~in_query;
      in_slot <= ~in_slot;
      in_block_last <= ~in_block_last;
      in_second <= ~in_second;
      if (phase == 1) begin
        quiet = quiet + 1;
        step;
        if (running) begin
          if (gap > 0) gap = gap - 1;
          else begin
            send;
            quiet = 0;
            if (command % 2 == 1 && command > 1 && random[11:10] == 2'd0) gap = {28'd0, random[5:2]};
          end
        end else if (storing == finished) begin
          scale <= ~command_scale;
          chunks <= ~chunks;
          quiet = 0;
          if (blocks >= VECTORS) phase = 2;
          else begin
            command = command + 1;
            new_command;
            gap = 2;
          end
        end
        if (quiet > PATIENCE) begin
          $display("%0s: no output for %0d cycles after %0d row pairs", CASE, quiet, writing);
          found = found + 1;
          phase = 3;
        end
      end else if (phase == 2) begin
        quiet = quiet + 1;
        if (quiet > PATIENCE) phase = 3;
      end else if (phase == 3 && !done) begin
        done <= 1'b1;
        errors <= found;
        if (found == 0) $display("PASS %0s vectors=%0d latency=%0d interval=%0d", CASE, VECTORS, latency, interval);
        else $display("FAIL %0s errors=%0d of %0d", CASE, found, finished);
      end
      cycle = cycle + 1;
    end
  end
endmodule
