import Foundation
import Quasar

/// Σ (y − r)², Σ r² and other figures that compare codes y of a unit with real values r, both in output codes.
///
/// r is the unrounded value of the real function, clamped to the code range: values beyond it are saturated by the
/// quantiser in any implementation and would hide the rounding. The step of the output cancels in every ratio.
struct ErrorSums {
  /// Number of values compared.
  private(set) var count = 0
  /// Largest |y − r| in output codes.
  private(set) var largest = 0.0
  private var realSquares = 0.0
  private var errorSquares = 0.0
  private var roundingSquares = 0.0
  private var different = 0
  private var saturated = 0

  /// Adds one value; `code` and `range` without the zero point.
  mutating func add(code: Int32, real: Double, range: CodeRange) {
    let clamped = min(max(real, Double(range.low)), Double(range.high))
    let rounded = clamped.rounded()
    let error = Double(code) - clamped
    count += 1
    realSquares += clamped * clamped
    errorSquares += error * error
    roundingSquares += (rounded - clamped) * (rounded - clamped)
    largest = max(largest, abs(error))
    if Double(code) != rounded { different += 1 }
    if real < Double(range.low) - 0.5 || real > Double(range.high) + 0.5 { saturated += 1 }
  }

  mutating func add(_ other: ErrorSums) {
    count += other.count
    realSquares += other.realSquares
    errorSquares += other.errorSquares
    roundingSquares += other.roundingSquares
    largest = max(largest, other.largest)
    different += other.different
    saturated += other.saturated
  }

  private func relative(_ squares: Double) -> Double {
    realSquares > 0 ? (squares / realSquares).squareRoot() : 0
  }

  /// √(Σ (y − r)² / Σ r²)
  var total: Double { relative(errorSquares) }
  /// √(Σ (round(r) − r)² / Σ r²): the error of exact arithmetic with the same output codes.
  var floor: Double { relative(roundingSquares) }
  /// total/floor: 1 if the unit does as well as exact arithmetic could.
  var excess: Double { floor > 0 ? total / floor : 1 }
  /// √(Σ (y − r)² / n) in output codes.
  var codes: Double { count > 0 ? (errorSquares / Double(count)).squareRoot() : 0 }
  /// Share of codes that are not the nearest one to r.
  var differentShare: Double { Double(different) / Double(max(1, count)) }
  /// Share of real values that are more than half a code beyond the range.
  var saturatedShare: Double { Double(saturated) / Double(max(1, count)) }
}

/// The errors of one unit in one layer of one network.
struct LayerErrors {
  enum Unit: String, CaseIterable {
    case layerNorm = "LayerNorm"
    case softmax = "softmax code"
    case attention = "attention"
    case gelu = "GELU"
    case finalNorm = "last LayerNorm"
  }

  var unit: Unit
  var activationBits: Int
  var model: String
  var layer: String
  var sums: ErrorSums
  /// The steps recovered from the table, for GELU.
  var steps: GELUSteps?
}
