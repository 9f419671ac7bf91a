/// The source of each point of a moved image: source = A·(point − middle) + middle − shift.
///
/// With X = 2x − (W − 1) and Y = 2y − (H − 1), twice the distance from the middle, and entries of A in units of 2⁻¹⁶,
/// the source column in units of 1/256 is ⌊(xx·X + xy·Y + 2¹⁶·(W − 1) − 2¹⁷·right + 256) / 512⌋; rows likewise. The
/// four points around it have weights (256 − f)·(256 − g) and so on in 2⁻¹⁶, and their sum is rounded once. A = 1
/// without a shift gives exactly the same image.
struct AffineMap {
  var xx = 65_536
  var xy = 0
  var yx = 0
  var yy = 65_536
  /// Number of columns by which the image moves to the right.
  var right = 0
  /// Number of rows by which the image moves down.
  var down = 0

  /// A clockwise turn by −30…30 whole degrees.
  static func rotation(degrees: Int) -> AffineMap {
    let (sine, cosine) = (degrees < 0 ? -sines[-degrees] : sines[degrees], cosines[abs(degrees)])
    return AffineMap(xx: cosine, xy: sine, yx: -sine, yy: cosine)
  }

  /// round(2¹⁶·sin k°) and round(2¹⁶·cos k°) for k = 0…30.
  static let sines = [
    0, 1144, 2287, 3430, 4572, 5712, 6850, 7987, 9121, 10252, 11380, 12505, 13626, 14742, 15855, 16962, 18064, 19161,
    20252, 21336, 22415, 23486, 24550, 25607, 26656, 27697, 28729, 29753, 30767, 31772, 32768,
  ]
  static let cosines = [
    65536, 65526, 65496, 65446, 65376, 65287, 65177, 65048, 64898, 64729, 64540, 64332, 64104, 63856, 63589, 63303,
    62997, 62672, 62328, 61966, 61584, 61183, 60764, 60326, 59870, 59396, 58903, 58393, 57865, 57319, 56756,
  ]

  /// Moves an image in place; points outside are `fill`, one byte per channel, and mix with the edge.
  func apply(to image: PlanarImage, fill: [UInt8], scratch: UnsafeMutablePointer<UInt8>) {
    let (height, width, area, channels) = (image.height, image.width, image.area, image.channels)
    scratch.update(from: image.pixels, count: image.count)
    for y in 0..<height {
      let distance = 2 * y - (height - 1)
      // Both sums at x = 0; a step in x adds 2·xx and 2·yx.
      var column = xx * (1 - width) + xy * distance + (width - 1) << 16 - right << 17 + 256
      var row = yx * (1 - width) + yy * distance + (height - 1) << 16 - down << 17 + 256
      for x in 0..<width {
        let (qx, qy) = (column >> 9, row >> 9)
        column += 2 * xx
        row += 2 * yx
        let (left, top) = (qx >> 8, qy >> 8)
        let (f, g) = (qx & 255, qy & 255)
        let place = top * width + left
        let target = image.pixels + y * width + x
        /// The mean of the four points, given row by row.
        func mean(_ a: Int, _ b: Int, _ c: Int, _ d: Int) -> UInt8 {
          let (upper, lower) = ((256 - f) * a + f * b, (256 - f) * c + f * d)
          return UInt8(truncatingIfNeeded: ((256 - g) * upper + g * lower + 32_768) >> 16)
        }
        if left >= 0, left < width - 1, top >= 0, top < height - 1 {
          for channel in 0..<channels {
            let source = scratch + channel * area + place
            target[channel * area] = mean(
              Int(source[0]), Int(source[1]), Int(source[width]), Int(source[width + 1]))
          }
        } else {
          for channel in 0..<channels {
            func value(_ x: Int, _ y: Int) -> Int {
              guard x >= 0, x < width, y >= 0, y < height else { return Int(fill[channel]) }
              return Int(scratch[channel * area + y * width + x])
            }
            target[channel * area] = mean(
              value(left, top), value(left + 1, top), value(left, top + 1), value(left + 1, top + 1))
          }
        }
      }
    }
  }
}
