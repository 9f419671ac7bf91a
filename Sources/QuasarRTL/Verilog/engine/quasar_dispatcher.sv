// Carries the records of the program stream (quasar_program_pkg) to the places that they name.
//
// A word passes the gate, stands in the next cycle before its destination, and leaves for it when that has taken all of it.
// Timing. x: the cycle in which the first word of a record passes the gate; b: its cycles. Behind record m comes
//   x = max(x_m + b_m, time of arrival, release + WAKE_CYCLES for a ROW_TILE without a free slot,
//           command_done + WAKE_CYCLES while more than `pending` commands are not complete,
//           command taken + WAKE_CYCLES for a COMMAND without a place in the queue).
// The block of a record counts 512/STREAM_BITS cycles like any other words, and so does its padding. A word counts 1, but
//   NORM: STREAM_BITS/64 for each word that ends a group of so many channels (quasar_entry_gearbox),
//   TABLE: STREAM_BITS/16, EMBEDDING: STREAM_BITS/(16·NORM) or 1, pixels: STREAM_BITS/8 over the padded beat or 1, and
//   the cycles that pixel_ready keeps a beat.
// The last write of a record is in cycle x + b + WRITE_CYCLES. command_valid, or full of a slot, is high from cycle
// x + b + READY_CYCLES on. (Numbers in quasar_program_pkg.)
//
// Errors come in the order of the records: wrong blocks, wrong CRC, a payload that is shorter than its counts, a stream
// that ends (stream_last) inside a record or before or behind the last one. Commands and tiles before the record remain
// good; nothing after it is given out, and the stream is drained. A reset makes ready for another start; it must come
// between streams, because the next word begins an image.
module quasar_dispatcher #(
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
  parameter integer ROW_LANES = STREAM_BITS / 64,
  parameter integer ROW_GROUPS = (2 * ROWS + ROW_LANES - 1) / ROW_LANES,
  parameter integer ROW_GROUP_BITS = ROW_GROUPS > 1 ? $clog2(ROW_GROUPS) : 1,
  parameter integer WEIGHT_WORDS = (2 * ROWS * INPUTS * MAX_STEPS + 63) / 64 * (512 / STREAM_BITS),
  parameter integer WEIGHT_INDEX_BITS = WEIGHT_WORDS > 1 ? $clog2(WEIGHT_WORDS) : 1,
  parameter integer CHANNEL_BITS = $clog2(MAX_WIDTH)
) (
  input  logic                        clk,
  input  logic                        reset,
  input  logic [31:0]                 config_hash,
  input  logic                        stream_valid,
  output logic                        stream_ready,
  input  logic [STREAM_BITS-1:0]      stream_data,
  input  logic                        stream_last,   // last word of an image
  output logic                        record_enters, // x
  // Commands. command_done: one is complete.
  output logic                        command_valid,
  input  logic                        command_ready,
  output logic [quasar_program_pkg::COMMAND_BITS-1:0] command,
  input  logic                        command_done,
  // quasar_tile_slots
  input  logic                        tile_free,
  output logic                        tile_reserve,
  output logic                        row_write,
  output logic [ROW_GROUP_BITS-1:0]   row_group,
  output logic [ROW_LANES*72-1:0]     row_entries,
  output logic                        weight_write,
  output logic [WEIGHT_INDEX_BITS-1:0] weight_index,
  output logic [STREAM_BITS-1:0]      weight_word,
  output logic                        tile_end,
  output logic [15:0]                 tile_rows,
  output logic [15:0]                 tile_steps,
  output logic                        tile_block,
  output logic                        tile_commit,
  // LayerNorm: channel_index is chunk·NORM + lane.
  output logic                        norm_write,
  output logic [quasar_pkg::EPSILON_BITS-1:0] norm_epsilon,
  output logic [7:0]                  norm_low,
  output logic [7:0]                  norm_high,
  output logic                        channel_write,
  output logic [CHANNEL_BITS-1:0]     channel_index,
  output quasar_channel_t             channel,
  // Tables of 256 entries: GELU takes the low 8 bits of a value.
  output logic                        gelu_write,
  output logic                        exponent_write,
  output logic [7:0]                  table_address,
  output logic [15:0]                 table_value,
  output logic                        embedding_write,
  output logic [15:0]                 embedding_token,
  output logic [15:0]                 embedding_channel,
  output logic [15:0]                 embedding_width,   // channels of all
  output logic [NORM*16-1:0]          embedding_values,
  output logic                        pixel_valid,
  input  logic                        pixel_ready,
  output logic [DRAIN*8-1:0]          pixel_codes,
  output logic [15:0]                 pixel_channel,
  output logic [15:0]                 pixel_channels,    // of the image
  output logic [15:0]                 pixel_word,
  output logic                        pixel_half,
  output logic [7:0]                  pixel_group,
  output logic [7:0]                  pixel_count,
  output logic                        error,
  output logic [3:0]                  error_code,    // quasar_registers_pkg::ERROR_…
  output logic [31:0]                 error_record
);
  localparam integer BLOCK_WORDS = 512 / STREAM_BITS;
  localparam integer PLACE_BITS = BLOCK_WORDS > 1 ? $clog2(BLOCK_WORDS) : 1;

  // The gate, and the word behind it.
  logic next_load, word_valid, word_done, word_block, word_first, word_second, word_block_end, word_end, word_last;
  logic [STREAM_BITS-1:0] word, next_word;
  logic [PLACE_BITS-1:0] next_place;
  logic dropped, enters_command, command_room;
  quasar_record_gate #(.STREAM_BITS(STREAM_BITS)) gate (
    .clk(clk), .reset(reset), .stream_valid(stream_valid), .stream_ready(stream_ready), .stream_data(stream_data),
    .stream_last(stream_last), .dropped(dropped), .command_room(command_room), .command_done(command_done),
    .tile_free(tile_free), .enters(record_enters), .enters_command(enters_command), .enters_tile(tile_reserve),
    .next_load(next_load), .next_place(next_place), .next_word(next_word), .word_valid(word_valid),
    .word_done(word_done), .word(word), .word_block(word_block), .word_first(word_first), .word_second(word_second),
    .word_block_end(word_block_end), .word_end(word_end), .word_last(word_last));

  // Its record.
  logic [383:0] body;
  logic [7:0] kind;
  logic [31:0] argument, crc, number;
  logic [3:0] block_error;
  logic is_short, ends_command, commit_command;
  quasar_record_header #(
    .STREAM_BITS(STREAM_BITS), .ROWS(ROWS), .INPUTS(INPUTS), .BLOCK_PITCH(BLOCK_PITCH), .NORM(NORM),
    .MAX_STEPS(MAX_STEPS), .MAX_WIDTH(MAX_WIDTH), .MAX_TOKENS(MAX_TOKENS)
  ) header (
    .clk(clk), .config_hash(config_hash), .load(next_load), .place(next_place), .word(next_word), .number(number),
    .kind(kind), .argument(argument), .crc(crc), .body(body), .error(block_error));
  quasar_record_check #(.STREAM_BITS(STREAM_BITS)) check (
    .clk(clk), .reset(reset), .word_valid(word_valid), .word_done(word_done), .word(word), .word_block(word_block),
    .word_first(word_first), .word_second(word_second), .word_block_end(word_block_end), .word_end(word_end),
    .word_last(word_last), .kind(kind), .block_crc(crc), .block_records(body[127:96]),
    .block_error(block_error), .is_short(is_short), .number(number), .dropped(dropped), .ends_command(ends_command),
    .ends_tile(tile_end), .commit_command(commit_command), .commit_tile(tile_commit), .error(error),
    .error_code(error_code), .error_record(error_record));
  quasar_command_queue commands (
    .clk(clk), .reset(reset), .reserve(enters_command), .room(command_room), .write(ends_command),
    .write_command(body), .commit(commit_command), .out_valid(command_valid), .out_ready(command_ready),
    .out_command(command));
  assign tile_steps = argument[15:0];
  assign tile_rows = {1'b0, argument[30:16]};
  assign tile_block = argument[31];

  // Sections of the payload.
  logic payload, entries_section, weights_section, starts, is_tile, is_norm, is_table, is_embedding, is_pixels;
  logic [17:0] entry_bytes;  // and 63 more
  logic [15:0] entry_words;  // words of the rows of a tile that have not left
  logic [WEIGHT_INDEX_BITS-1:0] next_weight;
  localparam [WEIGHT_INDEX_BITS-1:0] ONE_WEIGHT = 1;
  assign is_tile = kind == quasar_program_pkg::TYPE_ROW_TILE;
  assign is_norm = kind == quasar_program_pkg::TYPE_NORM;
  assign is_table = kind == quasar_program_pkg::TYPE_TABLE;
  assign is_embedding = kind == quasar_program_pkg::TYPE_EMBEDDING;
  assign is_pixels = kind == quasar_program_pkg::TYPE_HEADER;
  assign payload = word_valid & ~word_block & ~dropped;
  assign starts = word_valid & word_block_end;
  assign entries_section = payload & ((is_tile & entry_words != 16'd0) | is_norm);
  assign weights_section = payload & is_tile & entry_words == 16'd0;
  assign entry_bytes = {3'd0, argument[30:16]} * 18'd12 + 18'd63;
  always_ff @(posedge clk) begin
    if (reset) begin
      entry_words <= 16'd0;
      next_weight <= {WEIGHT_INDEX_BITS{1'b0}};
    end else if (starts) begin
      entry_words <= {4'd0, entry_bytes[17:6]} * BLOCK_WORDS[15:0];
      next_weight <= {WEIGHT_INDEX_BITS{1'b0}};
    end else if (word_done) begin
      if (is_tile && entries_section) entry_words <= entry_words - 16'd1;
      if (weights_section) next_weight <= next_weight + ONE_WEIGHT;
    end
    weight_write <= !reset && weights_section;
    weight_index <= next_weight;
    weight_word <= word;
    norm_write <= !reset && starts && is_norm && !dropped && block_error == quasar_registers_pkg::ERROR_NONE;
    norm_epsilon <= body[39:0];
    norm_low <= body[47:40];
    norm_high <= body[55:48];
  end

  // Destinations.
  logic entries_done, embedding_done, table_done, pixel_done, embedding_full, pixel_full;
  logic table_write, table_is_exponent;
  quasar_entry_gearbox #(
    .STREAM_BITS(STREAM_BITS), .GROUP_BITS(ROW_GROUP_BITS), .INDEX_BITS(CHANNEL_BITS)
  ) entries (
    .clk(clk), .reset(reset), .start(starts), .single(is_norm),
    .count(is_norm ? argument[15:0] : {1'b0, argument[30:16]}),
    .in_valid(entries_section), .in_last(is_norm ? word_end : entry_words == 16'd1), .in_word(word),
    .in_done(entries_done), .group_write(row_write), .group(row_group), .group_entries(row_entries),
    .entry_write(channel_write), .entry_index(channel_index), .entry(channel));
  quasar_table_writer #(.STREAM_BITS(STREAM_BITS)) tables (
    .clk(clk), .reset(reset), .start(starts), .in_valid(payload & is_table), .in_word(word), .in_done(table_done),
    .table_write(table_write), .table_address(table_address), .table_value(table_value));
  quasar_embedding_writer #(.STREAM_BITS(STREAM_BITS), .NORM(NORM)) embeddings (
    .clk(clk), .reset(reset), .start(starts), .tokens(argument[15:0]), .channels(argument[31:16]),
    .in_valid(payload & is_embedding), .in_word(word), .in_done(embedding_done), .finished(embedding_full),
    .embedding_write(embedding_write), .embedding_token(embedding_token), .embedding_channel(embedding_channel),
    .embedding_values(embedding_values));
  quasar_pixel_writer #(
    .STREAM_BITS(STREAM_BITS), .TOKENS(TOKENS), .BLOCK_PITCH(BLOCK_PITCH), .DRAIN(DRAIN)
  ) pixels (
    .clk(clk), .reset(reset), .start(starts), .tokens(body[223:208]), .channels(body[207:192]),
    .in_valid(payload & is_pixels), .in_word(word), .in_done(pixel_done), .finished(pixel_full),
    .pixel_valid(pixel_valid), .pixel_ready(pixel_ready), .pixel_codes(pixel_codes), .pixel_channel(pixel_channel),
    .pixel_word(pixel_word), .pixel_half(pixel_half), .pixel_group(pixel_group), .pixel_count(pixel_count));
  // Both belong to what the writers have taken, while the next record may stand in the block.
  always_ff @(posedge clk) if (starts && is_pixels) pixel_channels <= body[207:192];
  always_ff @(posedge clk) if (starts && is_embedding) embedding_width <= argument[31:16];
  always_ff @(posedge clk) table_is_exponent <= argument[0];
  assign gelu_write = table_write & ~table_is_exponent;
  assign exponent_write = table_write & table_is_exponent;
  always_comb begin
    word_done = word_valid;
    if (payload) case (kind)
      quasar_program_pkg::TYPE_ROW_TILE: word_done = 1'b1;
      quasar_program_pkg::TYPE_NORM: word_done = entries_done;
      quasar_program_pkg::TYPE_TABLE: word_done = table_done;
      quasar_program_pkg::TYPE_EMBEDDING: word_done = embedding_done;
      quasar_program_pkg::TYPE_HEADER: word_done = pixel_done;
      default: word_done = 1'b1;
    endcase
  end

  // Counts are reached with the last word of the record at the latest; looked at one cycle later.
  logic ended_embedding, ended_pixels;
  always_ff @(posedge clk) begin
    ended_embedding <= is_embedding;
    ended_pixels <= is_pixels;
  end
  assign is_short = (ended_embedding & ~embedding_full) | (ended_pixels & ~pixel_full);
endmodule
