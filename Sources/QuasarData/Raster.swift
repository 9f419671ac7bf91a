/// An 8-bit picture [height, width, channels] (interleaved) to draw on.
public struct Raster: Sendable, Equatable {
  /// Columns, at least 1.
  public let width: Int
  /// Rows, at least 1.
  public let height: Int
  /// 1 (grey) or 3 (red, green, blue).
  public let channels: Int
  /// Samples: byte (y·width + x)·channels + c.
  public internal(set) var samples: [UInt8]

  /// A picture filled with one value.
  public init(width: Int, height: Int, channels: Int, fill: UInt8 = 0) {
    precondition(
      width > 0 && height > 0 && (channels == 1 || channels == 3), "\(width)×\(height)×\(channels)")
    self.width = width
    self.height = height
    self.channels = channels
    samples = [UInt8](repeating: fill, count: width * height * channels)
  }

  /// The picture of these samples, width·height·channels of them.
  init(width: Int, height: Int, channels: Int, samples: [UInt8]) {
    precondition(
      width > 0 && height > 0 && (channels == 1 || channels == 3) && samples.count == width * height * channels,
      "\(width)×\(height)×\(channels) of \(samples.count) samples")
    self.width = width
    self.height = height
    self.channels = channels
    self.samples = samples
  }

  /// The samples plane by plane: [channels, height, width].
  var planar: [UInt8] {
    guard channels > 1 else { return samples }
    let area = width * height
    return [UInt8](unsafeUninitializedCapacity: samples.count) { room, count in
      for channel in 0..<channels {
        for point in 0..<area { room[channel * area + point] = samples[point * channels + channel] }
      }
      count = samples.count
    }
  }

  /// Sets all channels of one point; points outside are ignored.
  mutating func set(x: Int, y: Int, to value: UInt8) {
    guard (0..<width).contains(x), (0..<height).contains(y) else { return }
    for channel in 0..<channels { samples[(y * width + x) * channels + channel] = value }
  }

  /// Copies a planar image with each pixel as a square of `scale` points; (x, y) is its upper left corner.
  ///
  /// A grey image on a coloured raster takes all three channels.
  mutating func draw(
    planar pixels: ArraySlice<UInt8>, channels planes: Int, height rows: Int, width columns: Int, scale: Int,
    x left: Int, y top: Int
  ) {
    precondition(pixels.count == planes * rows * columns && planes <= channels, "\(pixels.count) pixels")
    precondition(left >= 0 && top >= 0 && left + columns * scale <= width && top + rows * scale <= height)
    for y in 0..<rows * scale {
      for x in 0..<columns * scale {
        for channel in 0..<channels {
          let plane = min(channel, planes - 1)
          let source = pixels.startIndex + (plane * rows + y / scale) * columns + x / scale
          samples[((top + y) * width + left + x) * channels + channel] = pixels[source]
        }
      }
    }
  }
}
