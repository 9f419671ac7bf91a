import Testing

@testable import QuasarData

/// The resize against a slow two-dimensional one that shares no code with it: fractions of points instead of weights.
@Suite struct SquareResizeTests {
  /// Output (x, y) of one channel as a fraction, by definition, for sides n → m scaled and cut to the middle.
  static func sample(_ picture: Raster, _ channel: Int, x: Int, y: Int, size: Int) -> UInt8 {
    let shorter = min(picture.width, picture.height)
    /// ⌊l·size/s + ½⌋ by counting, and its point that is kept as point i.
    func kept(_ n: Int, _ i: Int) -> (points: [(Int, Int)], denominator: Int) {
      var m = size
      while 2 * n * size >= (2 * m + 1) * shorter { m += 1 }
      return neighbours(n, to: m, i + (m - size) / 2)
    }
    let (columns, dx) = kept(picture.width, x)
    let (rows, dy) = kept(picture.height, y)
    var sum = 0
    for (row, wy) in rows {
      for (column, wx) in columns {
        sum += wy * wx * Int(picture.samples[(row * picture.width + column) * picture.channels + channel])
      }
    }
    // Rounds to nearest, halves up, without the rule under test: the largest v with 2·v·D − D ≤ 2·sum.
    var value = 0
    while (2 * value + 1) * dx * dy <= 2 * sum { value += 1 }
    return UInt8(value)
  }

  /// Point `out` of an axis scaled from n to m points: pairs of source point and weight over a common denominator.
  static func neighbours(_ n: Int, to m: Int, _ out: Int) -> (points: [(Int, Int)], denominator: Int) {
    if m > n {
      // Position of the centre minus ½, in units of 1/2m.
      let place = n * (2 * out + 1) - m
      let low = Int((Double(place) / Double(2 * m)).rounded(.down))
      func inside(_ j: Int) -> Int { max(0, min(n - 1, j)) }
      return ([(inside(low), 2 * m * (low + 1) - place), (inside(low + 1), place - 2 * m * low)], 2 * m)
    }
    // The line is cut into n·m equal pieces: piece p belongs to source p / m and to output p / n.
    var counts: [Int: Int] = [:]
    for piece in out * n..<(out + 1) * n { counts[piece / m, default: 0] += 1 }
    return (counts.map { ($0.key, $0.value) }, n)
  }

  @Test(arguments: [
    (1, 1), (1, 9), (9, 1), (2, 3), (5, 5), (7, 4), (16, 16), (31, 17), (17, 40), (64, 63), (3, 100), (40_000, 1),
  ])
  func equalsTheDefinition(width: Int, height: Int) {
    var random = SmallRandom(state: UInt64(width * 1000 + height))
    for channels in [1, 3] {
      for kind in 0..<2 {
        let samples = (0..<width * height * channels).map { _ -> UInt8 in
          let value = random.next() >> 11
          return kind == 0 ? UInt8(truncatingIfNeeded: value) : (value & 1 == 0 ? 0 : 255)
        }
        let picture = Raster(width: width, height: height, channels: channels, samples: samples)
        for size in [1, 2, 3, 5, 8, 16, 19] {
          let found = SquareResize.planar(picture, size: size)
          #expect(found.count == channels * size * size)
          for channel in 0..<channels {
            for y in 0..<size {
              for x in 0..<size {
                let expected = SquareResizeTests.sample(picture, channel, x: x, y: y, size: size)
                #expect(found[(channel * size + y) * size + x] == expected, "\(size): \(channel), \(x), \(y)")
              }
            }
          }
        }
      }
    }
  }

  @Test func equalSizesAreCopiedAndFlatPicturesStayFlat() {
    var random = SmallRandom(state: 8)
    let square = Raster(
      width: 13, height: 13, channels: 3, samples: (0..<507).map { _ in UInt8(truncatingIfNeeded: random.next() >> 7) })
    #expect(SquareResize.planar(square, size: 13) == square.planar)
    for value in [0, 1, 127, 254, 255] as [UInt8] {
      for (width, height) in [(500, 333), (3, 2), (1, 4000)] {
        let flat = Raster(width: width, height: height, channels: 1, fill: value)
        #expect(SquareResize.planar(flat, size: 32).allSatisfy { $0 == value })
      }
    }
  }

  @Test func theMiddleIsKept() {
    // 6×2 to size 2: columns 2 and 3 remain; 5×2: the smaller half of the surplus 3 is cut at the left.
    let six = Raster(width: 6, height: 2, channels: 1, samples: [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15])
    #expect(SquareResize.planar(six, size: 2) == [2, 3, 12, 13])
    let five = Raster(width: 5, height: 2, channels: 1, samples: [0, 1, 2, 3, 4, 10, 11, 12, 13, 14])
    #expect(SquareResize.planar(five, size: 2) == [1, 2, 11, 12])
  }

  @Test func halvesAreRoundedUpOnBothSidesOfTheWidthOfSums() {
    // D = 2²⁴ is the last divisor of 32-bit sums; a mean of 254½ is as near to the next whole number as possible.
    for width in [4096, 4097] {
      var samples = [UInt8](repeating: 254, count: width * 4096)
      for i in 0..<width * 2048 { samples[i] = 255 }
      let half = Raster(width: width, height: 4096, channels: 1, samples: samples)
      #expect(SquareResizeTests.mean(half) == 255)
      samples[7] = 254
      #expect(SquareResizeTests.mean(Raster(width: width, height: 4096, channels: 1, samples: samples)) == 254)
    }
  }

  /// The single point of size 1: with a longer side of less than 1½ times the shorter, nothing is cut.
  static func mean(_ picture: Raster) -> UInt8 { SquareResize.planar(picture, size: 1)[0] }

  @Test func theLargestSumsFit() {
    // D·255 is largest for a long thin picture that is enlarged: the bound of the documentation, 2⁶¹.
    let row = Raster(width: 1 << 20, height: 1, channels: 1, fill: 255)
    #expect(SquareResize.planar(row, size: 64).allSatisfy { $0 == 255 })
  }
}
