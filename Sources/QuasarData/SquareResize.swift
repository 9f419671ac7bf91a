/// A picture as a square of planar bytes: the shorter side scaled to `size`, the middle of the longer one kept.
///
/// The arithmetic is that of `ExactResize`: with 2²⁷ points in the picture and size ≤ 4096, D·255 < 2⁶¹.
///
/// The longer side l becomes ⌊l·size/s + 1/2⌋; the smaller half of the surplus is cut off at the left or the top.
enum SquareResize {
  /// The largest side.
  static let largestSize = 4096

  /// Planar [channels, size, size] bytes of the picture, 1 ≤ size ≤ 4096.
  static func planar(_ picture: Raster, size: Int) -> [UInt8] {
    precondition((1...largestSize).contains(size), "size \(size)")
    if picture.width == size, picture.height == size { return picture.planar }
    let shorter = min(picture.width, picture.height)
    let columns = axis(picture.width, shorter: shorter, size: size)
    let rows = axis(picture.height, shorter: shorter, size: size)
    let (channels, total) = (picture.channels, picture.channels * size * size)
    return [UInt8](unsafeUninitializedCapacity: total) { pixels, count in
      picture.samples.withUnsafeBufferPointer { samples in
        guard let from = samples.baseAddress, let to = pixels.baseAddress else { return }
        ExactResize.write(
          SampleView(samples: from, channels: channels, column: channels, row: picture.width * channels, channel: 1),
          columns: columns, rows: rows, to: to)
      }
      count = total
    }
  }

  /// The `size` points in the middle of an axis of n points, scaled as `shorter` is to `size`.
  private static func axis(_ n: Int, shorter: Int, size: Int) -> ResizeAxis {
    let m = (2 * n * size + shorter) / (2 * shorter)
    let cut = (m - size) / 2
    return ResizeAxis(n, to: m, keeping: cut..<cut + size)
  }
}
