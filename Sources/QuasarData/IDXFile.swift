import QuasarTensor

/// The IDX layout of MNIST and Fashion-MNIST: a big-endian header, then one byte per value.
///
/// Images: magic 0x00000803, count, rows, columns, count·rows·columns bytes. Labels: magic 0x00000801, count, count
/// bytes. Files may be gzip-packed, which their first bytes show. Layout: LeCun, "The MNIST database".
public enum IDXFile {
  /// Pixels [count, height, width] of one image file.
  public struct Images: Sendable, Equatable {
    /// Number of images, at least 1.
    public var count: Int
    /// Rows of one image.
    public var height: Int
    /// Columns of one image.
    public var width: Int
    /// One byte per pixel, row-major.
    public var pixels: [UInt8]
  }

  static let imageMagic: UInt32 = 0x803
  static let labelMagic: UInt32 = 0x801

  /// The images in the bytes of one file; `file` is its name in errors.
  ///
  /// Throws `badData` for a wrong magic, zero images, and a byte too few or too many.
  public static func images(_ bytes: [UInt8], file: String) throws(QuasarError) -> Images {
    let bytes = try Gzip.unpackIfPacked(bytes, file: file)
    let header = try header(bytes, magic: imageMagic, fields: 3, kind: "image", file: file)
    let (count, height, width) = (header[0], header[1], header[2])
    guard count > 0, height > 0, width > 0 else {
      throw QuasarError(
        .badData,
        "\(file): the header at byte 4 says \(count) images of \(height)×\(width), but none of these may be "
          + "0; "
          + "fetch the file again")
    }
    try checkPayload(
      bytes, header: 16, record: checkedProduct([height, width]), count: count, of: "image", file: file)
    return Images(count: count, height: height, width: width, pixels: Array(bytes[16...]))
  }

  /// The labels in the bytes of one file; throws the errors of `images`.
  public static func labels(_ bytes: [UInt8], file: String) throws(QuasarError) -> [UInt8] {
    let bytes = try Gzip.unpackIfPacked(bytes, file: file)
    let count = try header(bytes, magic: labelMagic, fields: 1, kind: "label", file: file)[0]
    guard count > 0 else {
      throw QuasarError(
        .badData,
        "\(file): the header at byte 4 says 0 labels, but at least 1 is needed; fetch the file again")
    }
    try checkPayload(bytes, header: 8, record: 1, count: count, of: "label", file: file)
    return Array(bytes[8...])
  }

  /// Images and labels of one split as a set, with every check that needs both files.
  public static func imageSet(
    name: String, split: String, images: (bytes: [UInt8], file: String),
    labels: (bytes: [UInt8], file: String),
    classNames: [String]
  ) throws(QuasarError) -> ImageSet {
    try imageSet(name: name, split: split, parts: [images], labels: labels, classNames: classNames)
  }

  /// The same for images that are spread over several files, in order.
  static func imageSet(
    name: String, split: String, parts: [(bytes: [UInt8], file: String)],
    labels: (bytes: [UInt8], file: String),
    classNames: [String]
  ) throws(QuasarError) -> ImageSet {
    var whole: Images?
    for part in parts {
      let next = try Self.images(part.bytes, file: part.file)
      guard let first = whole else {
        whole = next
        continue
      }
      guard (first.height, first.width) == (next.height, next.width) else {
        throw QuasarError(
          .badData,
          "\(part.file): images of \(next.height)×\(next.width), but \(parts[0].file) has "
            + "\(first.height)×\(first.width); the parts do not belong together")
      }
      whole?.count += next.count
      whole?.pixels += next.pixels
    }
    guard let whole else {
      throw QuasarError(.internal, "\(name), \(split): no image file was given; report this as a defect")
    }
    let classes = try Self.labels(labels.bytes, file: labels.file)
    guard whole.count == classes.count else {
      throw QuasarError(
        .badData,
        "\(parts[0].file): \(whole.count) images, but \(labels.file) has \(classes.count) labels; "
          + "take both files from the same split")
    }
    if let index = classes.firstIndex(where: { Int($0) >= classNames.count }) {
      throw QuasarError(
        .badData,
        "\(labels.file): label \(classes[index]) in record \(index) (byte \(8 + index) unpacked), but "
          + "\(name) has "
          + "classes 0 to \(classNames.count - 1); check that the file belongs to this data set")
    }
    return try ImageSet(
      name: name, split: split, channels: 1, height: whole.height, width: whole.width, images: whole.pixels,
      labels: classes, classNames: classNames)
  }

  /// The header's fields after the magic, each an unsigned 32-bit number.
  private static func header(
    _ bytes: [UInt8], magic: UInt32, fields: Int, kind: String, file: String
  ) throws(QuasarError) -> [Int] {
    guard bytes.count >= 4 else {
      throw QuasarError(
        .badData,
        "\(file): truncated, \(bytes.count) bytes but the magic number alone takes 4; fetch the file again")
    }
    let found = bigEndian(bytes, at: 0)
    guard found == magic else {
      throw QuasarError(
        .badData,
        "\(file): magic number \(hexadecimal(found)) at byte 0, but an IDX \(kind) file has "
          + "\(hexadecimal(magic)); "
          + "check that images and labels are not exchanged")
    }
    let size = 4 + 4 * fields
    guard bytes.count >= size else {
      throw QuasarError(
        .badData,
        "\(file): truncated, \(bytes.count) bytes but the header of an IDX \(kind) file takes \(size); "
          + "fetch the file again")
    }
    return (1...fields).map { Int(bigEndian(bytes, at: 4 * $0)) }
  }

  private static func checkPayload(
    _ bytes: [UInt8], header: Int, record: Int?, count: Int, of kind: String, file: String
  ) throws(QuasarError) {
    let found = bytes.count - header
    let expected = record.flatMap { checkedProduct([$0, count]) }
    guard let record, let expected, found >= expected else {
      let place = record.map { "inside record \(found / max($0, 1))" } ?? "inside record 0"
      throw QuasarError(
        .badData,
        "\(file): truncated, \(found) bytes after the header but \(count) \(kind)s need "
          + "\(expected.map(String.init) ?? "more than memory holds"); it ends \(place) (byte "
          + "\(bytes.count) unpacked); "
          + "fetch the file again")
    }
    guard found == expected else {
      throw QuasarError(
        .badData,
        "\(file): \(found - expected) surplus bytes from byte \(header + expected) (unpacked): the header "
          + "says "
          + "\(count) \(kind)s of \(record) bytes, \(expected) in all, but \(found) follow; fetch the file "
          + "again"
      )
    }
  }

  private static func bigEndian(_ bytes: [UInt8], at offset: Int) -> UInt32 {
    bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }

  private static func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
  }
}
