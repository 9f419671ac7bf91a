/// A picture as a square of planar bytes: the shorter side scaled to `size`, the middle of the longer one kept.
///
/// An axis that shrinks from n to m points takes means: output i covers [i·n, (i+1)·n) on a line where source j covers
/// [j·m, (j+1)·m), and the overlaps, which sum to n, are the weights. An axis that grows is interpolated linearly:
/// output i lies at ((2i + 1)·n − m) / 2m, and its two neighbours weigh 2m − f and f, edges repeated. Both axes are
/// applied in whole numbers and divided once: ⌊(Σ wy·wx·p + D/2) / D⌋ with D = Dx·Dy. With 2²⁷ points in the picture
/// and size ≤ 4096, D·255 < 2⁶¹, so every sum fits 64 bits and the bytes are the same on every machine.
///
/// The longer side l becomes ⌊l·size/s + 1/2⌋; of the surplus, the smaller half is cut off at the left or the top.
enum SquareResize {
  /// The largest side.
  static let largestSize = 4096

  /// Planar [channels, size, size] bytes of the picture, 1 ≤ size ≤ 4096.
  static func planar(_ picture: Raster, size: Int) -> [UInt8] {
    precondition((1...largestSize).contains(size), "size \(size)")
    let shorter = min(picture.width, picture.height)
    let columns = Axis(picture.width, shorter: shorter, size: size)
    let rows = Axis(picture.height, shorter: shorter, size: size)
    let sums = horizontal(picture, columns, rows: rows.sources)
    return vertical(sums, rows, divisor: UInt64(columns.total * rows.total), channels: picture.channels, size: size)
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
  private static func horizontal(_ picture: Raster, _ axis: Axis, rows: Range<Int>) -> [UInt64] {
    let (channels, size) = (picture.channels, axis.first.count)
    let row = channels * size
    return [UInt64](unsafeUninitializedCapacity: rows.count * row) { sums, count in
      picture.samples.withUnsafeBufferPointer { samples in
        axis.weights.withUnsafeBufferPointer { weights in
          for (y, sourceRow) in rows.enumerated() {
            let line = sourceRow * picture.width
            for x in 0..<size {
              let from = (line + axis.first[x]) * channels
              let (start, end) = (axis.starts[x], axis.starts[x + 1])
              for channel in 0..<channels {
                var sum: UInt64 = 0
                var place = from + channel
                for k in start..<end {
                  sum &+= weights[k] &* UInt64(samples[place])
                  place += channels
                }
                sums[y * row + channel * size + x] = sum
              }
            }
          }
        }
      }
      count = rows.count * row
    }
  }

  /// Rounded quotients of the sums over rows, planar.
  private static func vertical(
    _ sums: [UInt64], _ axis: Axis, divisor: UInt64, channels: Int, size: Int
  ) -> [UInt8] {
    let row = channels * size
    let top = axis.sources.lowerBound
    var line = [UInt64](repeating: 0, count: row)
    return [UInt8](unsafeUninitializedCapacity: channels * size * size) { pixels, count in
      sums.withUnsafeBufferPointer { sums in
        line.withUnsafeMutableBufferPointer { line in
          for y in 0..<size {
            for x in 0..<row { line[x] = divisor / 2 }
            for k in axis.starts[y]..<axis.starts[y + 1] {
              let weight = axis.weights[k]
              let from = (axis.first[y] - top + k - axis.starts[y]) * row
              for x in 0..<row { line[x] &+= weight &* sums[from + x] }
            }
            for channel in 0..<channels {
              let to = (channel * size + y) * size
              for x in 0..<size { pixels[to + x] = UInt8(truncatingIfNeeded: line[channel * size + x] / divisor) }
            }
          }
        }
      }
      count = channels * size * size
    }
  }
}
