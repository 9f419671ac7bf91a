// Random programs through quasar_dispatcher and quasar_tile_slots, read by a model of the sequencer.
//
// A program has VECTORS/IMAGES commands and runs over IMAGES images. Each command names the record that it uses, and compares
// what arrived with the bytes of the stream: tiles (every row, every step), channels of a norm, tables, embedding, pixels.
// Pass 1 has no gaps: the cycle in which every record enters, and the one in which commands and slots are ready, must be
// the ones of the rule in quasar_dispatcher. Pass 2 has gaps in the stream and stops of the router. Then come faults: each
// must give its error and record, all commands before it and none after it, an emptied stream, and a good run afterwards.
module quasar_dispatcher_tb #(
  parameter CASE = "dispatcher",
  parameter integer VECTORS = 60,
  parameter integer STREAM_BITS = 128,
  parameter integer ROWS = 2,
  parameter integer INPUTS = 8,
  parameter integer TOKENS = 9,
  parameter integer BLOCK_PITCH = 0,
  parameter integer DRAIN = 3,
  parameter integer NORM = 4,
  parameter integer MAX_STEPS = 24,
  parameter integer MAX_WIDTH = 192,
  parameter integer MAX_TOKENS = 64,
  parameter integer SEED = 1
) (
  input  logic        clk,
  input  logic        reset,
  output logic        done,
  output logic [31:0] errors
);
  localparam integer IMAGES = 3;
  localparam integer COMMANDS = (VECTORS + IMAGES - 1) / IMAGES;
  localparam integer RECORDS = 8 * COMMANDS + 16;
  localparam integer SPACE = 1 << 22;
  localparam integer BYTES = STREAM_BITS / 8;
  localparam integer OPERANDS = 2 * ROWS * INPUTS;
  localparam integer ROW_LANES = STREAM_BITS / 64;
  localparam integer ROW_GROUPS = (2 * ROWS + ROW_LANES - 1) / ROW_LANES;
  localparam integer ROW_GROUP_BITS = ROW_GROUPS > 1 ? $clog2(ROW_GROUPS) : 1;
  localparam integer WEIGHT_WORDS = (OPERANDS * MAX_STEPS + 63) / 64 * (512 / STREAM_BITS);
  localparam integer WEIGHT_INDEX_BITS = WEIGHT_WORDS > 1 ? $clog2(WEIGHT_WORDS) : 1;
  localparam integer STEP_BITS = MAX_STEPS > 1 ? $clog2(MAX_STEPS) : 1;
  localparam integer ROW_BITS = $clog2(2 * ROWS);
  localparam integer CHANNEL_BITS = $clog2(MAX_WIDTH);
  localparam integer BEAT_BYTES = 1 << $clog2(DRAIN);
  localparam integer WORD_TOKENS = TOKENS * (BLOCK_PITCH == 0 ? 1 : 2);
  localparam [31:0] HASH = 32'h89abcdef;
  // What a command looks at.
  localparam integer NOTHING = 0, TILES = 1, CHANNELS = 2, GELU = 3, EXPONENT = 4, CODES = 5, IMAGE = 6;

  // The stream of all images, and the records of the program.
  logic [7:0] bytes [0:SPACE-1];
  integer image_bytes, records, program_offset;
  integer record_at [0:RECORDS-1];      // in the stream of an image
  integer record_type [0:RECORDS-1];
  integer record_low [0:RECORDS-1];     // steps, channels, tokens
  integer record_high [0:RECORDS-1];    // rows, channels of an embedding
  integer record_block [0:RECORDS-1];
  integer record_cycles [0:RECORDS-1];
  integer record_issued [0:RECORDS-1];  // commands before it in the program
  integer record_user [0:RECORDS-1];    // what it is for
  integer record_pending [0:RECORDS-1];
  logic [31:0] random;
  integer at, commands;

  task advance;
    random = random * 32'd1664525 + 32'd1013904223;
  endtask
  integer picked;
  task pick(input integer below);
    begin
      advance;
      picked = {16'd0, random[31:16]} % below;
    end
  endtask
  task word32(input integer place, input logic [31:0] value);
    begin
      bytes[place] = value[7:0];
      bytes[place+1] = value[15:8];
      bytes[place+2] = value[23:16];
      bytes[place+3] = value[31:24];
    end
  endtask
  integer fill;
  task noise(input integer count);
    for (fill = 0; fill < count; fill = fill + 1) begin
      advance;
      bytes[at+fill] = random[31:24];
    end
  endtask

  // A block at `at`; `at` goes behind it. Pads what comes before.
  task pad;
    while (at % 64 != 0) begin
      bytes[at] = 8'd0;
      at = at + 1;
    end
  endtask
  integer field;
  task block(input integer kind, input integer payload, input logic [31:0] argument, input integer user);
    begin
      record_at[records] = at;
      record_type[records] = kind;
      record_issued[records] = commands;
      record_user[records] = user;
      record_block[records] = 0;
      record_cycles[records] = 64 / BYTES;
      for (field = 0; field < 16; field = field + 1) word32(at + 4 * field, 32'd0);
      word32(at, kind);
      word32(at + 4, payload);
      word32(at + 8, argument);
      at = at + 64;
      records = records + 1;
    end
  endtask

  integer rows, steps, shape, weights, groups, width, tokens, user, used, tiles, i, j;
  task tile;
    begin
      pick(2 * ROWS);
      rows = picked + 1;
      pick(MAX_STEPS);
      steps = picked + 1;
      pick(2);
      shape = BLOCK_PITCH == 0 ? 0 : picked;
      weights = shape != 0 ? OPERANDS / 2 * steps : OPERANDS * steps;
      block(4, 0, 0, TILES);
      record_type[records-1] = 2;
      word32(at - 64, 32'd2);
      word32(at - 60, (12 * rows + 63) / 64 * 64 + weights);
      word32(at - 56, {shape[0], rows[14:0], steps[15:0]});
      record_low[records-1] = steps;
      record_high[records-1] = rows;
      record_block[records-1] = shape;
      noise(12 * rows);
      at = at + 12 * rows;
      pad;
      noise(weights);
      at = at + weights;
      pad;
      record_cycles[records-1] = (at - record_at[records-1]) / BYTES;
    end
  endtask
  integer phase, cost, first;
  task channels_record;
    begin
      pick(MAX_WIDTH / NORM);
      width = (picked + 1) * NORM;
      block(3, 12 * width, width, CHANNELS);
      advance;
      word32(at - 48, random);
      advance;
      word32(at - 44, {8'd0, 16'h7f81, random[31:24]});
      noise(12 * width);
      record_low[records-1] = width;
      at = at + 12 * width;
      pad;
      // Words in threes; the second and third of them, and the last word, end a group.
      phase = 0;
      first = 0;
      for (i = record_at[records-1] + 64; i < at; i = i + BYTES) begin
        cost = 1;
        if (first < width && (phase != 0 || i + BYTES == at)) begin
          cost = ROW_LANES;
          first = first + ROW_LANES;
          if (phase == 1 && i + BYTES == at && first < width) cost = 2 * ROW_LANES;
        end
        record_cycles[records-1] = record_cycles[records-1] + cost;
        phase = (phase + 1) % 3;
      end
    end
  endtask
  task table_record(input integer which);
    begin
      block(4, 512, which, which == 0 ? GELU : EXPONENT);
      noise(512);
      at = at + 512;
      record_cycles[records-1] = record_cycles[records-1] + 256;
    end
  endtask
  // Words of which items of `item` bytes come, `count` of them, and padding.
  task count_cycles(input integer item, input integer count);
    begin
      if (item >= BYTES) record_cycles[records-1] = (at - record_at[records-1]) / BYTES;
      else record_cycles[records-1] = 64 / BYTES + count + (at - record_at[records-1] - 64) / BYTES
        - (count * item + BYTES - 1) / BYTES;
    end
  endtask
  task embedding_record;
    begin
      pick(MAX_TOKENS / 2);
      tokens = picked + 1;
      pick(MAX_WIDTH / NORM < 6 ? 1 : 3);
      width = (MAX_WIDTH / NORM < 6 ? 1 : picked + 4) * NORM;
      block(5, 2 * tokens * width, {width[15:0], tokens[15:0]}, CODES);
      record_low[records-1] = tokens;
      record_high[records-1] = width;
      noise(2 * tokens * width);
      at = at + 2 * tokens * width;
      pad;
      count_cycles(2 * NORM, tokens * width / NORM);
    end
  endtask
  task header_record;
    begin
      pick(MAX_TOKENS);
      tokens = picked + 1;
      pick(MAX_STEPS * INPUTS < 24 ? MAX_STEPS * INPUTS : 24);
      width = picked + 1;
      groups = (tokens + DRAIN - 1) / DRAIN;
      block(0, groups * width * BEAT_BYTES, 32'd0, IMAGE);
      word32(at - 48, 32'h53415551);
      word32(at - 44, 32'd1);
      word32(at - 40, HASH);
      word32(at - 24, {tokens[15:0], width[15:0]});
      record_low[0] = tokens;
      record_high[0] = width;
      noise(groups * width * BEAT_BYTES);
      at = at + groups * width * BEAT_BYTES;
      pad;
      count_cycles(BEAT_BYTES, groups * width);
      program_offset = at;
    end
  endtask

  // CRC-32 of a record, bit after bit.
  logic [31:0] crc;
  integer crc_at, crc_bit;
  task checksum(input integer record, input integer end_at);
    begin
      crc = 32'hffffffff;
      for (crc_at = record_at[record]; crc_at < end_at; crc_at = crc_at + 1)
        for (crc_bit = 0; crc_bit < 8; crc_bit = crc_bit + 1) begin
          if (crc_at >= record_at[record] + 12 && crc_at < record_at[record] + 16)
            crc = {1'b0, crc[31:1]} ^ (crc[0] ? 32'hedb88320 : 32'd0);
          else crc = {1'b0, crc[31:1]} ^ ((crc[0] ^ bytes[crc_at][crc_bit]) ? 32'hedb88320 : 32'd0);
        end
      crc = ~crc;
    end
  endtask

  integer last_user [0:6];
  integer total_user [0:6];
  integer kind, pass_number;
  task build;
    begin
      at = 0;
      records = 0;
      commands = 0;
      for (i = 0; i < 7; i = i + 1) total_user[i] = -1;
      header_record;
      while (commands < COMMANDS) begin
        pick(7);
        user = commands == 0 ? IMAGE : commands == 1 ? CODES : commands == 2 ? TILES : picked;
        used = records;
        if (user == CHANNELS) channels_record;
        if (user == GELU) table_record(0);
        if (user == EXPONENT) table_record(1);
        if (user == CODES) embedding_record;
        if (user == IMAGE) used = 0;
        if (user == TILES) used = records + 1;
        pick(5);
        tiles = user == TILES ? picked + 1 : 0;
        block(1, 0, commands, NOTHING);
        for (i = 0; i < 12; i = i + 1) begin
          advance;
          word32(at - 48 + 4 * i, random);
        end
        word32(at - 48, user);
        word32(at - 44, used);
        word32(at - 40, tiles);
        total_user[user] = commands;
        commands = commands + 1;
        for (j = 0; j < tiles; j = j + 1) tile;
      end
      image_bytes = at;
      word32(28, records);
      word32(32, image_bytes - program_offset + 64);
      // The last command that used a place, in this image or the one before, must be complete.
      for (i = 0; i < 7; i = i + 1) last_user[i] = total_user[i] - commands;
      for (i = 0; i < records; i = i + 1) begin
        record_pending[i] = 65535;
        if (record_user[i] != NOTHING && record_user[i] != TILES)
          record_pending[i] = record_issued[i] - 1 - last_user[record_user[i]];
        if (record_type[i] == 1)
          last_user[bytes[record_at[i]+16][2:0]] = record_issued[i];
        bytes[record_at[i]+2] = record_pending[i][7:0];
        bytes[record_at[i]+3] = record_pending[i][15:8];
      end
      for (i = 0; i < records; i = i + 1) begin
        pick(3);
        if (picked != 0 || i < 8) begin
          checksum(i, i == 0 ? 64 : i + 1 < records ? record_at[i+1] : image_bytes);
          word32(record_at[i] + 12, crc);
        end
      end
      // The other images: the same program, other pixels.
      for (i = 1; i < IMAGES; i = i + 1) begin
        for (j = 0; j < image_bytes; j = j + 1) bytes[i*image_bytes+j] = bytes[j];
        at = i * image_bytes + 64;
        noise(program_offset - 64);
      end
      if (IMAGES * image_bytes > SPACE) $fatal(1, "%0s: %0d bytes of stream", CASE, IMAGES * image_bytes);
    end
  endtask

  // The unit.
  logic unit_reset, local_reset;
  assign unit_reset = reset | local_reset;
  logic [31:0] config_hash;
  logic stream_valid, stream_ready, stream_last, record_enters, command_valid, command_ready, command_done, tile_free;
  logic tile_reserve, row_write, weight_write, tile_end, tile_commit, end_block, norm_write, channel_write;
  logic gelu_write, exponent_write, embedding_write, pixel_valid, pixel_ready, pixel_half, error, release_tile;
  logic [STREAM_BITS-1:0] stream_data, weight_word;
  logic [383:0] command;
  logic [ROW_GROUP_BITS-1:0] row_group;
  logic [ROW_LANES*72-1:0] row_entries;
  logic [WEIGHT_INDEX_BITS-1:0] weight_index;
  logic [15:0] end_rows, end_steps, table_value, embedding_token, embedding_channel, pixel_channel, pixel_word;
  logic [39:0] norm_epsilon;
  logic [7:0] norm_low, norm_high, table_address, pixel_group, pixel_count;
  logic [CHANNEL_BITS-1:0] channel_index;
  quasar_channel_t channel;
  logic [NORM*16-1:0] embedding_values;
  logic [DRAIN*8-1:0] pixel_codes;
  logic [3:0] error_code;
  logic [31:0] error_record, tile_rows, tile_steps;
  logic [1:0] full, tile_block;
  logic read_valid, row_valid, read_slot, read_block;
  logic [STEP_BITS-1:0] read_step;
  logic [ROW_BITS-1:0] read_row;
  logic [OPERANDS*8-1:0] read_weights;
  logic [71:0] entry;
  logic [15:0] pixel_channels, embedding_width;
  quasar_dispatcher #(
    .STREAM_BITS(STREAM_BITS), .ROWS(ROWS), .INPUTS(INPUTS), .TOKENS(TOKENS), .BLOCK_PITCH(BLOCK_PITCH), .DRAIN(DRAIN),
    .NORM(NORM), .MAX_STEPS(MAX_STEPS), .MAX_WIDTH(MAX_WIDTH), .MAX_TOKENS(MAX_TOKENS)
  ) unit (
    .clk(clk), .reset(unit_reset), .config_hash(config_hash), .stream_valid(stream_valid), .stream_ready(stream_ready),
    .stream_data(stream_data), .stream_last(stream_last), .record_enters(record_enters), .command_valid(command_valid),
    .command_ready(command_ready), .command(command), .command_done(command_done), .tile_free(tile_free),
    .tile_reserve(tile_reserve), .row_write(row_write), .row_group(row_group), .row_entries(row_entries),
    .weight_write(weight_write), .weight_index(weight_index), .weight_word(weight_word), .tile_end(tile_end),
    .tile_rows(end_rows), .tile_steps(end_steps), .tile_block(end_block), .tile_commit(tile_commit),
    .norm_write(norm_write), .norm_epsilon(norm_epsilon), .norm_low(norm_low), .norm_high(norm_high),
    .channel_write(channel_write), .channel_index(channel_index), .channel(channel), .gelu_write(gelu_write),
    .exponent_write(exponent_write), .table_address(table_address), .table_value(table_value),
    .embedding_write(embedding_write), .embedding_token(embedding_token), .embedding_channel(embedding_channel),
    .embedding_values(embedding_values), .pixel_valid(pixel_valid), .pixel_ready(pixel_ready),
    .pixel_codes(pixel_codes), .pixel_channels(pixel_channels), .embedding_width(embedding_width), .pixel_channel(pixel_channel), .pixel_word(pixel_word), .pixel_half(pixel_half),
    .pixel_group(pixel_group), .pixel_count(pixel_count), .error(error), .error_code(error_code),
    .error_record(error_record));
  quasar_tile_slots #(
    .STREAM_BITS(STREAM_BITS), .ROWS(ROWS), .INPUTS(INPUTS), .MAX_STEPS(MAX_STEPS)
  ) slots (
    .clk(clk), .reset(unit_reset), .free(tile_free), .reserve(tile_reserve), .row_write(row_write),
    .row_group(row_group), .row_entries(row_entries), .weight_write(weight_write), .weight_index(weight_index),
    .weight_word(weight_word), .end_tile(tile_end), .end_rows(end_rows), .end_steps(end_steps), .end_block(end_block),
    .commit(tile_commit), .full(full), .tile_rows(tile_rows), .tile_steps(tile_steps), .tile_block(tile_block),
    .release_tile(release_tile), .read_valid(read_valid), .read_slot(read_slot), .read_step(read_step),
    .read_block(read_block), .weights(read_weights), .row_valid(row_valid), .row_slot(read_slot), .read_row(read_row),
    .entry(entry));

  // What arrived.
  logic [85:0] channels [0:MAX_WIDTH-1];
  logic [15:0] gelu [0:255];
  logic [15:0] exponent [0:255];
  logic [15:0] embedding [0:MAX_TOKENS*MAX_WIDTH-1];
  logic [7:0] pixels [0:MAX_TOKENS*MAX_STEPS*INPUTS-1];
  logic [55:0] norm_word;
  integer lane, pixel_token;
  always @(posedge clk) if (!unit_reset) begin
    if (norm_write === 1'b1) norm_word = {norm_high, norm_low, norm_epsilon};
    if (channel_write === 1'b1) channels[channel_index] = channel;
    if (gelu_write === 1'b1) gelu[table_address] = table_value;
    if (exponent_write === 1'b1) exponent[table_address] = table_value;
    if (embedding_write === 1'b1) for (lane = 0; lane < NORM; lane = lane + 1)
      embedding[embedding_token*MAX_WIDTH+{16'd0, embedding_channel}+lane] = embedding_values[lane*16 +: 16];
    if (pixel_valid === 1'b1 && pixel_ready) for (lane = 0; lane < pixel_count; lane = lane + 1) begin
      pixel_token = pixel_word * WORD_TOKENS + pixel_half * TOKENS + pixel_group * DRAIN + lane;
      pixels[pixel_token*MAX_STEPS*INPUTS+{16'd0, pixel_channel}] = pixel_codes[lane*8 +: 8];
    end
  end

  integer found, difference;
  task differ(input integer what, input integer place);
    begin
      found = found + 1;
      if (found <= 10) $display("%0s: command %0d of image %0d: %0s %0d differs", CASE, taken % COMMANDS,
        taken / COMMANDS, what == TILES ? "tile" : what == CHANNELS ? "channel" : what == GELU ? "GELU entry"
        : what == EXPONENT ? "exponent entry" : what == CODES ? "embedding code" : "pixel", place);
    end
  endtask

  // Memories against the payload of a record.
  integer base, c, t;
  task compare(input integer what, input integer record, input integer image);
    begin
      base = image * image_bytes + record_at[record] + 64;
      if (what == CHANNELS) begin
        if (norm_word !== {bytes[base-42], bytes[base-43], bytes[base-44], bytes[base-45], bytes[base-46], bytes[base-47],
            bytes[base-48]}) differ(what, -1);
        for (c = 0; c < record_low[record]; c = c + 1) begin
          if (channels[c] !== {bytes[base+12*c+10][5:0], bytes[base+12*c+9], bytes[base+12*c+8], bytes[base+12*c+7],
              bytes[base+12*c+6], bytes[base+12*c+5], bytes[base+12*c+4], bytes[base+12*c+3], bytes[base+12*c+2],
              bytes[base+12*c+1], bytes[base+12*c]}) differ(what, c);
          channels[c] = 86'dx;
        end
      end
      if (what == GELU) for (c = 0; c < 256; c = c + 1) begin
        if (gelu[c] !== {bytes[base+2*c+1], bytes[base+2*c]}) differ(what, c);
        gelu[c] = 16'dx;
      end
      if (what == EXPONENT) for (c = 0; c < 256; c = c + 1) begin
        if (exponent[c] !== {bytes[base+2*c+1], bytes[base+2*c]}) differ(what, c);
        exponent[c] = 16'dx;
      end
      if (what == CODES) for (t = 0; t < record_low[record]; t = t + 1)
        for (c = 0; c < record_high[record]; c = c + 1) begin
          difference = base + 2 * (t * record_high[record] + c);
          if (embedding[t*MAX_WIDTH+c] !== {bytes[difference+1], bytes[difference]}) differ(what, t * MAX_WIDTH + c);
          embedding[t*MAX_WIDTH+c] = 16'dx;
        end
      // Pixels are kept: several commands of an image look at them.
      if (what == IMAGE) for (t = 0; t < record_low[0]; t = t + 1)
        for (c = 0; c < record_high[0]; c = c + 1)
          if (pixels[t*MAX_STEPS*INPUTS+c]
              !== bytes[base+(t/DRAIN*record_high[0]+c)*BEAT_BYTES+t%DRAIN]) differ(what, t * 1000 + c);
    end
  endtask

  // The sequencer.
  integer cycle, taken, complete, tiles_read, state, position, wait_left, tiles_left, tile_record, used_record, of_user;
  integer taken_at [0:IMAGES*COMMANDS-1];
  integer complete_at [0:IMAGES*COMMANDS-1];
  integer released_at [0:IMAGES*RECORDS-1];
  logic [31:0] moment;  // random number of the cycle
  logic eager;
  integer now_rows, now_steps, at_weights, index;
  assign command_ready = state == 0;
  assign read_slot = tiles_read[0];
  assign read_block = tile_block[read_slot];
  assign read_valid = state == 3 && position < now_steps;
  assign row_valid = state == 3 && position < now_rows;
  assign read_step = position[STEP_BITS-1:0];
  assign read_row = position[ROW_BITS-1:0];
  always @(posedge clk) begin
    moment <= {moment[30:0], moment[31] ^ moment[21] ^ moment[1] ^ moment[0]};
    command_done <= 1'b0;
    release_tile <= 1'b0;
    cycle <= reset ? 0 : cycle + 1;
    if (unit_reset) begin
      state <= 0;
      taken = 0;
      complete = 0;
      tiles_read <= 0;
      if (reset) moment <= 32'h2468ace1 ^ (SEED << 8);
    end else case (state)
      0: if (command_valid === 1'b1) begin
        of_user = command[31:0];
        used_record = command[63:32];
        tiles_left <= command[95:64];
        tile_record = used_record;
        taken_at[taken] = cycle;
        if (of_user < 0 || of_user > 6) differ(NOTHING, taken);
        compare(of_user, used_record, taken / COMMANDS);
        state <= of_user == TILES ? 2 : 1;
        wait_left <= eager ? 0 : {26'd0, moment[5:0]};
      end
      1: if (wait_left > 0) wait_left <= wait_left - 1;
        else begin
          command_done <= 1'b1;
          complete_at[complete] = cycle + 1;
          complete = complete + 1;
          taken = taken + 1;
          state <= 0;
        end
      2: if (full[read_slot]) begin
        now_rows = {16'd0, tile_rows[read_slot*16 +: 16]};
        now_steps = {16'd0, tile_steps[read_slot*16 +: 16]};
        if (now_rows != record_high[tile_record] || now_steps != record_low[tile_record]
            || {31'd0, tile_block[read_slot]} != record_block[tile_record]) differ(TILES, tile_record);
        position <= 0;
        state <= 3;
      end
      default: begin
        base = taken / COMMANDS * image_bytes + record_at[tile_record] + 64;
        at_weights = base + (12 * now_rows + 63) / 64 * 64;
        index = position - 1;
        if (index >= 0 && index < now_rows && entry !== {bytes[base+12*index+8], bytes[base+12*index+7],
            bytes[base+12*index+6], bytes[base+12*index+5], bytes[base+12*index+4], bytes[base+12*index+3],
            bytes[base+12*index+2], bytes[base+12*index+1], bytes[base+12*index]}) differ(TILES, tile_record);
        index = position - 2;
        if (index >= 0 && index < now_steps) for (c = 0; c < OPERANDS; c = c + 1) begin
          t = index * OPERANDS + c;
          if (read_weights[c*8 +: 8] !== (record_block[tile_record] == 0 ? bytes[at_weights+t]
              : t % 2 == 0 ? {{4{bytes[at_weights+t/2][3]}}, bytes[at_weights+t/2][3:0]}
              : {{4{bytes[at_weights+t/2][7]}}, bytes[at_weights+t/2][7:4]})) differ(TILES, tile_record);
        end
        position <= position + 1;
        if (position > now_rows && position > now_steps) begin
          release_tile <= 1'b1;
          released_at[tiles_read] = cycle + 1;
          tiles_read <= tiles_read + 1;
          tile_record = tile_record + 1;
          tiles_left <= tiles_left - 1;
          state <= tiles_left == 1 ? 1 : 4;
        end
      end
      4: state <= 2;  // the slot's flag has fallen
    endcase
  end

  // The rule of the cycles, while the stream has no gaps.
  logic exact;
  integer entered, entered_commands, entered_tiles, entered_at, ready_at, want, place, offered, filled, record;
  integer command_ready_at [0:IMAGES*COMMANDS-1];
  integer tile_ready_at [0:IMAGES*RECORDS-1];
  logic [1:0] full_before;
  logic valid_before;
  task late(input integer what, input integer number, input integer is, input integer should);
    if (is != should) begin
      found = found + 1;
      if (found <= 10) $display("%0s: %0s %0d in cycle %0d, not %0d", CASE,
        what == 0 ? "record enters" : what == 1 ? "command is offered" : "tile is full", number, is, should);
    end
  endtask
  always @(posedge clk) begin
    if (unit_reset) begin
      entered = 0; entered_commands = 0; entered_tiles = 0; offered = 0; filled = 0; full_before = 2'd0;
      valid_before = 1'b0;
    end else begin
      if (record_enters === 1'b1) begin
        record = entered % records;
        want = entered == 0 ? cycle : ready_at;
        place = entered_commands - record_pending[record] - 1;
        if (place >= 0 && complete_at[place] + 1 > want) want = complete_at[place] + 1;
        if (record_type[record] == 1 && entered_commands >= 4 && taken_at[entered_commands-4] + 1 > want)
          want = taken_at[entered_commands-4] + 1;
        if (record_type[record] == 2 && entered_tiles >= 2 && released_at[entered_tiles-2] + 1 > want)
          want = released_at[entered_tiles-2] + 1;
        if (exact) late(0, entered, cycle, want);
        ready_at = cycle + record_cycles[record];
        if (record_type[record] == 1) begin
          command_ready_at[entered_commands] = ready_at + 3;
          entered_commands = entered_commands + 1;
        end
        if (record_type[record] == 2) begin
          tile_ready_at[entered_tiles] = ready_at + 3;
          entered_tiles = entered_tiles + 1;
        end
        entered = entered + 1;
      end
      if (exact && command_valid === 1'b1 && !valid_before) late(1, offered, cycle, command_ready_at[offered]);
      if (command_valid === 1'b1 && command_ready) offered = offered + 1;
      valid_before = command_valid === 1'b1 && !(command_ready && command_ready_at[offered] > cycle);
      if (full[filled%2] && !full_before[filled%2]) begin
        if (exact) late(2, filled, cycle, tile_ready_at[filled]);
        filled = filled + 1;
      end
      full_before = full;
    end
  end

  // Runs.
  integer word, words, last_word, quiet, fault, chosen, expected_commands, gaps, latency, flipped_at;
  logic [7:0] flipped;
  task run(input integer from_byte, input integer count, input integer last_flag);
    begin
      word = from_byte / BYTES;
      words = word + count / BYTES;
      while (word < words) begin
        @(negedge clk);
        if (stream_valid && was_ready) stream_valid = 1'b0;
        if (!stream_valid && (gaps == 0 || moment[9:8] != 2'd0)) begin
          stream_valid = 1'b1;
          for (lane_of_word = 0; lane_of_word < BYTES; lane_of_word = lane_of_word + 1)
            stream_data[lane_of_word*8 +: 8] = bytes[word*BYTES+lane_of_word];
          stream_last = last_flag != 0 && (word == words - 1 || (word + 1) % (image_bytes / BYTES) == 0);
          word = word + 1;
        end
        pixel_ready = gaps == 0 || moment[12:11] != 2'd0;
        was_ready = stream_ready;
      end
      @(negedge clk);
      while (!was_ready) begin
        was_ready = stream_ready;
        @(negedge clk);
      end
      stream_valid = 1'b0;
    end
  endtask
  integer lane_of_word;
  logic was_ready;
  task finish(input integer count);
    begin
      quiet = 0;
      while (complete < count && quiet < 20000) begin
        @(negedge clk);
        pixel_ready = gaps == 0 || moment[12:11] != 2'd0;
        quiet = quiet + 1;
      end
      for (quiet = 0; quiet < 20; quiet = quiet + 1) @(negedge clk);
      if (complete != count) begin
        found = found + 1;
        $display("%0s: %0d of %0d commands are complete", CASE, complete, count);
      end
    end
  endtask
  task restart;
    begin
      @(negedge clk);
      local_reset = 1'b1;
      @(negedge clk);
      local_reset = 1'b0;
      @(negedge clk);
    end
  endtask
  task good;
    begin
      run(0, IMAGES * image_bytes, 1);
      finish(IMAGES * COMMANDS);
      if (error !== 1'b0) begin
        found = found + 1;
        $display("%0s: error %0d in record %0d of a good program", CASE, error_code, error_record);
      end
    end
  endtask
  // The first record from the second on that the fault can hit.
  task choose(input integer kind_of_record, input integer with_crc);
    begin
      chosen = 2;
      while (chosen < records - 1 && !((kind_of_record < 0 || record_type[chosen] == kind_of_record) && (with_crc == 0
          || {bytes[record_at[chosen]+12], bytes[record_at[chosen]+13]} != 16'd0))) chosen = chosen + 1;
    end
  endtask
  task flip(input integer place, input logic [7:0] mask);
    begin
      flipped_at = place;
      flipped = bytes[place];
      bytes[place] = bytes[place] ^ mask;
    end
  endtask
  task expect_error(input integer code, input integer in_record);
    begin
      quiet = 0;
      while (error !== 1'b1 && quiet < 20000) begin
        @(negedge clk);
        quiet = quiet + 1;
      end
      for (quiet = 0; quiet < 3000; quiet = quiet + 1) @(negedge clk);
      expected_commands = 0;
      for (i = 0; i < in_record; i = i + 1) if (record_type[i] == 1) expected_commands = expected_commands + 1;
      if (error !== 1'b1 || {28'd0, error_code} != code || error_record != in_record
          || taken + (state != 0 ? 1 : 0) != expected_commands) begin
        found = found + 1;
        $display("%0s fault %0d: error %b, code %0d in record %0d after %0d commands; expected code %0d in record %0d after %0d",
          CASE, fault, error, error_code, error_record, taken + (state != 0 ? 1 : 0), code, in_record, expected_commands);
      end
    end
  endtask

  initial begin
    done = 1'b0;
    errors = 32'd0;
    found = 0;
    random = 32'd7654321 + SEED;
    stream_valid = 1'b0;
    stream_last = 1'b0;
    local_reset = 1'b0;
    config_hash = HASH;
    pixel_ready = 1'b1;
    eager = 1'b1;
    exact = 1'b1;
    gaps = 0;
    build;
    @(negedge clk);
    while (reset) @(negedge clk);
    good;
    eager = 1'b0;
    restart;
    good;
    restart;
    exact = 1'b0;
    gaps = 1;
    good;
    // Faults.
    for (fault = 0; fault < 10; fault = fault + 1) begin
      restart;
      gaps = fault % 2;
      eager = 1'b1;
      kind = 4;
      chosen = 0;
      flipped_at = 0;
      flipped = bytes[0];
      case (fault)
        0: begin flip(17, 8'h10); kind = 1; end
        1: begin flip(20, 8'h02); kind = 2; end
        2: begin config_hash = HASH + 32'd1; kind = 3; end
        3: begin choose(-1, 0); flip(record_at[chosen], 8'h40); end
        4: begin choose(2, 0); flip(record_at[chosen] + 11, 8'h40); end
        5: begin choose(-1, 1); flip(record_at[chosen] + 20, 8'h01); kind = 5; end
        6: begin choose(2, 1); flip((chosen + 1 < records ? record_at[chosen+1] : image_bytes) - 64, 8'h80); kind = 5; end
        7: begin choose(2, 0); kind = 6; end
        8: begin chosen = records - 1; kind = 6; end
        // An embedding with more tokens than its payload holds, and without a CRC.
        default: begin
          choose(5, 0);
          flip(record_at[chosen] + 8, bytes[record_at[chosen]+8] ^ MAX_TOKENS[7:0]);
          word32(record_at[chosen] + 12, 32'd0);
        end
      endcase
      if (fault == 7) run(0, record_at[chosen] + 64, 1);
      else if (fault == 8) run(0, image_bytes, 0);
      else run(0, image_bytes, 1);
      expect_error(kind, chosen);
      bytes[flipped_at] = flipped;
      config_hash = HASH;
      restart;
      run(0, image_bytes, 1);
      finish(COMMANDS);
      if (error !== 1'b0) found = found + 1;
    end
    errors = found;
    if (found == 0)
      $display("PASS %0s vectors=%0d latency=%0d interval=1x%0d", CASE, VECTORS, 3, IMAGES * COMMANDS);
    else $display("FAIL %0s errors=%0d of %0d", CASE, found, VECTORS);
    done = 1'b1;
  end
endmodule
