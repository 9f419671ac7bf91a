import Foundation
import Quasar

/// Steps s_in and s_out whose table round(gelu(s_in·c)/s_out) + zero is the given one, entry for entry.
///
/// A packed model holds the 256 entries but not the two steps. Each entry e of input code c bounds t = 1/s_out for a
/// given s_in: e − zero − ½ ≤ gelu(s_in·c)·t ≤ e − zero + ½ (one-sided where the entry is clamped). All bounds together
/// leave an interval of t. s_in is taken where that interval is widest, s_out from its middle. Any pair with a
/// non-empty interval is a function that this table rounds correctly.
struct GELUSteps {
  var input: Double
  var output: Double

  /// nil if no pair of steps has exactly this table.
  init?(_ table: GELUTable, bits: Int) {
    let zero = Double(table.entries[128])
    let top = Double((1 << bits) - 1)

    func interval(_ input: Double) -> (low: Double, high: Double) {
      var (low, high) = (0.0, Double.infinity)
      for code in -127...127 where code != 0 {
        let entry = Double(table.entries[code + 128])
        let real = RealFunctions.gelu(input * Double(code))
        guard real != 0 else { continue }
        let below = entry > 0 ? (entry - zero - 0.5) / real : nil
        let above = entry < top ? (entry - zero + 0.5) / real : nil
        // A negative value reverses the inequality.
        if let bound = real > 0 ? below : above { low = max(low, bound) }
        if let bound = real > 0 ? above : below { high = min(high, bound) }
      }
      return (low, high)
    }
    // Width relative to the middle: negative while the bounds contradict each other, largest at the best s_in.
    func slack(_ input: Double) -> Double {
      let (low, high) = interval(input)
      return high.isFinite && low > 0 ? (high - low) / (high + low) : -1
    }

    var best = (input: 0.0, slack: -Double.infinity)
    var (from, to, count) = (1e-4, 0.5, 4000)
    for _ in 0..<4 {
      let ratio = pow(to / from, 1 / Double(count))
      for i in 0...count {
        let candidate = from * pow(ratio, Double(i))
        let value = slack(candidate)
        if value > best.slack { best = (candidate, value) }
      }
      (from, to, count) = (best.input / pow(ratio, 4), best.input * pow(ratio, 4), 400)
    }
    guard best.slack > 0 else { return nil }
    let (low, high) = interval(best.input)
    input = best.input
    output = 2 / (low + high)
  }
}
