// Numbers the records, checks each when it ends, and gives it out or stops.
//
// A record ends in the cycle in which its last word leaves its destination (word_valid, word_done and word_end). `ends` says
// so in the same cycle; good: what stands behind can be kept, and `commit` follows two cycles later when the CRC is right.
// The first error sets `error` with code and record and drops everything that follows; records before it are given out.
// kind and block (the record's header) hold from the last word of the block to the end of the record.
module quasar_record_check #(
  parameter integer STREAM_BITS = 128
) (
  input  logic                   clk,
  input  logic                   reset,
  input  logic                   word_valid,
  input  logic                   word_done,
  input  logic [STREAM_BITS-1:0] word,
  input  logic                   word_block,
  input  logic                   word_first,
  input  logic                   word_second,    // of the record
  input  logic                   word_block_end,
  input  logic                   word_end,
  input  logic                   word_last,
  input  logic [7:0]             kind,
  input  logic [31:0]            block_crc,
  input  logic [31:0]            block_records,
  input  logic [3:0]             block_error,
  input  logic                   is_short,       // one cycle after the end: counts of the payload are not reached
  output logic [31:0]            number,         // of the record
  output logic                   dropped,
  output logic                   ends_command,   // a command that may still fail its CRC
  output logic                   ends_tile,
  output logic                   commit_command,
  output logic                   commit_tile,
  output logic                   error,
  output logic [3:0]             error_code,
  output logic [31:0]            error_record
);
  // The word with its CRC as 0: bytes 12…15 of the record.
  logic [STREAM_BITS-1:0] masked;
  logic [31:0] crc;
  logic leaves;
  assign leaves = word_valid & word_done & ~dropped;
  generate
    if (STREAM_BITS == 64) begin : gen_second
      assign masked = {word_second ? 32'd0 : word[63:32], word[31:0]};
    end else if (STREAM_BITS == 128) begin : gen_first
      assign masked = {word_first ? 32'd0 : word[127:96], word[95:0]};
    end else begin : gen_inside
      assign masked = {word[STREAM_BITS-1:128], word_first ? 32'd0 : word[127:96], word[95:0]};
    end
  endgenerate
  quasar_crc32 #(.BITS(STREAM_BITS)) sequence_crc (
    .clk(clk), .in_valid(leaves & (word_block | kind != quasar_program_pkg::TYPE_HEADER)), .in_first(word_first),
    .in_word(masked), .crc(crc));

  // What a word brings to an end. The payload of a record with a wrong block is not read.
  logic [31:0] records, next_number;
  logic is_final, block_bad, stops;
  logic [3:0] code;
  assign next_number = number + 32'd1;
  assign is_final = number != 32'd0 && next_number == records;
  assign block_bad = word_block_end & block_error != quasar_registers_pkg::ERROR_NONE;
  assign stops = leaves & (block_bad | word_end | word_last);
  assign code = block_bad ? block_error
    : word_last != (word_end & is_final) ? quasar_registers_pkg::ERROR_LENGTH : quasar_registers_pkg::ERROR_NONE;
  assign ends_command = leaves & word_end & ~block_bad & kind == quasar_program_pkg::TYPE_COMMAND;
  assign ends_tile = leaves & word_end & ~block_bad & kind == quasar_program_pkg::TYPE_ROW_TILE;

  // Two cycles for the CRC.
  logic stopped1, command1, tile1, stopped2, command2, tile2;
  logic [3:0] code1, code2, verdict;
  logic [31:0] crc1, crc2, number1, number2;
  assign verdict = code2 != quasar_registers_pkg::ERROR_NONE ? code2
    : crc2 != 32'd0 && crc2 != crc ? quasar_registers_pkg::ERROR_CRC : quasar_registers_pkg::ERROR_NONE;
  assign commit_command = command2 & ~error & verdict == quasar_registers_pkg::ERROR_NONE;
  assign commit_tile = tile2 & ~error & verdict == quasar_registers_pkg::ERROR_NONE;
  always_ff @(posedge clk) begin
    if (reset) begin
      number <= 32'd0;
      dropped <= 1'b0;
      error <= 1'b0;
      stopped1 <= 1'b0;
      stopped2 <= 1'b0;
      command1 <= 1'b0;
      command2 <= 1'b0;
      tile1 <= 1'b0;
      tile2 <= 1'b0;
    end else begin
      if (leaves && word_end) number <= is_final ? 32'd0 : next_number;
      stopped1 <= stops;
      stopped2 <= stopped1;
      command1 <= ends_command;
      command2 <= command1;
      tile1 <= ends_tile;
      tile2 <= tile1;
      if (stopped2 && verdict != quasar_registers_pkg::ERROR_NONE && !error) error <= 1'b1;
      if ((stops && code != quasar_registers_pkg::ERROR_NONE)
          || (stopped2 && verdict != quasar_registers_pkg::ERROR_NONE)) dropped <= 1'b1;
    end
    if (word_valid && word_block_end && number == 32'd0) records <= block_records;
    code1 <= code;
    number1 <= number;
    crc1 <= block_crc;
    code2 <= code1 == quasar_registers_pkg::ERROR_NONE && is_short ? quasar_registers_pkg::ERROR_RECORD : code1;
    number2 <= number1;
    crc2 <= crc1;
    if (!error) begin
      error_code <= verdict;
      error_record <= number2;
    end
  end
endmodule
