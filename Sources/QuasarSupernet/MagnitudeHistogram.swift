/// Counts of values by magnitude, rounded up to ten significant bits: percentiles of any amount of data.
///
/// There are 2^17 + 1 counts, however many values are added and in any order. Rounding up makes a percentile at most
/// 2^−9 too large.
public struct MagnitudeHistogram: Sendable {
  private static let dropped: UInt32 = 14
  private var counts = [Int](repeating: 0, count: 1 << 17 + 1)
  /// Values added so far.
  public private(set) var total = 0

  public init() {}

  /// Counts |x|. Values that are not finite count as larger than all others.
  public mutating func add(_ value: Float) {
    let bits = value.magnitude.bitPattern
    counts[Int((bits + (1 << MagnitudeHistogram.dropped - 1)) >> MagnitudeHistogram.dropped)] += 1
    total += 1
  }

  /// The smallest magnitude that at least `percent` % of all values do not exceed (nearest rank); 0 without values.
  ///
  /// Where that is 0, because nearly all values are 0, the result is the largest magnitude. Example: 999 values of 1
  /// and one of 8 → 1 for 99.9, 8 for 99.95.
  public func percentile(_ percent: Double) -> Float {
    let filled = counts.indices.filter { counts[$0] > 0 }
    var below = 0
    let ranked = filled.first { key in
      below += counts[key]
      return Double(below) * 100 >= percent * Double(total)
    }
    let found = ranked == 0 ? filled.last : ranked
    return found.map { Float(bitPattern: UInt32($0) << MagnitudeHistogram.dropped) } ?? 0
  }
}
