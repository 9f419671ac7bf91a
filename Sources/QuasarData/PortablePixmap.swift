import QuasarTensor

/// Binary PGM (P5, grey) and PPM (P6, RGB) images of the Netpbm family, with one byte per sample.
///
/// The file has "P5" or "P6"; then width, height and the largest value as decimal text separated by blanks, lines or #
/// comments; one blank byte; then the samples row by row. PPM samples are in the order red, green, blue. Source:
/// netpbm's ppm(5).
public enum PortablePixmap {
  /// One decoded image, planar [channels, height, width].
  public struct Image: Sendable, Equatable {
    /// 1 for P5, 3 for P6.
    public var channels: Int
    /// Rows.
    public var height: Int
    /// Columns.
    public var width: Int
    /// Samples 0…255, scaled when the file's largest value is below 255.
    public var pixels: [UInt8]
  }

  /// The image in the bytes of one file; `file` is its name in errors.
  ///
  /// Throws `badData` for another format (the error names the known ones), 16-bit samples, a damaged header, and a byte
  /// too few or too many.
  public static func decode(_ bytes: [UInt8], file: String) throws(QuasarError) -> Image {
    guard bytes.count >= 2, bytes[0] == UInt8(ascii: "P"), bytes[1] == 0x35 || bytes[1] == 0x36 else {
      throw QuasarError(
        .badData,
        "\(file): \(formatName(bytes)), but images are read from JPEG, PNG, and binary PGM (P5) and PPM (P6) files; "
          + "convert it, for example with `mogrify -format png`, and leave only such files in the folder")
    }
    let channels = bytes[1] == 0x35 ? 1 : 3
    var offset = 2
    let width = try number(bytes, &offset, "width", file)
    let height = try number(bytes, &offset, "height", file)
    let largest = try number(bytes, &offset, "largest value", file)
    guard largest <= 255 else {
      throw QuasarError(
        .badData,
        "\(file): largest value \(largest), but only one byte a sample (at most 255) is read; convert the "
          + "image"
      )
    }
    guard offset < bytes.count, isBlank(bytes[offset]) else {
      throw QuasarError(
        .badData, "\(file): truncated, no blank after the header at byte \(offset); write the image again")
    }
    offset += 1
    let found = bytes.count - offset
    guard let expected = checkedProduct([width, height, channels]), found == expected else {
      throw QuasarError(
        .badData,
        "\(file): \(found) bytes of samples from byte \(offset), but \(width)×\(height)×\(channels) samples "
          + "are "
          + "announced; write the image again")
    }
    return Image(
      channels: channels, height: height, width: width,
      pixels: try samples(bytes, from: offset, channels: channels, largest: largest, file: file))
  }

  /// Planar samples scaled to 0…255: (v·255 + largest/2) / largest.
  private static func samples(
    _ bytes: [UInt8], from start: Int, channels: Int, largest: Int, file: String
  ) throws(QuasarError) -> [UInt8] {
    let points = (bytes.count - start) / channels
    if let wrong = bytes[start...].firstIndex(where: { Int($0) > largest }) {
      throw QuasarError(
        .badData,
        "\(file): sample \(bytes[wrong]) at byte \(wrong) is above the largest value \(largest) of the "
          + "header; "
          + "write the image again")
    }
    return [UInt8](unsafeUninitializedCapacity: points * channels) { room, count in
      for channel in 0..<channels {
        for point in 0..<points {
          let value = Int(bytes[start + point * channels + channel])
          room[channel * points + point] = UInt8((value * 255 + largest / 2) / largest)
        }
      }
      count = points * channels
    }
  }

  /// The next decimal number of the header, 1 to 999,999,999.
  private static func number(
    _ bytes: [UInt8], _ offset: inout Int, _ field: String, _ file: String
  ) throws(QuasarError) -> Int {
    let begin = offset
    while offset < bytes.count {
      if bytes[offset] == UInt8(ascii: "#") {
        while offset < bytes.count, bytes[offset] != 0x0a { offset += 1 }
      } else if isBlank(bytes[offset]) {
        offset += 1
      } else {
        break
      }
    }
    var value = 0
    var digits = 0
    while offset < bytes.count, (0x30...0x39).contains(bytes[offset]), digits < 10 {
      value = value * 10 + Int(bytes[offset] - 0x30)
      digits += 1
      offset += 1
    }
    guard begin < offset, (1...9).contains(digits), value > 0 else {
      throw QuasarError(
        .badData,
        "\(file): no \(field) between 1 and 999999999 at byte \(offset) of the header; write the image again")
    }
    return value
  }

  private static func isBlank(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0d).contains(byte)
  }

  /// The format that the first bytes of a file suggest, for error messages.
  private static func formatName(_ bytes: [UInt8]) -> String {
    if bytes.isEmpty { return "an empty file" }
    if bytes.starts(with: [0x89, 0x50, 0x4e, 0x47]) { return "a damaged PNG file" }
    if bytes.starts(with: Array("GIF8".utf8)) { return "a GIF file" }
    if bytes.count >= 2, bytes[0] == UInt8(ascii: "P"), (0x31...0x37).contains(bytes[1]) {
      return "a Netpbm file of kind P\(bytes[1] - 0x30)"
    }
    return "a file of an unknown format"
  }
}
