import CZlib
import QuasarTensor

/// PNG files with 8-bit grey or RGB samples, packed by zlib.
///
/// Signature, IHDR, one IDAT, IEND; every row has filter 0. The same picture gives the same bytes with the same version
/// of zlib. Source: W3C, "Portable Network Graphics (PNG) Specification", second edition.
public enum PNGWriter {
  /// The bytes of a PNG file of this picture.
  public static func encode(_ picture: Raster) throws(QuasarError) -> [UInt8] {
    let row = picture.width * picture.channels
    var scanlines: [UInt8] = []
    scanlines.reserveCapacity(picture.height * (row + 1))
    for y in 0..<picture.height {
      scanlines.append(0)
      scanlines += picture.samples[y * row..<(y + 1) * row]
    }
    let colourType: UInt8 = picture.channels == 1 ? 0 : 2
    var file: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
    let header =
      bigEndian(UInt32(picture.width)) + bigEndian(UInt32(picture.height)) + [8, colourType, 0, 0, 0]
    appendChunk("IHDR", header, to: &file)
    appendChunk("IDAT", try pack(scanlines), to: &file)
    appendChunk("IEND", [], to: &file)
    return file
  }

  private static func pack(_ bytes: [UInt8]) throws(QuasarError) -> [UInt8] {
    var size = compressBound(UInt(bytes.count))
    var packed = [UInt8](repeating: 0, count: Int(size))
    let code = compress2(&packed, &size, bytes, UInt(bytes.count), Z_BEST_COMPRESSION)
    guard code == Z_OK else {
      throw QuasarError(
        .internal, "PNG: zlib could not pack \(bytes.count) bytes (code \(code)); draw a smaller picture")
    }
    return Array(packed[..<Int(size)])
  }

  /// Length, type, data and the CRC of type and data.
  private static func appendChunk(_ type: String, _ data: [UInt8], to file: inout [UInt8]) {
    let body = Array(type.utf8) + data
    file += bigEndian(UInt32(data.count)) + body
    file += bigEndian(UInt32(truncatingIfNeeded: crc32(0, body, UInt32(body.count))))
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }
}
