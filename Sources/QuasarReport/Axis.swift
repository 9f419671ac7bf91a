import Foundation

/// One axis: a range of values with round tick marks, mapped to a range of pixels.
struct Axis {
  /// First and last value shown.
  let lower: Double
  let upper: Double
  /// Values of the tick marks, all within lower…upper.
  let ticks: [Double]
  let format: ValueFormat
  private let decimals: Int
  private var first = 0.0
  private var last = 1.0

  /// The axis of these values; values that are not finite or above 10¹⁵ are left out.
  ///
  /// With `extends` the range grows to the next tick marks, otherwise it ends at the outermost values. Steps are 1, 2
  /// or 5 times a power of ten. Growing never exceeds `limits`: (0…1) keeps a share below 100 %. Example: 0.61…0.87
  /// with 5 ticks → 0.6, 0.7, 0.8, 0.9.
  init(
    _ values: [Double], ticks count: Int, format: ValueFormat, extends: Bool = true, integers: Bool = false,
    limits: ClosedRange<Double>? = nil
  ) {
    let finite = values.filter { abs($0) <= 1e15 }
    var low = finite.min() ?? 0
    var high = finite.max() ?? 1
    if high - low < max(abs(high), abs(low)) * 1e-9 || high == low {
      // A single value gets space on both sides.
      let room = low == 0 ? 1 : abs(low) * 0.1
      low -= room
      high += room
      if let limits {
        low = max(low, limits.lowerBound)
        high = min(high, limits.upperBound)
      }
    }
    let step = Axis.niceStep((high - low) / Double(max(1, count)), integers: integers)
    if extends {
      low = (low / step + 1e-9).rounded(.down) * step
      high = (high / step - 1e-9).rounded(.up) * step
      if let limits {
        low = max(low, min(limits.lowerBound, finite.min() ?? low))
        high = min(high, max(limits.upperBound, finite.max() ?? high))
      }
    }
    lower = low
    upper = high
    let start = (low / step - 1e-9).rounded(.up)
    let end = (high / step + 1e-9).rounded(.down)
    ticks = start <= end ? stride(from: start, through: end, by: 1).map { $0 == 0 ? 0 : $0 * step } : []
    self.format = format
    let shown = format == .percent ? step * 100 : step
    decimals = max(0, Int((-log10(shown) - 1e-9).rounded(.up)))
  }

  /// The same axis over these pixels; the first belongs to `lower`.
  func placed(from first: Double, to last: Double) -> Axis {
    var copy = self
    copy.first = first
    copy.last = last
    return copy
  }

  /// The pixel of a value.
  func position(_ value: Double) -> Double {
    first + (value - lower) / (upper - lower) * (last - first)
  }

  func label(_ tick: Double) -> String { format.text(tick, decimals: decimals) }

  /// Width of the widest tick label.
  var labelWidth: Double { ticks.map { estimatedWidth(label($0)) }.max() ?? 0 }

  /// The nearest of 1, 2, 5 times a power of ten, by ratio.
  private static func niceStep(_ step: Double, integers: Bool) -> Double {
    guard step > 0, step.isFinite else { return 1 }
    let power = pow(10, floor(log10(step)))
    let digit = step / power
    // The borders are the geometric means of neighbouring steps: √2, √10, √50.
    let nice = (digit * digit < 2 ? 1 : digit * digit < 10 ? 2 : digit * digit < 50 ? 5 : 10) * power
    return integers ? max(1, nice) : nice
  }
}

/// True if both numbers fit on an axis: finite and at most 10¹⁵.
func isDrawable(_ x: Double, _ y: Double) -> Bool { abs(x) <= 1e15 && abs(y) <= 1e15 }
