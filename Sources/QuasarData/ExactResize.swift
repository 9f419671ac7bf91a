/// One axis of a resize: output i is Σ weights[starts[i] + k]·source[first[i] + k] / total.
///
/// An axis that shrinks from n to m points takes means. Output i covers [i·n, (i+1)·n) on a line where source j covers
/// [j·m, (j+1)·m); the weights are the overlaps, which sum to n. An axis that grows is interpolated linearly. Output i
/// is at ((2i + 1)·n − m) / 2m, and its two neighbours have weights 2m − f and f; edges are repeated.
struct ResizeAxis {
  private(set) var first: [Int] = []
  private(set) var starts = [0]
  private(set) var weights: [UInt64] = []
  let total: Int

  /// The outputs `kept` of the m points to which an axis of n points is scaled; all of them by default.
  init(_ n: Int, to m: Int, keeping kept: Range<Int>? = nil) {
    total = m <= n ? n : 2 * m
    for i in kept ?? 0..<m {
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

  /// Number of outputs.
  var count: Int { first.count }

  /// The source points that the outputs need.
  var sources: Range<Int> {
    let last = first.count - 1
    return first[0]..<first[last] + starts[last + 1] - starts[last]
  }
}

/// The layout of the samples of a picture: sample (x, y) of channel c is at x·column + y·row + c·channel.
struct SampleView {
  let samples: UnsafePointer<UInt8>
  let channels: Int
  let column: Int
  let row: Int
  let channel: Int
}

/// Both axes of a resize in whole numbers with one division: ⌊(Σ wy·wx·p + D/2) / D⌋ with D = Dx·Dy.
///
/// With D·255 < 2⁶¹ every sum fits 64 bits, and the bytes are the same on every machine. Up to D = 2²⁴ (pictures of 16
/// million points) sums x < 256·D fit 32 bits, and the division is a product. With M = ⌈2⁵⁶ / D⌉ and e = M·D − 2⁵⁶ < D,
/// x·M / 2⁵⁶ = x/D + x·e / (D·2⁵⁶). Because x·e < 256·D² ≤ 2⁵⁶, the excess stays below 1/D, too small to reach the next
/// whole number.
enum ExactResize {
  /// Writes planar [channels, rows.count, columns.count] bytes.
  static func write(
    _ picture: SampleView, columns: ResizeAxis, rows: ResizeAxis, to target: UnsafeMutablePointer<UInt8>
  ) {
    if columns.total * rows.total <= 1 << 24 {
      write(picture, columns, rows, to: target, as: UInt32.self)
    } else {
      write(picture, columns, rows, to: target, as: UInt64.self)
    }
  }

  private static func write<Sum: FixedWidthInteger & UnsignedInteger>(
    _ picture: SampleView, _ columns: ResizeAxis, _ rows: ResizeAxis, to target: UnsafeMutablePointer<UInt8>,
    as: Sum.Type
  ) {
    let sums: [Sum] = horizontal(picture, columns, rows: rows.sources)
    vertical(
      sums, rows, divisor: columns.total * rows.total, channels: picture.channels, width: columns.count, to: target)
  }

  /// Sums over columns, [rows, channels, width], of the given rows.
  private static func horizontal<Sum: FixedWidthInteger & UnsignedInteger>(
    _ picture: SampleView, _ axis: ResizeAxis, rows: Range<Int>
  ) -> [Sum] {
    let (channels, width, column) = (picture.channels, axis.count, picture.column)
    let row = channels * width
    let samples = picture.samples
    let allWeights = axis.weights.map { Sum($0) }
    return [Sum](unsafeUninitializedCapacity: rows.count * row) { sums, count in
      allWeights.withUnsafeBufferPointer { weights in
        axis.starts.withUnsafeBufferPointer { starts in
          axis.first.withUnsafeBufferPointer { first in
            for y in 0..<rows.count {
              let line = (rows.lowerBound + y) * picture.row
              for x in 0..<width {
                for channel in 0..<channels {
                  var sum: Sum = 0
                  var place = line + first[x] * column + channel * picture.channel
                  for k in starts[x]..<starts[x + 1] {
                    sum &+= weights[k] &* Sum(truncatingIfNeeded: samples[place])
                    place += column
                  }
                  sums[y * row + channel * width + x] = sum
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
    _ sums: [Sum], _ axis: ResizeAxis, divisor: Int, channels: Int, width: Int,
    to pixels: UnsafeMutablePointer<UInt8>
  ) {
    let height = axis.count
    let row = channels * width
    let top = axis.sources.lowerBound
    let divisor = UInt64(divisor)
    let reciprocal = Sum.bitWidth == 32 ? ((1 << 56) + divisor - 1) / divisor : 0
    var line = [Sum](repeating: 0, count: row)
    sums.withUnsafeBufferPointer { sums in
      line.withUnsafeMutableBufferPointer { line in
        for y in 0..<height {
          for x in 0..<row { line[x] = Sum(truncatingIfNeeded: divisor / 2) }
          for k in axis.starts[y]..<axis.starts[y + 1] {
            let weight = Sum(truncatingIfNeeded: axis.weights[k])
            let from = (axis.first[y] - top + k - axis.starts[y]) * row
            for x in 0..<row { line[x] &+= weight &* sums[from + x] }
          }
          for channel in 0..<channels {
            let (from, to) = (channel * width, (channel * height + y) * width)
            for x in 0..<width {
              let sum = UInt64(truncatingIfNeeded: line[from + x])
              pixels[to + x] = UInt8(
                truncatingIfNeeded: reciprocal > 0 ? (sum &* reciprocal) >> 56 : sum / divisor)
            }
          }
        }
      }
    }
  }
}
