/// A picture as a square of planar bytes: the shorter side scaled to `size`, the middle of the longer one kept.
///
/// An axis that shrinks from n to m points takes means: output i covers [i·n, (i+1)·n) on a line where source j covers
/// [j·m, (j+1)·m), and the overlaps, which sum to n, are the weights. An axis that grows is interpolated linearly:
/// output i lies at ((2i + 1)·n − m) / 2m, and its two neighbours weigh 2m − f and f, edges repeated. Both axes are
/// applied in whole numbers and divided once: ⌊(Σ wy·wx·p + D/2) / D⌋ with D = Dx·Dy. With 2²⁷ points in the picture
/// and size ≤ 4096, D·255 < 2⁶¹, so every sum fits 64 bits and the bytes are the same on every machine.
///
/// Up to D = 2²⁴ (pictures of 16 million points) sums x < 256·D fit 32 bits, and the division is a product: with
/// M = ⌈2⁵⁶ / D⌉ and e = M·D − 2⁵⁶ < D, x·M / 2⁵⁶ = x/D + x·e / (D·2⁵⁶), and x·e < 256·D² ≤ 2⁵⁶ keeps the excess below
/// 1/D, too small to reach the next whole number.
///
/// The longer side l becomes ⌊l·size/s + 1/2⌋; of the surplus, the smaller half is cut off at the left or the top.
enum SquareResize {
  /// The largest side.
  static let largestSize = 4096

  /// Planar [channels, size, size] bytes of the picture, 1 ≤ size ≤ 4096.
  static func planar(_ picture: Raster, size: Int) -> [UInt8] {
    precondition((1...largestSize).contains(size), "size \(size)")
    let shorter = min(picture.width, picture.height)
    if picture.width == size, picture.height == size { return picture.planar }
    let columns = Axis(picture.width, shorter: shorter, size: size)
    let rows = Axis(picture.height, shorter: shorter, size: size)
    return columns.total * rows.total <= 1 << 24
      ? planar(picture, columns, rows, as: UInt32.self) : planar(picture, columns, rows, as: UInt64.self)
  }

  private static func planar<Sum: FixedWidthInteger & UnsignedInteger>(
    _ picture: Raster, _ columns: Axis, _ rows: Axis, as: Sum.Type
  ) -> [UInt8] {
    let sums: [Sum] = horizontal(picture, columns, rows: rows.sources)
    return vertical(sums, rows, divisor: columns.total * rows.total, channels: picture.channels)
  }

  /// The weights of one axis: output i is Σ weights[starts[i] + k]·source[first[i] + k] / total.
  struct Axis {
    private(set) var first: [Int] = []
    private(set) var starts = [0]
    private(set) var weights: [UInt64] = []
    let total: Int

    /// The `size` points in the middle of an axis of n points, scaled as `shorter` is to `size`.
    init(_ n: Int, shorter: Int, size: Int) {
      let m = (2 * n * size + shorter) / (2 * shorter)
      let cut = (m - size) / 2
      total = m <= n ? n : 2 * m
      for i in cut..<cut + size {
        if m <= n { shrink(i, n, m) } else { grow(i, n, m) }
        starts.append(weights.count)
      }
    }

    private mutating func shrink(_ i: Int, _ n: Int, _ m: Int) {
      let (low, high) = (i * n, (i + 1) * n)
      first.append(low / m)
      for j in low / m...(high - 1) / m { weights.append(UInt64(min(high, (j + 1) * m) - max(low, j * m))) }
    }

    private mutating func grow(_ i: Int, _ n: Int, _ m: Int) {
      let place = (2 * i + 1) * n - m
      let j = place < 0 ? -1 : place / (2 * m)
      let fraction = place - 2 * m * j
      if j < 0 || j + 1 >= n || fraction == 0 {
        first.append(min(max(j, 0), n - 1))
        weights.append(UInt64(2 * m))
      } else {
        first.append(j)
        weights += [UInt64(2 * m - fraction), UInt64(fraction)]
      }
    }

    /// The source points that any output needs.
    var sources: Range<Int> {
      let last = first.count - 1
      return first[0]..<first[last] + starts[last + 1] - starts[last]
    }
  }

  /// Sums over columns, [rows, channels, size], of the given rows.
  private static func horizontal<Sum: FixedWidthInteger & UnsignedInteger>(
    _ picture: Raster, _ axis: Axis, rows: Range<Int>
  ) -> [Sum] {
    let (channels, size) = (picture.channels, axis.first.count)
    let row = channels * size
    let allWeights = axis.weights.map { Sum($0) }
    return [Sum](unsafeUninitializedCapacity: rows.count * row) { sums, count in
      picture.samples.withUnsafeBufferPointer { samples in
        allWeights.withUnsafeBufferPointer { weights in
          axis.starts.withUnsafeBufferPointer { starts in
            axis.first.withUnsafeBufferPointer { first in
              for y in 0..<rows.count {
                let line = (rows.lowerBound + y) * picture.width
                for x in 0..<size {
                  for channel in 0..<channels {
                    var sum: Sum = 0
                    var place = (line + first[x]) * channels + channel
                    for k in starts[x]..<starts[x + 1] {
                      sum &+= weights[k] &* Sum(truncatingIfNeeded: samples[place])
                      place += channels
                    }
                    sums[y * row + channel * size + x] = sum
                  }
                }
              }
            }
          }
        }
      }
      count = rows.count * row
    }
  }

  /// Rounded quotients of the sums over rows, planar.
  private static func vertical<Sum: FixedWidthInteger & UnsignedInteger>(
    _ sums: [Sum], _ axis: Axis, divisor: Int, channels: Int
  ) -> [UInt8] {
    let size = axis.first.count
    let row = channels * size
    let top = axis.sources.lowerBound
    let divisor = UInt64(divisor)
    let reciprocal = Sum.bitWidth == 32 ? ((1 << 56) + divisor - 1) / divisor : 0
    var line = [Sum](repeating: 0, count: row)
    return [UInt8](unsafeUninitializedCapacity: channels * size * size) { pixels, count in
      sums.withUnsafeBufferPointer { sums in
        line.withUnsafeMutableBufferPointer { line in
          for y in 0..<size {
            for x in 0..<row { line[x] = Sum(truncatingIfNeeded: divisor / 2) }
            for k in axis.starts[y]..<axis.starts[y + 1] {
              let weight = Sum(truncatingIfNeeded: axis.weights[k])
              let from = (axis.first[y] - top + k - axis.starts[y]) * row
              for x in 0..<row { line[x] &+= weight &* sums[from + x] }
            }
            for channel in 0..<channels {
              let (from, to) = (channel * size, (channel * size + y) * size)
              for x in 0..<size {
                let sum = UInt64(truncatingIfNeeded: line[from + x])
                pixels[to + x] = UInt8(
                  truncatingIfNeeded: reciprocal > 0 ? (sum &* reciprocal) >> 56 : sum / divisor)
              }
            }
          }
        }
      }
      count = channels * size * size
    }
  }
}
