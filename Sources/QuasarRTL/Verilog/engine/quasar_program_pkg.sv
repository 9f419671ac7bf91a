// The program stream: what a record looks like.
//
// A record is a block of 64 bytes, then a payload, padded with zeros to a multiple of 64 bytes. Everything is little
// endian; bit 0 of a stream word is bit 0 of its first byte. The block, as 32-bit words:
//   0: type 8 | flags 8 (0) | pending 16     1: bytes of the payload without padding     2: argument     3: CRC or 0
//   4…15: body
// pending: the record enters when at most so many of the commands before it in the stream are not complete; 65535 never
// waits. The stream repeats for each image, so this reaches over the end of an image; commands of images that were never
// started count as complete.
// CRC: CRC-32 (reflected 04C11DB7, as zlib has it) of block and padded payload with word 3 as 0; for HEADER of the block
// alone. 0: no check.
//
// type       argument                          body, payload
// HEADER     0                                 4 magic, 5 version, 6 configuration, 7 records, 8 bytes of the program,
//                                              9 CRC of the model, 10 pixel channels 16 | pixel tokens 16, 11 classes;
//                                              payload: the image, which does not lie in the program: token group after
//                                              token group, its channels, DRAIN codes of tokens padded to a power of two
//                                              bytes. bytes of the program: without the image.
// COMMAND    number                            12 words of the command; no payload
// ROW_TILE   steps 16 | rows 15 | block 1      rows × 12 bytes padded to 64, then the weights of each step: 2·ROWS·INPUTS
//                                              bytes (block shape: codes of 4 bits, low nibble first, half as many)
// NORM       channels 16                       4 E bits 31…0, 5 E bits 39…32 | low 8 | high 8;
//                                              channels × 12 bytes: shift 6 | multiplier 17 | offset 63
// TABLE      0 GELU, 1 exponent                256 entries of 16 bits
// EMBEDDING  tokens 16 | channels 16           tokens × channels codes of 16 bits
//
// The first record of an image, and no other, is HEADER. `records` counts it, too.
package quasar_program_pkg;
  localparam integer BLOCK_BYTES = 64;
  localparam [7:0] TYPE_HEADER = 8'd0;
  localparam [7:0] TYPE_COMMAND = 8'd1;
  localparam [7:0] TYPE_ROW_TILE = 8'd2;
  localparam [7:0] TYPE_NORM = 8'd3;
  localparam [7:0] TYPE_TABLE = 8'd4;
  localparam [7:0] TYPE_EMBEDDING = 8'd5;
  localparam [31:0] MAGIC = 32'h53415551;  // "QUAS"
  localparam [31:0] FORMAT_VERSION = 32'd1;
  localparam integer COMMAND_BITS = 384;
  localparam integer COMMAND_PLACES = 4;
  localparam integer ROW_ENTRY_BITS = 72;
  localparam integer STREAM_ENTRY_BITS = 96;
  localparam integer TABLE_ENTRIES = 256;
  localparam integer TABLE_GELU = 0;
  localparam integer TABLE_EXPONENT = 1;
  localparam integer NEVER_PENDING = 65535;

  // Cycles from x + b, x the cycle in which the first word of a record passes the dispatcher's gate and b its cycles, to:
  // the last write of a parameter, table entry, embedding or weight; command_valid, or the full flag of a tile slot.
  localparam integer WRITE_CYCLES = 1;
  localparam integer READY_CYCLES = 3;
  // From stream_valid of a word to its pass; from command_done or release to the pass that waits for it.
  localparam integer ENTRY_CYCLES = 1;
  localparam integer WAKE_CYCLES = 1;
endpackage
