import Foundation

/// A real number with the spread of the same computation in fp32 around it.
///
/// First-order error propagation with independent roundings: a rounding of a result r adds a spread of u·|r|, u =
/// 2^−24, and spreads e of operands pass through f as √Σ(∂f·e)². Roundings that depend on each other add up faster than
/// that, so a comparison allows eight spreads, as `floatTolerance` does. (Bounds for the worst case, Σ|∂f|·e, grow
/// tenfold per layer and detect nothing after two blocks.)
struct Rounded {
  var value: Double
  var spread: Double

  static let u = 0x1p-24

  init(_ value: Double, spread: Double = 0) {
    self.value = value
    self.spread = spread
  }

  /// The same after one more rounding.
  var rounded: Rounded { Rounded(value, spread: hypot(spread, Rounded.u * abs(value))) }

  static func + (a: Rounded, b: Rounded) -> Rounded {
    Rounded(a.value + b.value, spread: hypot(a.spread, b.spread)).rounded
  }
  static func - (a: Rounded, b: Rounded) -> Rounded {
    Rounded(a.value - b.value, spread: hypot(a.spread, b.spread)).rounded
  }
  static func * (a: Rounded, b: Rounded) -> Rounded {
    Rounded(a.value * b.value, spread: hypot(a.value * b.spread, b.value * a.spread)).rounded
  }

  /// Σ terms in any order: n − 1 additions, whose results are at most Σ|term|.
  static func sum(_ terms: [Rounded]) -> Rounded {
    let sizes = terms.reduce(0) { $0 + abs($1.value) }
    let squares = terms.reduce(0) { $0 + $1.spread * $1.spread }
    return Rounded(
      terms.reduce(0) { $0 + $1.value },
      spread: (squares + Double(terms.count - 1) * u * u * sizes * sizes).squareRoot())
  }

  var inverse: Rounded { Rounded(1 / value, spread: spread / (value * value)).rounded }

  var squareRoot: Rounded { Rounded(value.squareRoot(), spread: spread / (2 * value.squareRoot())).rounded }

  /// e^x; the kernel's own relative error is below 2·10⁻⁷ (`float_common.h`).
  var exponential: Rounded { Rounded(exp(value), spread: exp(value) * hypot(spread, 2e-7)).rounded }

  /// x·Φ(x); the kernel's Φ is off by at most 2·10⁻⁷ (`training.h`), and the slope of GELU is at most 1.13.
  var gelu: Rounded {
    Rounded(value * 0.5 * erfc(-value / 2.0.squareRoot()), spread: hypot(1.13 * spread, 2e-7 * value)).rounded
  }
}
