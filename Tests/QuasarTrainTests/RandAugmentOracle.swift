import Foundation

@testable import QuasarTrain

/// An image as a function of (channel, x, y), and the operations of RandAugment by their definitions, point by point:
/// exact fractions in Double (all are far below 2⁵³), with values found by search instead of division.
struct PlainImage: Equatable {
  var channels: Int
  var height: Int
  var width: Int
  var pixels: [UInt8]

  func at(_ c: Int, _ x: Int, _ y: Int) -> Int { Int(pixels[(c * height + y) * width + x]) }

  func mapped(_ value: (_ c: Int, _ x: Int, _ y: Int) -> Int) -> PlainImage {
    var result = self
    for c in 0..<channels {
      for y in 0..<height {
        for x in 0..<width { result.pixels[(c * height + y) * width + x] = UInt8(value(c, x, y)) }
      }
    }
    return result
  }

  /// The code nearest to a/b (the larger of two), limited to 0…255: the largest v with v − ½ ≤ a/b.
  static func nearest(_ a: Int, _ b: Int) -> Int {
    var value = 0
    while value < 255, (2 * value + 1) * b <= 2 * a { value += 1 }
    return value
  }

  func luma(_ x: Int, _ y: Int) -> Int {
    if channels == 1 { return at(0, x, y) }
    let exact = 0.29900 * Double(at(0, x, y)) + 0.58700 * Double(at(1, x, y)) + 0.11400 * Double(at(2, x, y))
    let fixed = 19_595 * at(0, x, y) + 38_470 * at(1, x, y) + 7_471 * at(2, x, y)
    precondition(abs(exact - Double(fixed) / 65_536) < 0.005)
    return Int((Double(fixed) / 65_536 + 0.5).rounded(.down))
  }

  func operation(_ operation: RandAugment.Operation, _ magnitude: Int, isNegative: Bool, fill: [UInt8]) -> PlainImage {
    let sign = isNegative ? -1 : 1
    let percent = 100 + 3 * sign * magnitude
    /// base + (p − base)·percent %
    func away(_ p: Int, _ base: Int) -> Int { PlainImage.nearest(base * (100 - percent) + p * percent, 100) }
    func fixed(_ value: Double) -> Double { (65_536 * value).rounded() / 65_536 }
    let slope = Double(sign) * fixed(Double(magnitude) / 100)
    func shift(_ side: Int) -> Int { sign * Int((150.0 / 331 * Double(side) * Double(magnitude) / 30).rounded()) }
    switch operation {
    case .identity: return self
    case .autoContrast: return stretched()
    case .equalize: return equalized()
    case .rotate:
      let angle = Double(sign * magnitude) * .pi / 180
      return moved(fixed(cos(angle)), fixed(sin(angle)), -fixed(sin(angle)), fixed(cos(angle)), fill)
    case .solarize:
      let threshold = 256.0 - (256.0 * Double(magnitude) / 30).rounded()
      return mapped { Double(at($0, $1, $2)) < threshold ? at($0, $1, $2) : 255 - at($0, $1, $2) }
    case .color: return mapped { away(at($0, $1, $2), luma($1, $2)) }
    case .posterize:
      let unit = Int(pow(2, (4 * Double(magnitude) / 30).rounded()))
      return mapped { at($0, $1, $2) / unit * unit }
    case .contrast:
      var sum = 0
      for y in 0..<height { for x in 0..<width { sum += luma(x, y) } }
      let mean = PlainImage.nearest(sum, height * width)
      return mapped { c, x, y in away(at(c, x, y), mean) }
    case .brightness: return mapped { away(at($0, $1, $2), 0) }
    case .sharpness:
      return mapped { c, x, y in
        guard x > 0, x < width - 1, y > 0, y < height - 1 else { return at(c, x, y) }
        var sum = 4 * at(c, x, y)
        for dy in -1...1 { for dx in -1...1 { sum += at(c, x + dx, y + dy) } }
        return away(at(c, x, y), PlainImage.nearest(sum, 13))
      }
    case .shearX: return moved(1, slope, 0, 1, fill)
    case .shearY: return moved(1, 0, slope, 1, fill)
    case .translateX: return translated(shift(width), 0, fill)
    case .translateY: return translated(0, shift(height), fill)
    }
  }

  func stretched() -> PlainImage {
    let planes = (0..<channels).map { pixels[$0 * height * width..<($0 + 1) * height * width] }
    return mapped { c, x, y in
      let (low, high) = (Int(planes[c].min() ?? 0), Int(planes[c].max() ?? 0))
      return low == high ? at(c, x, y) : PlainImage.nearest(255 * (at(c, x, y) - low), high - low)
    }
  }

  func equalized() -> PlainImage {
    let planes = (0..<channels).map { pixels[$0 * height * width..<($0 + 1) * height * width].sorted() }
    return mapped { c, x, y in
      let plane = planes[c]
      let others = plane.filter { $0 < plane.last ?? 0 }.count
      let step = others / 255
      guard step > 0 else { return at(c, x, y) }
      let below = plane.filter { Int($0) < at(c, x, y) }.count
      return min(255, (step / 2 + below) / step)
    }
  }

  func translated(_ dx: Int, _ dy: Int, _ fill: [UInt8]) -> PlainImage {
    mapped { c, x, y in
      let inside = (0..<width).contains(x - dx) && (0..<height).contains(y - dy)
      return inside ? at(c, x - dx, y - dy) : Int(fill[c])
    }
  }

  /// The value at A·(point − middle) + middle, the place rounded to 1/256, four neighbours weighted by their distance.
  func moved(_ xx: Double, _ xy: Double, _ yx: Double, _ yy: Double, _ fill: [UInt8]) -> PlainImage {
    let (middleX, middleY) = (Double(width - 1) / 2, Double(height - 1) / 2)
    return mapped { c, x, y in
      let (dx, dy) = (Double(x) - middleX, Double(y) - middleY)
      let column = ((xx * dx + xy * dy + middleX) * 256 + 0.5).rounded(.down) / 256
      let row = ((yx * dx + yy * dy + middleY) * 256 + 0.5).rounded(.down) / 256
      var sum = 0.0
      for j in Int(row.rounded(.down))...Int(row.rounded(.down)) + 1 {
        for i in Int(column.rounded(.down))...Int(column.rounded(.down)) + 1 {
          let weight = (1 - abs(column - Double(i))) * (1 - abs(row - Double(j)))
          let inside = (0..<width).contains(i) && (0..<height).contains(j)
          sum += weight * Double(inside ? at(c, i, j) : Int(fill[c]))
        }
      }
      return Int((sum + 0.5).rounded(.down))
    }
  }
}
