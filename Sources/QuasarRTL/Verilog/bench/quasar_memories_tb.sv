// Test of quasar_memories: random tiles through the router into every memory, then all read back and compared with plain
// arrays by (token, channel).
//
// Rounds: logits without gaps, X, H, pixels between beats of logits, Q with K and V, residual (embedding codes, then
// updates by lanes, each read as the norm reads), X by the norm, probabilities; then all again, at least until VECTORS
// beats went through the router. A round has a random number of tokens and of channels and writes everything; then it
// writes again at random, with random counts, so that what is not to be written shows. Ports of a cycle are set in its
// middle, what they do not define is random. Codes come CODE_CYCLES after their beat, as lanes would send them.
module quasar_memories_tb #(
  parameter integer ROWS = 2,
  parameter integer INPUTS = 8,
  parameter integer TOKENS = 9,
  parameter integer WORD_TOKENS = 9,
  parameter integer DRAIN = 3,
  parameter integer SOFTMAX = 3,
  parameter integer NORM = 4,
  parameter integer MAX_TOKENS = 40,
  parameter integer MAX_WIDTH = 32,
  parameter integer X_STEPS = 3,
  parameter integer H_STEPS = 5,
  parameter integer QUERY_STEPS = 3,
  parameter integer VALUE_TILES = 5,
  parameter integer CODE_CYCLES = quasar_pkg::LANE_CYCLES,
  parameter CASE = "quasar_memories",
  parameter integer VECTORS = 1
) (
  input  logic        clk,
  input  logic        reset,
  output logic        done,
  output logic [31:0] errors
);
  localparam integer TILE = 2 * ROWS;
  localparam integer WORDS = (MAX_TOKENS + WORD_TOKENS - 1) / WORD_TOKENS;
  localparam integer RING = 32;
  localparam integer X_CHANNELS = X_STEPS * INPUTS;
  localparam integer H_CHANNELS = H_STEPS * INPUTS;
  localparam integer QUERY_CHANNELS = QUERY_STEPS * INPUTS;
  localparam integer VALUE_CHANNELS = VALUE_TILES * TILE;
  localparam integer KEY_STEPS = (MAX_TOKENS + INPUTS - 1) / INPUTS;
  localparam integer PITCH = (TOKENS + TILE - 1) / TILE;  // tiles of queries in a block

  localparam integer WORD_BITS = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam integer TOKEN_BITS = $clog2(MAX_TOKENS);
  localparam integer GROUP_BITS = WORD_TOKENS > DRAIN ? $clog2(WORD_TOKENS / DRAIN) : 1;
  localparam integer COUNT_BITS = $clog2(DRAIN + 1);
  localparam integer CHANNEL_BITS = $clog2(MAX_WIDTH + 1);
  localparam integer ALL_STEPS = X_STEPS + H_STEPS + QUERY_STEPS + MAX_TOKENS;
  localparam integer STRIDE_BITS = $clog2((MAX_WIDTH > ALL_STEPS ? MAX_WIDTH : ALL_STEPS) + 1);
  localparam integer COLUMN_BITS = INPUTS > 1 ? $clog2(INPUTS) : 1;
  localparam integer BYTE_BITS = WORD_TOKENS > 1 ? $clog2(WORD_TOKENS) : 1;
  localparam integer CHUNK_BITS = MAX_TOKENS > SOFTMAX ? $clog2((MAX_TOKENS + SOFTMAX - 1) / SOFTMAX) : 1;
  localparam integer BLOCK_QUERY_BITS = TOKENS > 1 ? $clog2(TOKENS) : 1;
  localparam integer KEY_STEP_BITS = KEY_STEPS > 1 ? $clog2(KEY_STEPS) : 1;
  localparam integer PARTS = 1 << (DRAIN > TILE ? $clog2(DRAIN) - $clog2(TILE) : 0);
  localparam integer PART_BITS = PARTS > 1 ? $clog2(PARTS) : 1;
  localparam integer BLOCKS = (MAX_TOKENS + TOKENS - 1) / TOKENS;
  localparam integer X_BITS = $clog2(WORDS * X_STEPS);
  localparam integer H_BITS = $clog2(WORDS * H_STEPS);
  localparam integer QUERY_BITS = $clog2((BLOCKS * PITCH + PARTS - 1) / PARTS * QUERY_STEPS);
  localparam integer VALUE_BITS = $clog2(VALUE_TILES * KEY_STEPS);

  logic beat_valid, beat_context, beat_half, pixel_valid, pixel_ready, logit_write, norm_access, norm_write;
  logic embedding_write, probability_write, probability_second;
  logic [2:0] beat_target;
  logic [1:0] probability_slot, probability_read_slot;
  logic [WORD_BITS-1:0] beat_word, pixel_word;
  logic [TOKEN_BITS-1:0] beat_token, norm_token, embedding_token;
  logic [GROUP_BITS-1:0] beat_group, pixel_group;
  logic [COUNT_BITS-1:0] beat_count, pixel_count;
  logic [STRIDE_BITS-1:0] beat_stride, beat_key_words, pixel_stride;
  logic [CHANNEL_BITS-1:0] residual_width, norm_channel, embedding_channel;
  logic [COLUMN_BITS-1:0] norm_column;
  logic [BYTE_BITS-1:0] norm_byte;
  logic [X_BITS-1:0] norm_address, x_address;
  logic [H_BITS-1:0] h_address;
  logic [QUERY_BITS-1:0] query_address;
  logic [PART_BITS-1:0] query_part;
  logic [VALUE_BITS-1:0] value_address;
  logic [CHUNK_BITS-1:0] probability_chunk;
  logic [BLOCK_QUERY_BITS-1:0] probability_query;
  logic [KEY_STEP_BITS-1:0] probability_step;
  logic [$clog2(INPUTS+1)-1:0] value_keys, probability_keys;
  logic [17:0] beat_destination, pixel_destination;
  logic [DRAIN*8-1:0] lane_codes, context_codes, pixel_codes, random_codes;
  logic [DRAIN*16-1:0] lane_sums, lane_residuals;
  logic [31:0] lane_logit, logit;
  logic [15:0] logit_class;
  logic [NORM*16-1:0] norm_values, embedding_codes, random_values;
  logic [NORM*8-1:0] norm_codes;
  logic [2*SOFTMAX*8-1:0] probability_codes;
  logic [INPUTS*WORD_TOKENS*8-1:0] x_words, h_words;
  logic [INPUTS*TILE*8-1:0] query_weights, value_weights;
  logic [INPUTS*TOKENS*8-1:0] probability_words;

  quasar_memories #(
    .ROWS(ROWS), .INPUTS(INPUTS), .TOKENS(TOKENS), .WORD_TOKENS(WORD_TOKENS), .DRAIN(DRAIN), .SOFTMAX(SOFTMAX),
    .NORM(NORM), .MAX_TOKENS(MAX_TOKENS), .MAX_WIDTH(MAX_WIDTH), .X_STEPS(X_STEPS), .H_STEPS(H_STEPS),
    .QUERY_STEPS(QUERY_STEPS), .VALUE_TILES(VALUE_TILES), .CODE_CYCLES(CODE_CYCLES)
  ) unit (.*);

  // What was written: bit 8 says that it was.
  logic [8:0] x_model [0:MAX_TOKENS*X_CHANNELS-1];
  logic [8:0] h_model [0:MAX_TOKENS*H_CHANNELS-1];
  logic [8:0] query_model [0:MAX_TOKENS*QUERY_CHANNELS-1];
  logic [8:0] value_model [0:MAX_TOKENS*VALUE_CHANNELS-1];
  logic [15:0] residual_model [0:MAX_TOKENS*MAX_WIDTH-1];
  logic [7:0] probability_model [0:3*TOKENS*KEY_STEPS*INPUTS-1];

  // Beats under way, by the cycle in which they entered.
  logic [DRAIN*8-1:0] ring_codes [0:RING-1];
  logic [DRAIN*16-1:0] ring_old [0:RING-1];
  logic [DRAIN*16-1:0] ring_sums [0:RING-1];
  logic [31:0] ring_logit [0:RING-1];
  logic [15:0] ring_class [0:RING-1];
  logic ring_context [0:RING-1];
  logic ring_is_logit [0:RING-1];
  integer ring_reads [0:RING-1];
  logic [NORM*16-1:0] ring_norm [0:RING-1];
  logic ring_is_norm [0:RING-1];
  integer cycle, beats, found, gaps, latency, first_logit, last_logit, logits, logits_sent, dense, round;
  integer tokens, steps, tiles, width;
  // Bounds of loops that simulators need not unroll.
  integer lanes, channels_of_norm, inputs, word_tokens, tile, block_tokens, slots, pair, keys_a_chunk;
  initial {lanes, channels_of_norm, inputs, word_tokens, tile, block_tokens, slots, pair, keys_a_chunk}
    = {DRAIN, NORM, INPUTS, WORD_TOKENS, TILE, TOKENS, 32'd3, 32'd2, SOFTMAX};

  task automatic fail(input integer what, input integer token, input integer channel, input integer wanted,
                      input integer seen);
    begin
      found = found + 1;
      if (found <= 5)
        $display("%0s round %0d check %0d: token %0d channel %0d: expected %h, found %h", CASE, round, what, token,
                 channel, wanted, seen);
    end
  endtask

  // Shortly after every clock edge: what lanes, context lanes and the logit memory see in the new cycle; the ports that
  // define nothing are random until the middle of the cycle, where a task may use them.
  integer slot;
  logic reading;
  always @(posedge clk) begin
    #1 cycle = cycle + 1;
    beat_valid = 0;
    pixel_valid = 0;
    norm_access = 0;
    norm_write = 0;
    embedding_write = 0;
    probability_write = 0;
    {beat_context, beat_half, beat_destination, pixel_destination} = {$urandom, $urandom};
    {beat_target, beat_count, beat_token, norm_token, norm_channel} = {$urandom, $urandom};
    {value_keys, probability_keys, probability_step} = $urandom;
    if (reading || $urandom % 16 == 0)
      {x_address, h_address, query_address, query_part, value_address} = {$urandom, $urandom, $urandom};
    for (int i = 0; i < lanes; i = i + 1) random_codes[i*8 +: 8] = $urandom;
    for (int i = 0; i < channels_of_norm; i = i + 1) random_values[i*16 +: 16] = $urandom;
    slot = (cycle + RING - CODE_CYCLES) % RING;
    lane_codes = ring_context[slot] ? random_codes : ring_codes[slot];
    context_codes = ring_context[slot] ? ring_codes[slot] : random_codes;
    lane_sums = ring_sums[slot];
    lane_logit = ring_logit[slot];
    slot = (cycle + RING - CODE_CYCLES + 2) % RING;
    for (int i = 0; i < ring_reads[slot]; i = i + 1) begin
      if (lane_residuals[i*16 +: 16] !== ring_old[slot][i*16 +: 16])
        fail(1, i, 0, ring_old[slot][i*16 +: 16], lane_residuals[i*16 +: 16]);
    end
    slot = (cycle + RING - 7) % RING;
    if (ring_is_norm[slot] && norm_values !== ring_norm[slot]) fail(2, 0, 0, ring_norm[slot], norm_values);
    if (reset === 1'b0 && logit_write !== 1'b0) begin
      if (latency < 0) begin
        for (int i = 1; i < RING; i = i + 1) if (ring_is_logit[(cycle + RING - i) % RING]) latency = i;
        first_logit = cycle;
      end
      slot = (cycle + RING - latency) % RING;
      if (!ring_is_logit[slot] || logit_class !== ring_class[slot] || logit !== ring_logit[slot])
        fail(3, ring_is_logit[slot], ring_class[slot], ring_logit[slot], logit);
      logits = logits + 1;
      if (logits <= dense) last_logit = cycle;
    end
    slot = cycle % RING;
    ring_codes[slot] = random_codes;
    ring_sums[slot] = {DRAIN{16'hbeef}};
    ring_context[slot] = 0;
    ring_is_logit[slot] = 0;
    ring_reads[slot] = 0;
    ring_is_norm[slot] = 0;
  end

  // The middle of the next cycle.
  task automatic step;
    @(negedge clk);
  endtask

  task automatic idle;
    repeat (RING) step;
  endtask

  // A beat in the present cycle, and what it has to do.
  task automatic beat(input integer target, input integer kind, input integer channel, input integer word,
                      input integer half, input integer group, input integer count);
    integer columns, first, token, slot;
    logic [7:0] code;
    logic [15:0] sum;
    begin
      columns = target > 2 ? 64 : kind == 3 ? TILE : INPUTS;
      first = word * WORD_TOKENS + half * TOKENS;
      slot = cycle % RING;
      beat_valid = 1;
      beat_target = target;
      beat_destination = kind << 16 | (channel % columns) << 10 | channel / columns;
      beat_word = word;
      beat_half = half;
      beat_token = first;
      beat_group = group;
      beat_count = count;
      beat_stride = target == 3 ? width : steps;
      beat_key_words = (tokens + INPUTS - 1) / INPUTS;
      beat_context = target == 0 && $urandom % 2;
      ring_context[slot] = beat_context;
      ring_is_logit[slot] = target == 4;
      ring_class[slot] = channel;
      ring_logit[slot] = $urandom;
      ring_reads[slot] = target == 3 ? count : 0;
      for (int i = 0; i < count; i = i + 1) begin
        token = first + group * DRAIN + i;
        code = ring_codes[slot][i*8 +: 8];
        if (target == 0) x_model[token*X_CHANNELS + channel] = {1'b1, code};
        if (target == 1 || (target == 2 && kind == 2)) h_model[token*H_CHANNELS + channel] = {1'b1, code};
        if (target == 2 && kind == 1) query_model[token*QUERY_CHANNELS + channel] = {1'b1, code};
        if (target == 2 && kind == 3) value_model[token*VALUE_CHANNELS + channel] = {1'b1, code};
        if (target == 3) begin
          ring_old[slot][i*16 +: 16] = residual_model[token*MAX_WIDTH + channel];
          sum = $urandom;
          ring_sums[slot][i*16 +: 16] = sum;
          residual_model[token*MAX_WIDTH + channel] = sum;
        end
      end
      beats = beats + 1;
    end
  endtask

  // All channels of a target for all tokens, tile by tile; `sparse` sends half of the beats with fewer tokens.
  task automatic sweep(input integer target, input integer channels, input integer sparse);
    integer block, of_tile, tile_tokens, row_count, kind, channel, limit, count, half, word;
    begin
      row_count = target == 2 ? 3 * channels : channels;
      block = WORD_TOKENS > TOKENS ? $urandom % 2 : 0;
      of_tile = block ? WORD_TOKENS : TOKENS;
      for (int start = 0; start < row_count; start = start + TILE) begin
        for (int t = 0; t < tokens; t = t + of_tile) begin
          word = t / WORD_TOKENS;
          half = t % WORD_TOKENS / TOKENS;
          tile_tokens = tokens - t < of_tile ? tokens - t : of_tile;
          for (int r = start; r < start + TILE && r < row_count; r = r + 1) begin
            kind = target == 2 ? r % 3 + 1 : 0;
            channel = target == 2 ? r / 3 : r;
            limit = kind == 3 ? tiles * TILE : kind != 0 ? steps * INPUTS : channels;
            for (int g = 0; g * DRAIN < tile_tokens; g = g + 1) begin
              count = tile_tokens - g * DRAIN < DRAIN ? tile_tokens - g * DRAIN : DRAIN;
              if (sparse != 0) count = 1 + $urandom % count;
              if (channel < limit && (sparse == 0 || $urandom % 2)) begin
                step;
                while (gaps != 0 && $urandom % 3 == 0) step;
                beat(target, kind, channel, word, half, g, count);
              end
            end
          end
        end
      end
    end
  endtask

  task automatic compare(input integer what, input integer token, input integer channel, input logic [8:0] wanted,
                         input logic [7:0] seen);
    if (wanted[8] && wanted[7:0] !== seen) fail(what, token, channel, wanted[7:0], seen);
  endtask

  // Every word of a memory as the edge reads it; addresses of the cycles before and after are others.
  task automatic read_operands(input integer is_x);
    integer token, channel;
    for (int w = 0; w * WORD_TOKENS < tokens; w = w + 1) begin
      for (int s = 0; s < steps; s = s + 1) begin
        step;
        x_address = w * steps + s;
        h_address = w * steps + s;
        step;
        step;
        for (int k = 0; k < inputs; k = k + 1) begin
          for (int t = 0; t < word_tokens; t = t + 1) begin
            token = w * WORD_TOKENS + t;
            channel = s * INPUTS + k;
            if (token < tokens && is_x)
              compare(10, token, channel, x_model[token*X_CHANNELS + channel], x_words[(k*WORD_TOKENS + t)*8 +: 8]);
            else if (token < tokens)
              compare(11, token, channel, h_model[token*H_CHANNELS + channel], h_words[(k*WORD_TOKENS + t)*8 +: 8]);
          end
        end
      end
    end
  endtask

  task automatic read_queries;
    integer token, parts;
    begin
      parts = 1;
      while (parts * TILE < DRAIN) parts = parts * 2;
      for (int n = 0; n * TOKENS < tokens; n = n + 1) begin
        for (int j = 0; j < PITCH; j = j + 1) begin
          for (int s = 0; s < steps; s = s + 1) begin
            step;
            query_address = (n * PITCH + j) / parts * steps + s;
            query_part = (n * PITCH + j) % parts;
            step;
            step;
            for (int k = 0; k < inputs; k = k + 1) begin
              for (int r = 0; r < tile; r = r + 1) begin
                token = n * TOKENS + j * TILE + r;
                if (j * TILE + r < TOKENS && token < tokens)
                  compare(12, token, s * INPUTS + k, query_model[token*QUERY_CHANNELS + s*INPUTS + k],
                          query_weights[(k*TILE + r)*8 +: 8]);
              end
            end
          end
        end
      end
    end
  endtask

  task automatic read_values;
    integer words, token, channel;
    begin
      words = (tokens + INPUTS - 1) / INPUTS;
      for (int c = 0; c < tiles; c = c + 1) begin
        for (int s = 0; s < words; s = s + 1) begin
          step;
          value_address = c * words + s;
          value_keys = tokens - s * INPUTS < INPUTS ? tokens - s * INPUTS : INPUTS;
          step;
          step;
          for (int k = 0; k < inputs; k = k + 1) begin
            for (int r = 0; r < tile; r = r + 1) begin
              token = s * INPUTS + k;
              channel = c * TILE + r;
              if (token < tokens)
                compare(13, token, channel, value_model[token*VALUE_CHANNELS + channel],
                        value_weights[(k*TILE + r)*8 +: 8]);
              else compare(15, token, channel, 9'h100, value_weights[(k*TILE + r)*8 +: 8]);
            end
          end
        end
      end
    end
  endtask

  // A read of the norm in every cycle; `step` compares.
  task automatic read_residuals;
    begin
      for (int t = 0; t < tokens; t = t + 1) begin
        for (int c = 0; c < width; c = c + NORM) begin
          step;
          norm_access = 1;
          norm_token = t;
          norm_channel = c;
          residual_width = width;
          ring_is_norm[cycle % RING] = 1;
          for (int i = 0; i < channels_of_norm; i = i + 1)
            ring_norm[cycle % RING][i*16 +: 16] = residual_model[t*MAX_WIDTH + c + i];
        end
      end
      idle;
    end
  endtask

  task automatic logits_round;
    begin
      dense = 50 + $urandom % 50;
      repeat (dense) begin
        step;
        tokens = 1;
        steps = 1;
        beat(4, 0, $urandom % 1000, 0, 0, 0, 1);
        logits_sent = logits_sent + 1;
      end
      idle;
      if (round == 0 && last_logit - first_logit != dense - 1) fail(4, 0, 0, dense - 1, last_logit - first_logit);
    end
  endtask

  // Pixels offered in every cycle; a beat of logits takes some of the cycles.
  task automatic pixel_round;
    integer word, group, taken, count;
    begin
      for (int t = 0; t < tokens; t = t + DRAIN) begin
        for (int c = 0; c < steps * INPUTS; c = c + 1) begin
          taken = 0;
          while (!taken) begin
            step;
            word = t / WORD_TOKENS;
            group = t % WORD_TOKENS / DRAIN;
            count = tokens - t < DRAIN ? tokens - t : DRAIN;
            if (gaps != 0 && $urandom % 3 == 0) begin
              beat(4, 0, $urandom % 1000, 0, 0, 0, 1);
              logits_sent = logits_sent + 1;
            end
            pixel_valid = 1;
            pixel_destination = (c % INPUTS) << 10 | c / INPUTS;
            pixel_word = word;
            pixel_group = group;
            pixel_count = count;
            pixel_stride = steps;
            for (int i = 0; i < lanes; i = i + 1) pixel_codes[i*8 +: 8] = $urandom;
            #1 taken = pixel_ready;
            if (taken) for (int i = 0; i < count; i = i + 1)
              h_model[(t + i)*H_CHANNELS + c] = {1'b1, pixel_codes[i*8 +: 8]};
          end
        end
      end
    end
  endtask

  task automatic embedding;
    for (int t = 0; t < tokens; t = t + 1) begin
      for (int c = 0; c < width; c = c + NORM) begin
        step;
        embedding_write = 1;
        embedding_token = t;
        embedding_channel = c;
        residual_width = width;
        embedding_codes = random_values;
        for (int i = 0; i < channels_of_norm; i = i + 1) residual_model[t*MAX_WIDTH + c + i] = random_values[i*16 +: 16];
      end
    end
  endtask

  task automatic norm_codes_round;
    for (int t = 0; t < tokens; t = t + 1) begin
      for (int c = 0; c < steps * INPUTS; c = c + NORM) begin
        step;
        norm_write = 1;
        norm_column = c % INPUTS;
        norm_address = t / WORD_TOKENS * steps + c / INPUTS;
        norm_byte = t % WORD_TOKENS;
        for (int i = 0; i < channels_of_norm; i = i + 1) begin
          norm_codes[i*8 +: 8] = $urandom;
          x_model[t*X_CHANNELS + c + i] = {1'b1, norm_codes[i*8 +: 8]};
        end
      end
    end
  endtask

  task automatic probability_round;
    integer chunks, key;
    begin
      chunks = (tokens + SOFTMAX - 1) / SOFTMAX;
      for (int b = 0; b < slots; b = b + 1) begin
        for (int q = 0; q < block_tokens; q = q + 2) begin
          for (int n = 0; n < chunks; n = n + 1) begin
            step;
            probability_write = 1;
            probability_slot = b;
            probability_query = q;
            probability_second = q + 1 < TOKENS;
            probability_chunk = n;
            for (int i = 0; i < pair; i = i + 1) begin
              for (int e = 0; e < keys_a_chunk; e = e + 1) begin
                key = n * SOFTMAX + e;
                probability_codes[(i*SOFTMAX + e)*8 +: 8] = $urandom;
                if (key < tokens && q + i < TOKENS)
                  probability_model[((b*TOKENS + q + i)*KEY_STEPS*INPUTS) + key]
                    = probability_codes[(i*SOFTMAX + e)*8 +: 8];
              end
            end
          end
        end
      end
      step;
      step;
      for (int b = 0; b < slots; b = b + 1) begin
        for (int s = 0; s * INPUTS < tokens; s = s + 1) begin
          step;
          probability_read_slot = b;
          probability_step = s;
          probability_keys = tokens - s * INPUTS < INPUTS ? tokens - s * INPUTS : INPUTS;
          step;
          step;
          for (int k = 0; k < inputs; k = k + 1) begin
            for (int u = 0; u < block_tokens; u = u + 1)
              compare(14, u, s * INPUTS + k, s * INPUTS + k >= tokens ? 9'h100
                      : {1'b1, probability_model[((b*TOKENS + u)*KEY_STEPS*INPUTS) + s*INPUTS + k]},
                      probability_words[(k*TOKENS + u)*8 +: 8]);
          end
        end
      end
    end
  endtask

  task automatic clear_models;
    begin
      for (int i = 0; i < MAX_TOKENS * X_CHANNELS; i = i + 1) x_model[i] = 0;
      for (int i = 0; i < MAX_TOKENS * H_CHANNELS; i = i + 1) h_model[i] = 0;
      for (int i = 0; i < MAX_TOKENS * QUERY_CHANNELS; i = i + 1) query_model[i] = 0;
      for (int i = 0; i < MAX_TOKENS * VALUE_CHANNELS; i = i + 1) value_model[i] = 0;
    end
  endtask

  integer sweeps, target, channels;
  initial begin
    done = 0;
    errors = 0;
    {cycle, beats, found, logits, logits_sent, dense, round} = 0;
    latency = -1;
    reading = 0;
    for (int i = 0; i < RING; i = i + 1) begin
      ring_context[i] = 0;
      ring_is_logit[i] = 0;
      ring_reads[i] = 0;
      ring_is_norm[i] = 0;
    end
    while (reset !== 1'b0) step;
    idle;
    while (round < 8 || beats < VECTORS) begin
      gaps = round / 8 % 2;
      tokens = round < 8 ? MAX_TOKENS - $urandom % 2 : 1 + $urandom % MAX_TOKENS;
      width = NORM * (1 + (round < 8 ? MAX_WIDTH / NORM - 1 : $urandom % (MAX_WIDTH / NORM)));
      steps = round % 8 == 1 || round % 8 == 6 ? X_STEPS : round % 8 == 4 ? QUERY_STEPS : H_STEPS;
      if (round % 8 == 4 && H_STEPS < steps) steps = H_STEPS;
      if (round >= 8) steps = 1 + $urandom % steps;
      tiles = round < 8 ? VALUE_TILES : 1 + $urandom % VALUE_TILES;
      clear_models;
      sweeps = 0;
      case (round % 8)
        0: logits_round;
        1, 2, 4: sweeps = 2;
        3: pixel_round;
        5: begin
          embedding;
          sweeps = 2;
        end
        6: norm_codes_round;
        default: probability_round;
      endcase
      idle;
      if (round % 8 == 5) read_residuals;
      target = round % 8 == 4 ? 2 : round % 8 == 5 ? 3 : round % 8 - 1;
      channels = target == 3 ? width : target == 2 && steps * INPUTS < tiles * TILE ? tiles * TILE : steps * INPUTS;
      for (int i = 0; i < sweeps; i = i + 1) begin
        sweep(target, channels, i);
        repeat (7) step;
      end
      if (round % 8 == 5) read_residuals;
      idle;
      reading = 1;
      if (round % 8 == 1 || round % 8 == 6) read_operands(1);
      if (round % 8 >= 2 && round % 8 <= 4) read_operands(0);
      if (round % 8 == 4) begin
        read_queries;
        read_values;
      end
      reading = 0;
      round = round + 1;
    end
    if (logits != logits_sent) fail(5, 0, 0, logits_sent, logits);
    if (found == 0) $display("PASS %0s vectors=%0d latency=%0d interval=1x%0d", CASE, beats, latency, dense - 1);
    else $display("FAIL %0s errors=%0d of %0d", CASE, found, beats);
    errors = found;
    done = 1;
  end
endmodule
