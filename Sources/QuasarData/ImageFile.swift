import CImages
import QuasarTensor

/// One picture file as 8-bit grey or RGB: JPEG, PNG, and binary PGM and PPM.
///
/// The first bytes decide the format, not the name. Transparent PNG points are drawn over white, inks of a CMYK JPEG
/// are mixed to RGB, 16-bit samples are rounded to 8, and a JPEG is turned according to its EXIF orientation. Gamma and
/// colour profiles are not applied.
enum ImageFile {
  /// The picture in the bytes of one file; `file` is its name in errors.
  ///
  /// With `covering`, a JPEG is decoded at 1/2, 1/4 or 1/8 of its size if its shorter side then still has that many
  /// points. Throws `badData` for a damaged or truncated file, an unknown format, and more than 2²⁷ points.
  static func decode(_ bytes: [UInt8], file: String, covering size: Int? = nil) throws(QuasarError) -> Raster {
    if isJPEG(bytes) {
      let whole = try jpegShape(bytes, denominator: 1, file: file)
      let denominator = denominator(of: whole, covering: size)
      let shape = denominator == 1 ? whole : try jpegShape(bytes, denominator: denominator, file: file)
      let picture = try raster(shape, "JPEG", file) { pixels, message in
        withUnsafePointer(to: shape) {
          qk_jpeg_decode(bytes, bytes.count, Int32(denominator), $0, pixels, message)
        }
      }
      return picture.turned(by: EXIFOrientation(jpeg: bytes))
    }
    if isPNG(bytes) {
      let shape = try pngShape(bytes, file: file)
      return try raster(shape, "PNG", file) { pixels, message in
        withUnsafePointer(to: shape) { qk_png_decode(bytes, bytes.count, $0, pixels, message) }
      }
    }
    return try PortablePixmap.decode(bytes, file: file).raster
  }

  /// 1 (grey) or 3 (RGB), from the header alone; throws the errors of `decode` for a damaged header.
  static func channels(_ bytes: [UInt8], file: String) throws(QuasarError) -> Int {
    if isJPEG(bytes) { return Int(try jpegShape(bytes, denominator: 1, file: file).channels) }
    if isPNG(bytes) { return Int(try pngShape(bytes, file: file).channels) }
    return try PortablePixmap.decode(bytes, file: file).channels
  }

  private static func isJPEG(_ bytes: [UInt8]) -> Bool { bytes.starts(with: [0xff, 0xd8, 0xff]) }

  private static func isPNG(_ bytes: [UInt8]) -> Bool {
    bytes.starts(with: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  }

  /// The largest of 8, 4, 2 and 1 that leaves `size` points on the shorter side.
  private static func denominator(of shape: qk_image_shape, covering size: Int?) -> Int {
    guard let size else { return 1 }
    let shorter = Int(min(shape.width, shape.height))
    return [8, 4, 2].first { (shorter + $0 - 1) / $0 >= size } ?? 1
  }

  private static func jpegShape(
    _ bytes: [UInt8], denominator: Int, file: String
  ) throws(QuasarError) -> qk_image_shape {
    try shape("JPEG", file) { qk_jpeg_shape(bytes, bytes.count, Int32(denominator), $0, $1) }
  }

  private static func pngShape(_ bytes: [UInt8], file: String) throws(QuasarError) -> qk_image_shape {
    try shape("PNG", file) { qk_png_shape(bytes, bytes.count, $0, $1) }
  }

  private typealias Message = UnsafeMutablePointer<CChar>

  private static func shape(
    _ format: String, _ file: String, read: (UnsafeMutablePointer<qk_image_shape>, Message) -> qk_image_status
  ) throws(QuasarError) -> qk_image_shape {
    var shape = qk_image_shape()
    try check(format, file) { message in read(&shape, message) }
    return shape
  }

  private static func raster(
    _ shape: qk_image_shape, _ format: String, _ file: String,
    decode: (UnsafeMutablePointer<UInt8>, Message) -> qk_image_status
  ) throws(QuasarError) -> Raster {
    let points = Int(shape.width) * Int(shape.height)
    var failure: QuasarError?
    let samples = [UInt8](unsafeUninitializedCapacity: points * Int(shape.samples)) { room, count in
      guard let base = room.baseAddress else { return }
      do throws(QuasarError) {
        try check(format, file) { message in decode(base, message) }
        count = points * Int(shape.channels)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return Raster(
      width: Int(shape.width), height: Int(shape.height), channels: Int(shape.channels), samples: samples)
  }

  private static func check(
    _ format: String, _ file: String, _ call: (Message) -> qk_image_status
  ) throws(QuasarError) {
    var status = QK_IMAGE_OK
    let reason = withUnsafeTemporaryAllocation(of: CChar.self, capacity: QK_IMAGE_MESSAGE) { buffer in
      buffer.update(repeating: 0)
      guard let base = buffer.baseAddress else { return "" }
      status = call(base)
      return String(cString: base).replacing("\n", with: " ")
    }
    switch status {
    case QK_IMAGE_OK: return
    case QK_IMAGE_TOO_LARGE:
      throw QuasarError(
        .badData,
        "\(file): more than \(QK_IMAGE_LARGEST) points, too many for a picture of a data set; scale it down or "
          + "remove it")
    case QK_IMAGE_NO_MEMORY:
      throw QuasarError(.internal, "\(file): no memory to decode this \(format) file; use fewer threads")
    default:
      throw QuasarError(
        .badData,
        "\(file): damaged \(format) file (\(reason.isEmpty ? "no reason given" : reason)); fetch it again or remove it")
    }
  }
}

extension PortablePixmap.Image {
  /// The same picture, interleaved.
  fileprivate var raster: Raster {
    let area = width * height
    let samples = [UInt8](unsafeUninitializedCapacity: area * channels) { room, count in
      for channel in 0..<channels {
        for point in 0..<area { room[point * channels + channel] = pixels[channel * area + point] }
      }
      count = area * channels
    }
    return Raster(width: width, height: height, channels: channels, samples: samples)
  }
}
