// The block of a record: keeps it, word after word, and says whether an engine of these limits can take the record.
//
// load with a word of the block (cycle 0): `block`, `kind` and what follows from them hold from cycle 1 of its last word
// on. error is then quasar_registers_pkg::ERROR_NONE or says what is wrong; number: the record's number in the program.
module quasar_record_header #(
  parameter integer STREAM_BITS = 128,
  parameter integer ROWS = 2,
  parameter integer INPUTS = 8,
  parameter integer BLOCK_PITCH = 0,
  parameter integer NORM = 4,
  parameter integer MAX_STEPS = 24,
  parameter integer MAX_WIDTH = 192,
  parameter integer MAX_TOKENS = 64,
  parameter integer PLACE_BITS = STREAM_BITS < 512 ? $clog2(512 / STREAM_BITS) : 1
) (
  input  logic                   clk,
  input  logic [31:0]            config_hash,
  input  logic                   load,
  input  logic [PLACE_BITS-1:0]  place,  // of the word in the block
  input  logic [STREAM_BITS-1:0] word,
  input  logic [31:0]            number,
  output logic [7:0]             kind,
  output logic [31:0]            argument,
  output logic [31:0]            crc,
  output logic [383:0]           body,   // words 4…15
  output logic [3:0]             error
);
  localparam integer WORDS = 512 / STREAM_BITS;
  localparam integer STEP_BYTES = 2 * ROWS * INPUTS;
  localparam integer STEP_SHIFT = $clog2(STEP_BYTES);
  localparam [31:0] TILE_ROWS = 2 * ROWS;
  localparam [31:0] STEPS = MAX_STEPS;
  localparam [31:0] WIDTH = MAX_WIDTH;
  localparam [31:0] TOKEN_COUNT = MAX_TOKENS;
  localparam [31:0] PIXEL_CHANNELS = MAX_STEPS * INPUTS;
  localparam [31:0] LANE_MASK = NORM - 1;
  localparam [31:0] TABLE_BYTES = 2 * quasar_program_pkg::TABLE_ENTRIES;

  logic [511:0] block;
  generate
    for (genvar i = 0; i < WORDS; i = i + 1) begin : gen_word
      localparam [PLACE_BITS-1:0] PLACE = i;
      always_ff @(posedge clk) if (load && place == PLACE) block[i*STREAM_BITS +: STREAM_BITS] <= word;
    end
  endgenerate
  assign kind = block[7:0];
  assign argument = block[95:64];
  assign crc = block[127:96];
  assign body = block[511:128];

  // Blocks of 64 bytes that the argument promises, and those of the payload.
  logic [31:0] bytes, low, high, entry_blocks, weight_bytes, weight_blocks, payload_blocks;
  logic low_is_width, row_tile, norm, embedding, pixels;
  assign bytes = block[63:32];
  assign low = {16'd0, argument[15:0]};
  assign high = {17'd0, argument[30:16]};
  assign payload_blocks = {6'd0, bytes[31:6]} + {31'd0, |bytes[5:0]};
  assign entry_blocks = ((kind == quasar_program_pkg::TYPE_NORM ? low : high) * 32'd3 + 32'd15) >> 4;
  assign weight_bytes = argument[31] ? (low << STEP_SHIFT) >> 1 : low << STEP_SHIFT;
  assign weight_blocks = (weight_bytes + 32'd63) >> 6;
  assign low_is_width = low != 0 && low <= WIDTH && (low & LANE_MASK) == 0;
  assign row_tile = high != 0 && high <= TILE_ROWS && low != 0 && low <= STEPS && (BLOCK_PITCH != 0 || !argument[31])
    && payload_blocks == entry_blocks + weight_blocks;
  assign norm = argument[31:16] == 0 && low_is_width && payload_blocks == entry_blocks;
  assign embedding = low != 0 && low <= TOKEN_COUNT && argument[31:16] != 0 && {16'd0, argument[31:16]} <= WIDTH
    && ({16'd0, argument[31:16]} & LANE_MASK) == 0 && bytes != 0;
  assign pixels = block[335:320] != 0 && {16'd0, block[335:320]} <= PIXEL_CHANNELS && block[351:336] != 0
    && {16'd0, block[351:336]} <= TOKEN_COUNT && block[255:224] > 32'd1 && bytes != 0;

  logic taken;
  always_comb begin
    case (kind)
      quasar_program_pkg::TYPE_HEADER: taken = pixels && number == 0;
      quasar_program_pkg::TYPE_COMMAND: taken = bytes == 0;
      quasar_program_pkg::TYPE_ROW_TILE: taken = row_tile;
      quasar_program_pkg::TYPE_NORM: taken = norm;
      quasar_program_pkg::TYPE_TABLE: taken = argument <= 32'd1 && bytes == TABLE_BYTES;
      quasar_program_pkg::TYPE_EMBEDDING: taken = embedding;
      default: taken = 1'b0;
    endcase
    if (number == 0 && block[159:128] != quasar_program_pkg::MAGIC) error = quasar_registers_pkg::ERROR_MAGIC;
    else if (number == 0 && block[191:160] != quasar_program_pkg::FORMAT_VERSION) error = quasar_registers_pkg::ERROR_VERSION;
    else if (number == 0 && block[223:192] != config_hash) error = quasar_registers_pkg::ERROR_HASH;
    else if (!taken || block[15:8] != 0 || (number == 0 && kind != quasar_program_pkg::TYPE_HEADER))
      error = quasar_registers_pkg::ERROR_RECORD;
    else error = quasar_registers_pkg::ERROR_NONE;
  end
endmodule
