/// The orientation of a camera, 1…8: where each point of the upright picture is stored in the file.
///
/// 1 upright, 2 mirrored, 3 upside down, 4 mirrored upside down, 5 transposed, 6 to be turned right, 7 transposed about
/// the other diagonal, 8 to be turned left. Source: Exif 2.3 (CIPA DC-008-2012), section 4.6.4, tag 0x0112.
struct EXIFOrientation: Equatable {
  /// 1…8.
  let number: Int

  static let upright = EXIFOrientation(number: 1)

  init(number: Int) {
    precondition((1...8).contains(number), "orientation \(number)")
    self.number = number
  }

  /// The orientation of a JPEG file; upright if the file has none or its EXIF block is damaged.
  init(jpeg bytes: [UInt8]) {
    number = EXIFOrientation.block(bytes).flatMap { EXIFOrientation.tag($0) } ?? 1
  }

  /// True if width and height are exchanged.
  var swapsSides: Bool { number >= 5 }

  /// The point of a stored width × height picture that is shown at (x, y).
  func source(x: Int, y: Int, width: Int, height: Int) -> (x: Int, y: Int) {
    switch number {
    case 2: (width - 1 - x, y)
    case 3: (width - 1 - x, height - 1 - y)
    case 4: (x, height - 1 - y)
    case 5: (y, x)
    case 6: (y, height - 1 - x)
    case 7: (width - 1 - y, height - 1 - x)
    case 8: (width - 1 - y, x)
    default: (x, y)
    }
  }

  /// The TIFF bytes of the first APP1 segment that begins with "Exif\0\0", before the picture data.
  private static func block(_ bytes: [UInt8]) -> ArraySlice<UInt8>? {
    var offset = 2
    while offset + 4 <= bytes.count, bytes[offset] == 0xff {
      let marker = bytes[offset + 1]
      if marker == 0xff {
        offset += 1
        continue
      }
      if marker == 0xda || marker == 0xd9 { return nil }
      let length = Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3])
      let end = offset + 2 + length
      guard length >= 2, end <= bytes.count else { return nil }
      let body = bytes[offset + 4..<max(end, offset + 4)]
      if marker == 0xe1, body.starts(with: Array("Exif\0\0".utf8)) { return body.dropFirst(6) }
      offset = end
    }
    return nil
  }

  /// The value of tag 0x0112 in the first directory.
  private static func tag(_ tiff: ArraySlice<UInt8>) -> Int? {
    let bytes = Array(tiff)
    let little = bytes.starts(with: [0x49, 0x49, 0x2a, 0])
    guard little || bytes.starts(with: [0x4d, 0x4d, 0, 0x2a]) else { return nil }
    func number(_ offset: Int, _ size: Int) -> Int? {
      guard offset + size <= bytes.count else { return nil }
      let part = bytes[offset..<offset + size]
      return (little ? Array(part.reversed()) : Array(part)).reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(4, 4), let entries = number(directory, 2) else { return nil }
    for entry in 0..<entries {
      let place = directory + 2 + 12 * entry
      guard let tag = number(place, 2), let type = number(place + 2, 2), let value = number(place + 8, 2) else {
        return nil
      }
      if tag == 0x0112 { return type == 3 && (1...8).contains(value) ? value : nil }
    }
    return nil
  }
}

extension Raster {
  /// The upright picture of one that is stored with this orientation.
  func turned(by orientation: EXIFOrientation) -> Raster {
    guard orientation != .upright else { return self }
    let columns = orientation.swapsSides ? height : width
    let rows = orientation.swapsSides ? width : height
    let turned = [UInt8](unsafeUninitializedCapacity: samples.count) { room, count in
      for y in 0..<rows {
        for x in 0..<columns {
          let from = orientation.source(x: x, y: y, width: width, height: height)
          for channel in 0..<channels {
            room[(y * columns + x) * channels + channel] = samples[(from.y * width + from.x) * channels + channel]
          }
        }
      }
      count = samples.count
    }
    return Raster(width: columns, height: rows, channels: channels, samples: turned)
  }
}
