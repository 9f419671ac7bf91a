import CZlib
import QuasarInterchange
import QuasarTensor

/// The `.quasar` file: magic, version, a safetensors body, CRC-32 of everything before it.
///
/// Layout (little endian): 8 bytes "QUASAR\r\n"; u32 version 1; u32 length of the body; body; u32 CRC-32. The body
/// holds every integer of the model (see `PackedTensors`). Its metadata holds arithmetic spec, architecture,
/// preprocessing and class names as JSON. CRC-32 finds every burst of up to 32 flipped bits, so any single flipped
/// byte.
public enum PackedFile {
  static let magic = Array("QUASAR\r\n".utf8)
  static let version: UInt32 = 1

  /// Writes the model; the file appears completely or not at all.
  public static func write(_ model: IntegerModel, to path: String) throws {
    try AtomicFile.write(encode(model), to: path)
  }

  /// Reads a model and checks every byte; every error names the file.
  public static func read(_ path: String) throws -> IntegerModel {
    try decode(InputFile.read(path), file: path)
  }

  /// The bytes of a model's file; equal models give equal bytes.
  public static func encode(_ model: IntegerModel) throws -> [UInt8] {
    let body = try PackedTensors.encode(model).encode()
    var bytes = magic
    append(version, to: &bytes)
    append(UInt32(body.count), to: &bytes)
    bytes += body
    append(checksum(bytes), to: &bytes)
    return bytes
  }

  /// The model in the bytes of a file.
  public static func decode(_ bytes: [UInt8], file: String) throws -> IntegerModel {
    func refuse(_ reason: String) -> QuasarError { QuasarError(.badData, "\(file): \(reason)") }
    guard bytes.count >= magic.count + 12 else {
      throw refuse("\(bytes.count) bytes are too few for a packed model; the file is truncated")
    }
    guard Array(bytes.prefix(magic.count)) == magic else {
      throw refuse("does not begin with QUASAR: not a packed model, or damaged at its start")
    }
    let found = word(bytes, magic.count)
    guard found == version else {
      throw refuse("format version \(found), this build reads \(version)")
    }
    let length = Int(word(bytes, magic.count + 4))
    guard bytes.count == magic.count + 12 + length else {
      throw refuse(
        "\(bytes.count) bytes, its header says \(magic.count + 12 + length): truncated or damaged")
    }
    let stored = word(bytes, bytes.count - 4)
    let computed = checksum(Array(bytes.dropLast(4)))
    guard stored == computed else {
      throw refuse(
        "checksum \(String(computed, radix: 16)) differs from the stored \(String(stored, radix: 16)): "
          + "the file is damaged, copy or pack it again")
    }
    let body = Array(bytes[(magic.count + 8)..<(bytes.count - 4)])
    return try PackedTensors.decode(SafetensorsFile(decoding: body, file: file), file: file)
  }

  static func checksum(_ bytes: [UInt8]) -> UInt32 {
    UInt32(truncatingIfNeeded: crc32(0, bytes, UInt32(bytes.count)))
  }

  /// The CRC-32 at the end of a file's bytes, as eight hexadecimal digits.
  package static func storedChecksum(_ bytes: [UInt8]) -> String {
    let digits = String(word(bytes, bytes.count - 4), radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }

  private static func append(_ value: UInt32, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << (8 * UInt32($1)) }
  }
}
