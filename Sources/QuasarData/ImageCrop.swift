/// A rectangle of an image, scaled to the size of the whole one.
public struct ImageCrop: Sendable, Equatable {
  public var left: Int
  public var top: Int
  /// Columns, at least 1.
  public var width: Int
  /// Rows, at least 1.
  public var height: Int

  public init(left: Int, top: Int, width: Int, height: Int) {
    self.left = left
    self.top = top
    self.width = width
    self.height = height
  }

  /// target ← the rectangle of `source`, both [channels, rows, columns] bytes, by the exact resize of class folders.
  ///
  /// An axis of n points becomes m ≥ n points by linear interpolation. Output i is at ((2i + 1)·n − m) / 2m of the
  /// rectangle, whose edges are repeated; no point outside it is read. The whole image is copied. The rectangle must be
  /// inside the image. Sums stay below 4·rows·columns·256, so any image that fits memory is scaled exactly. Example:
  /// the left half [8, 16] of a row of 4 becomes [8, 10, 14, 16].
  public func write(
    from source: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<UInt8>, channels: Int, rows: Int, columns: Int
  ) {
    precondition(
      left >= 0 && top >= 0 && width >= 1 && height >= 1 && left + width <= columns && top + height <= rows,
      "\(width)×\(height) at (\(left), \(top)) of \(columns)×\(rows)")
    if width == columns, height == rows { return target.update(from: source, count: channels * rows * columns) }
    ExactResize.write(
      SampleView(
        samples: source + top * columns + left, channels: channels, column: 1, row: columns, channel: rows * columns),
      columns: ResizeAxis(width, to: columns), rows: ResizeAxis(height, to: rows), to: target)
  }
}
