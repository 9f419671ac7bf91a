/// One event of TensorBoard as protocol buffer bytes: a time, a step and named numbers.
///
/// message Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5; }
/// message Summary { repeated Value value = 1; }  message Value { string tag = 1; float simple_value = 2; }
/// Source: tensorflow/core/util/event.proto, tensorflow/core/framework/summary.proto.
struct EventMessage {
  /// Seconds since 1970.
  var wallTime: Double
  var step = 0
  /// "brain.Event:2" in the first event of a file, nil in all others.
  var fileVersion: String?
  var scalars: [(tag: String, value: Float)] = []

  /// The first event of a file.
  static func fileStart(wallTime: Double) -> EventMessage {
    EventMessage(wallTime: wallTime, fileVersion: "brain.Event:2")
  }

  /// The fields in the order of their numbers; a step of 0 is the default and is left out.
  var bytes: [UInt8] {
    var bytes: [UInt8] = [1 << 3 | 1] + EventMessage.littleEndian(wallTime.bitPattern)
    if step != 0 { bytes += [2 << 3] + EventMessage.varint(UInt64(bitPattern: Int64(step))) }
    if let fileVersion { bytes += EventMessage.field(3, Array(fileVersion.utf8)) }
    if !scalars.isEmpty {
      bytes += EventMessage.field(
        5,
        scalars.flatMap { scalar in
          EventMessage.field(
            1,
            EventMessage.field(1, Array(scalar.tag.utf8)) + [2 << 3 | 5]
              + EventMessage.littleEndian(scalar.value.bitPattern))
        })
    }
    return bytes
  }

  /// Time and step of an event written by `bytes`; nil for anything else.
  static func timeAndStep(_ bytes: [UInt8]) -> (wallTime: Double, step: Int)? {
    guard bytes.count >= 9, bytes[0] == 1 << 3 | 1 else { return nil }
    let time = bytes[1..<9].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    var step: UInt64 = 0
    if bytes.count > 10, bytes[9] == 2 << 3 {
      for (place, byte) in bytes[10...].prefix(10).enumerated() {
        step |= UInt64(byte & 0x7f) << UInt64(7 * place)
        if byte < 0x80 { break }
      }
    }
    return Int(exactly: Int64(bitPattern: step)).map { (Double(bitPattern: time), $0) }
  }

  /// A length-delimited field.
  private static func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
    [number << 3 | 2] + varint(UInt64(content.count)) + content
  }

  /// Seven bits per byte, the lowest first; the top bit is set in every byte but the last.
  private static func varint(_ value: UInt64) -> [UInt8] {
    var rest = value
    var bytes: [UInt8] = []
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
