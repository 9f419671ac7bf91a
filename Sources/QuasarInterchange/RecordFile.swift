/// TensorFlow's record files: each record with its length, both protected by a masked CRC-32C.
///
/// Layout of a record: length (64 bits), masked CRC of these eight bytes (32 bits), data, masked CRC of the data (32
/// bits), all little-endian. Source: tensorflow/core/lib/io/record_writer.h.
public enum RecordFile {
  /// The bytes of one record.
  public static func encode(_ data: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(data.count))
    return length + littleEndian(masked(crc32c(length))) + data + littleEndian(masked(crc32c(data)))
  }

  /// The records up to the first one that is torn or damaged.
  public static func decode(_ bytes: [UInt8]) -> [[UInt8]] {
    var records: [[UInt8]] = []
    var offset = 0
    func word(_ place: Int, _ count: Int) -> UInt64 {
      (0..<count).reversed().reduce(0) { $0 << 8 | UInt64(bytes[place + $1]) }
    }
    while bytes.count - offset >= 16 {
      let length = word(offset, 8)
      guard UInt32(word(offset + 8, 4)) == masked(crc32c(Array(bytes[offset..<offset + 8]))),
        length <= UInt64(bytes.count - offset - 16)
      else { break }
      let end = offset + 12 + Int(length)
      let data = Array(bytes[offset + 12..<end])
      guard UInt32(word(end, 4)) == masked(crc32c(data)) else { break }
      records.append(data)
      offset = end + 4
    }
    return records
  }

  /// ((c >> 15) | (c << 17)) + 0xa282ead8 (mod 2³²), so that a CRC over bytes that contain CRCs stays a good one.
  static func masked(_ crc: UInt32) -> UInt32 { (crc >> 15 | crc << 17) &+ 0xa282_ead8 }

  /// The CRC-32C of bytes: polynomial 0x1EDC6F41 over reflected bits, all ones before and inverted after (RFC 3720,
  /// 12.1).
  ///
  /// Example: 32 bytes of 0 → 0x8a9136aa.
  static func crc32c(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(UInt32.max) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ $0 >> 8 }
  }

  /// Remainders of the 256 bytes; 0x82F63B78 is the polynomial with its bits in reverse.
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0x82f6_3b78 : 0) }
  }

  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
