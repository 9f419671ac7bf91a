/// Registers of the engine (AXI4-Lite, 32 bits, 4 KiB): one table, of which package, header and documents are texts.
///
/// For example, offset 0x10 is CONTROL, and bit 0 of it is START: `RegisterMap.registers[4].fields[0]`.
public enum RegisterMap {
  public enum Access: String, Sendable {
    case readOnly, readWrite
    /// Writing 1 acts; reads as 0.
    case action
    /// Set by the engine, cleared by writing 1.
    case writeOneToClear
  }

  /// Bits `low` … `low + bits − 1` of a register.
  public struct Field: Sendable {
    public let name: String
    public let low: Int
    public let bits: Int
    public let access: Access
    public let text: String

    init(_ name: String, _ low: Int, _ bits: Int = 1, _ access: Access, _ text: String) {
      self.name = name
      self.low = low
      self.bits = bits
      self.access = access
      self.text = text
    }
  }

  public struct Register: Sendable {
    public let name: String
    public let offset: Int
    /// Value after reset; 0 where the engine's parameters decide.
    public let reset: UInt32
    public let text: String
    public let fields: [Field]

    /// A register of several fields.
    init(_ offset: Int, _ name: String, _ text: String, _ fields: [Field]) {
      self.offset = offset
      self.name = name
      self.text = text
      self.fields = fields
      reset = 0
    }

    /// A register that is one number from bit `low` up; the bits below are 0.
    init(_ offset: Int, _ name: String, _ access: Access, low: Int = 0, reset: UInt32 = 0, _ text: String) {
      self.offset = offset
      self.name = name
      self.text = text
      self.reset = reset
      fields = [Field("VALUE", low, 32 - low, access, text)]
    }
  }

