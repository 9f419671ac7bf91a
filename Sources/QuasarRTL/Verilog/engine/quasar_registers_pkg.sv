// Offsets and fields of the engine's registers. Generated from RegisterMap in Swift; do not change it here.
package quasar_registers_pkg;
  localparam [31:0] IDENTIFICATION = 32'h53415551;
  localparam [15:0] VERSION_MAJOR = 16'd1;
  localparam [15:0] VERSION_MINOR = 16'd0;
  localparam integer COUNTERS = 10;  // of 32 bits

  // Errors.
  localparam [3:0] ERROR_NONE = 4'd0;  // No error
  localparam [3:0] ERROR_MAGIC = 4'd1;  // The program does not begin with its mark
  localparam [3:0] ERROR_VERSION = 4'd2;  // The program has another version of the format
  localparam [3:0] ERROR_HASH = 4'd3;  // The program is for another engine
  localparam [3:0] ERROR_RECORD = 4'd4;  // A record of unknown type, or beyond the limits of the engine
  localparam [3:0] ERROR_CRC = 4'd5;  // A record was changed
  localparam [3:0] ERROR_LENGTH = 4'd6;  // The program ends too early or too late
  localparam [3:0] ERROR_READ = 4'd7;  // The memory refuses a read
  localparam [3:0] ERROR_WRITE = 4'd8;  // The memory refuses a write
  localparam [3:0] ERROR_WATCHDOG = 4'd9;  // No command was complete for WATCHDOG cycles
  localparam [3:0] ERROR_BUSY = 4'd10;  // START or LOAD while the engine is busy; the run goes on
  localparam [3:0] ERROR_STORE = 4'd11;  // LOAD without a store or of a program that is too large, or START before LOAD

  // "QUAS" as bytes.
  localparam [11:0] ID = 12'h000;

  // Version of this map.
  localparam [11:0] VERSION = 12'h004;
  localparam integer VERSION_MINOR_LOW = 0;  // Changes that old drivers do not notice
  localparam integer VERSION_MINOR_BITS = 16;
  localparam integer VERSION_MAJOR_LOW = 16;  // Other changes
  localparam integer VERSION_MAJOR_BITS = 16;

  // CRC-32 of the engine's configuration; a program carries the same.
  localparam [11:0] CONFIG_HASH = 12'h008;

  // What the engine is.
  localparam [11:0] CAPS = 12'h00c;
  localparam integer CAPS_STREAM_LOG_LOW = 0;  // log2 of the bits of a stream word
  localparam integer CAPS_STREAM_LOG_BITS = 4;
  localparam integer CAPS_BLOCK_SHAPE_BIT = 4;  // Two weights of 4 bits times two inputs on a DSP
  localparam integer CAPS_STORE_BIT = 5;  // The program lies on chip: LOAD before START
  localparam integer CAPS_GENERATION_LOW = 6;  // 1 DSP48E1, 2 DSP48E2
  localparam integer CAPS_GENERATION_BITS = 2;
  localparam integer CAPS_ROWS_LOW = 8;  // DSPs along the output rows
  localparam integer CAPS_ROWS_BITS = 8;
  localparam integer CAPS_INPUTS_LOW = 16;  // DSPs along the inputs
  localparam integer CAPS_INPUTS_BITS = 8;
  localparam integer CAPS_TOKENS_LOW = 24;  // DSPs along the tokens
  localparam integer CAPS_TOKENS_BITS = 8;

  // Orders.
  localparam [11:0] CONTROL = 12'h010;
  localparam integer CONTROL_START_BIT = 0;  // Run IMAGES images
  localparam integer CONTROL_LOAD_BIT = 1;  // Read the program into the store on chip
  localparam integer CONTROL_IRQ_ENABLE_BIT = 2;  // Bits of IRQ raise the interrupt
  localparam integer CONTROL_SOFT_RESET_BIT = 3;  // Let open bursts end, then return to idle

  // What the engine does.
  localparam [11:0] STATUS = 12'h014;
  localparam integer STATUS_BUSY_BIT = 0;  // Runs, loads or stops
  localparam integer STATUS_LOADED_BIT = 1;  // The store holds a program
  localparam integer STATUS_STOPPING_BIT = 2;  // Waits for open bursts
  localparam integer STATUS_ERROR_LOW = 8;  // First error since the last start, or 0
  localparam integer STATUS_ERROR_BITS = 4;

  // Number of the record of a program's error.
  localparam [11:0] ERROR_INFO = 12'h018;

  // Address of the burst of a bus error, low word.
  localparam [11:0] ERROR_ADDRESS = 12'h01c;

  // Events.
  localparam [11:0] IRQ = 12'h020;
  localparam integer IRQ_DONE_BIT = 0;  // All images are done
  localparam integer IRQ_FAILED_BIT = 1;  // An error
  localparam integer IRQ_LOADED_BIT = 2;  // The store is loaded

  // High word.
  localparam [11:0] ERROR_ADDRESS_HIGH = 12'h024;

  // Address of the program, low word; a multiple of 64.
  localparam [11:0] PROGRAM = 12'h028;

  // High word.
  localparam [11:0] PROGRAM_HIGH = 12'h02c;

  // Bytes of the program; a multiple of 64.
  localparam [11:0] PROGRAM_BYTES = 12'h030;

  // Address of the first image, low word; a multiple of 64.
  localparam [11:0] INPUT = 12'h034;

  // High word.
  localparam [11:0] INPUT_HIGH = 12'h038;

  // Address of the first logits, low word; a multiple of 64.
  localparam [11:0] OUTPUT = 12'h03c;

  // High word.
  localparam [11:0] OUTPUT_HIGH = 12'h040;

  // Images of a run.
  localparam [11:0] IMAGES = 12'h044;

  // Bytes from image to image; a multiple of 64.
  localparam [11:0] INPUT_STRIDE = 12'h048;

  // Bytes from logits to logits; a multiple of 64.
  localparam [11:0] OUTPUT_STRIDE = 12'h04c;

  // Cycles without a complete command after which a run fails; 0: never.
  localparam [11:0] WATCHDOG = 12'h050;

  // Bytes of an image as the program's header has them, padded to 64.
  localparam [11:0] INPUT_BYTES = 12'h054;

  // Cycles since start, low word; reading it keeps all counters for the next reads.
  localparam [11:0] CYCLES = 12'h080;

  // High word.
  localparam [11:0] CYCLES_HIGH = 12'h084;

  // Steps of the array.
  localparam [11:0] ARRAY_STEPS = 12'h088;

  // Cycles in which a tile waits for its weights.
  localparam [11:0] WAIT_WEIGHTS = 12'h08c;

  // Cycles in which a tile waits for the drain.
  localparam [11:0] WAIT_DRAIN = 12'h090;

  // Cycles in which a tile waits for the softmax.
  localparam [11:0] WAIT_SOFTMAX = 12'h094;

  // Cycles of LayerNorm commands.
  localparam [11:0] NORM_CYCLES = 12'h098;

  // Words read.
  localparam [11:0] BEATS_READ = 12'h09c;

  // Words written.
  localparam [11:0] BEATS_WRITTEN = 12'h0a0;

  // Cycles in which the dispatcher could take a word and none was there.
  localparam [11:0] READ_IDLE = 12'h0a4;

  // Images whose logits are written.
  localparam [11:0] IMAGES_DONE = 12'h0a8;

  // Commands that are complete.
  localparam [11:0] COMMANDS = 12'h0ac;
endpackage
