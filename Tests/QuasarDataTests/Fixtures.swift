import Foundation
import QuasarTensor
import Testing

/// Bytes of small files, made without the code under test.
enum Fixture {
  static func bigEndian(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }
  static func littleEndian(_ value: UInt32) -> [UInt8] { bigEndian(value).reversed() }

  static func idxImages(count: Int, height: Int, width: Int, magic: UInt32 = 0x803) -> [UInt8] {
    let header = [magic, UInt32(count), UInt32(height), UInt32(width)].flatMap(bigEndian)
    return header + (0..<count * height * width).map { UInt8(truncatingIfNeeded: $0 * 7 + 3) }
  }

  static func idxLabels(_ labels: [UInt8], magic: UInt32 = 0x801) -> [UInt8] {
    bigEndian(magic) + bigEndian(UInt32(labels.count)) + labels
  }

  /// A gzip member with one stored (unpacked) block, CRC by the bitwise definition.
  static func gzip(_ bytes: [UInt8]) -> [UInt8] {
    let size = UInt16(bytes.count)
    let block = [0x01, UInt8(size & 255), UInt8(size >> 8), UInt8(~size & 255), UInt8(~size >> 8)] + bytes
    return gzip(deflated: block, of: bytes)
  }

  static func gzip(deflated body: [UInt8], of bytes: [UInt8]) -> [UInt8] {
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255] + body + littleEndian(crc32(bytes))
      + littleEndian(UInt32(bytes.count))
  }

  static func crc32(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(UInt32.max) { crc, byte in
      (0..<8).reduce(crc ^ UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1
      }
    }
  }

  static func cifarRecords(_ labels: [UInt8]) -> [UInt8] {
    labels.enumerated().flatMap { index, label in
      [label] + (0..<3072).map { UInt8(truncatingIfNeeded: $0 + index) }
    }
  }
}

/// A separate folder for one test, removed at the end.
struct TemporaryFolder: ~Copyable {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("quasar-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  func write(_ bytes: [UInt8], _ name: String) throws {
    let target = URL(fileURLWithPath: path).appendingPathComponent(name)
    try FileManager.default.createDirectory(
      at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: target)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Expects `body` to throw an error whose message contains every one of `parts`.
func expectError(
  _ kind: QuasarError.Kind, holding parts: String..., at location: SourceLocation = #_sourceLocation,
  body: () throws -> Void
) {
  do {
    try body()
    Issue.record("no error was thrown", sourceLocation: location)
  } catch let error as QuasarError {
    #expect(error.kind == kind, "\(error.message)", sourceLocation: location)
    for part in parts {
      #expect(error.message.contains(part), "“\(part)” is not in: \(error.message)", sourceLocation: location)
    }
    #expect(!error.message.contains("\n"), sourceLocation: location)
  } catch {
    Issue.record("another kind of error: \(error)", sourceLocation: location)
  }
}

/// A small random generator (xorshift), so that the fuzz tests are repeatable.
struct SmallRandom: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