  /// Registers by offset.
  public static let registers: [Register] = [
    Register(0x00, "ID", .readOnly, reset: identification, "\"QUAS\" as bytes"),
    Register(
      0x04, "VERSION", "Version of this map",
      [
        Field("MINOR", 0, 16, .readOnly, "Changes that old drivers do not notice"),
        Field("MAJOR", 16, 16, .readOnly, "Other changes"),
      ]),
    Register(0x08, "CONFIG_HASH", .readOnly, "CRC-32 of the engine's configuration; a program carries the same"),
    Register(
      0x0C, "CAPS", "What the engine is",
      [
        Field("STREAM_LOG", 0, 4, .readOnly, "log2 of the bits of a stream word"),
        Field("BLOCK_SHAPE", 4, 1, .readOnly, "Two weights of 4 bits times two inputs on a DSP"),
        Field("STORE", 5, 1, .readOnly, "The program lies on chip: LOAD before START"),
        Field("GENERATION", 6, 2, .readOnly, "1 DSP48E1, 2 DSP48E2"),
        Field("ROWS", 8, 8, .readOnly, "DSPs along the output rows"),
        Field("INPUTS", 16, 8, .readOnly, "DSPs along the inputs"),
        Field("TOKENS", 24, 8, .readOnly, "DSPs along the tokens"),
      ]),
    Register(
      0x10, "CONTROL", "Orders",
      [
        Field("START", 0, 1, .action, "Run IMAGES images"),
        Field("LOAD", 1, 1, .action, "Read the program into the store on chip"),
        Field("IRQ_ENABLE", 2, 1, .readWrite, "Bits of IRQ raise the interrupt"),
        Field("SOFT_RESET", 3, 1, .action, "Let open bursts end, then return to idle"),
      ]),
    Register(
      0x14, "STATUS", "What the engine does",
      [
        Field("BUSY", 0, 1, .readOnly, "Runs, loads or stops"),
        Field("LOADED", 1, 1, .readOnly, "The store holds a program"),
        Field("STOPPING", 2, 1, .readOnly, "Waits for open bursts"),
        Field("ERROR", 8, 4, .readOnly, "First error since the last start, or 0"),
      ]),
    Register(0x18, "ERROR_INFO", .readOnly, "Number of the record of a program's error"),
    Register(0x1C, "ERROR_ADDRESS", .readOnly, "Address of the burst of a bus error, low word"),
    Register(
      0x20, "IRQ", "Events",
      [
        Field("DONE", 0, 1, .writeOneToClear, "All images are done"),
        Field("FAILED", 1, 1, .writeOneToClear, "An error"),
        Field("LOADED", 2, 1, .writeOneToClear, "The store is loaded"),
      ]),
    Register(0x24, "ERROR_ADDRESS_HIGH", .readOnly, "High word"),
    Register(0x28, "PROGRAM", .readWrite, low: 6, "Address of the program, low word; a multiple of 64"),
    Register(0x2C, "PROGRAM_HIGH", .readWrite, "High word"),
    Register(0x30, "PROGRAM_BYTES", .readWrite, low: 6, "Bytes of the program; a multiple of 64"),
    Register(0x34, "INPUT", .readWrite, low: 6, "Address of the first image, low word; a multiple of 64"),
    Register(0x38, "INPUT_HIGH", .readWrite, "High word"),
    Register(0x3C, "OUTPUT", .readWrite, low: 6, "Address of the first logits, low word; a multiple of 64"),
    Register(0x40, "OUTPUT_HIGH", .readWrite, "High word"),
    Register(0x44, "IMAGES", .readWrite, reset: 1, "Images of a run"),
    Register(0x48, "INPUT_STRIDE", .readWrite, low: 6, "Bytes from image to image; a multiple of 64"),
    Register(0x4C, "OUTPUT_STRIDE", .readWrite, low: 6, "Bytes from logits to logits; a multiple of 64"),
    Register(0x50, "WATCHDOG", .readWrite, "Cycles without a complete command after which a run fails; 0: never"),
    Register(
      0x54, "INPUT_BYTES", .readWrite, low: 6, "Bytes of an image as the program's header has them, padded to 64"),
    Register(
      0x80, "CYCLES", .readOnly, "Cycles since start, low word; reading it keeps all counters for the next reads"),
    Register(0x84, "CYCLES_HIGH", .readOnly, "High word"),
    Register(0x88, "ARRAY_STEPS", .readOnly, "Steps of the array"),
    Register(0x8C, "WAIT_WEIGHTS", .readOnly, "Cycles in which a tile waits for its weights"),
    Register(0x90, "WAIT_DRAIN", .readOnly, "Cycles in which a tile waits for the drain"),
    Register(0x94, "WAIT_SOFTMAX", .readOnly, "Cycles in which a tile waits for the softmax"),
    Register(0x98, "NORM_CYCLES", .readOnly, "Cycles of LayerNorm commands"),
    Register(0x9C, "BEATS_READ", .readOnly, "Words read"),
    Register(0xA0, "BEATS_WRITTEN", .readOnly, "Words written"),
    Register(0xA4, "READ_IDLE", .readOnly, "Cycles in which the dispatcher could take a word and none was there"),
    Register(0xA8, "IMAGES_DONE", .readOnly, "Images whose logits are written"),
    Register(0xAC, "COMMANDS", .readOnly, "Commands that are complete"),
  ]

  /// Errors by number, from 0.
  public static let errors: [(name: String, text: String)] = [
    ("NONE", "No error"),
    ("MAGIC", "The program does not begin with its mark"),
    ("VERSION", "The program has another version of the format"),
    ("HASH", "The program is for another engine"),
    ("RECORD", "A record of unknown type, or beyond the limits of the engine"),
    ("CRC", "A record was changed"),
    ("LENGTH", "The program ends too early or too late"),
    ("READ", "The memory refuses a read"),
    ("WRITE", "The memory refuses a write"),
    ("WATCHDOG", "No command was complete for WATCHDOG cycles"),
    ("BUSY", "START or LOAD while the engine is busy; the run goes on"),
    ("STORE", "LOAD without a store or of a program that is too large, or START before LOAD"),
  ]

  /// The letters QUAS in memory order.
  public static let identification: UInt32 = 0x5341_5551
  /// Version of the map.
  public static let version = (major: 1, minor: 0)
  /// Counters of 32 bits, in the order of their registers, from ARRAY_STEPS on.
  public static var counters: [String] { registers.filter { $0.offset >= 0x88 }.map(\.name) }
}
