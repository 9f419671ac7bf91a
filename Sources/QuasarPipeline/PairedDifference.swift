import Foundation

/// Student's t distribution for a whole number ν of degrees of freedom.
enum StudentT {
  /// P(|T| ≤ t), t ≥ 0: the finite sums of Abramowitz & Stegun 26.7.3 and 26.7.4, θ = arctan(t/√ν).
  ///
  /// ν odd: 2/π·(θ + sin θ·(cos θ + 2/3·cos³θ + … + (2·4…(ν−3))/(3·5…(ν−2))·cos^(ν−2) θ)); ν even:
  /// sin θ·(1 + 1/2·cos²θ + … + (1·3…(ν−3))/(2·4…(ν−2))·cos^(ν−2) θ). Example: t = 1, ν = 1 → 1/2.
  static func central(_ t: Double, freedom: Int) -> Double {
    central(angle: atan(t / Double(freedom).squareRoot()), freedom)
  }

  /// The t with P(|T| ≤ t) = confidence, by halving the interval of θ. Example: 0.95, ν = 2 → 4.3027.
  static func quantile(confidence: Double, freedom: Int) -> Double {
    var (low, high) = (0.0, Double.pi / 2)
    for _ in 0..<64 {
      let middle = (low + high) / 2
      if central(angle: middle, freedom) < confidence { low = middle } else { high = middle }
    }
    return Double(freedom).squareRoot() * tan((low + high) / 2)
  }

  private static func central(angle: Double, _ freedom: Int) -> Double {
    let (sine, cosine) = (sin(angle), cos(angle))
    let isOdd = freedom % 2 == 1
    var term = isOdd ? cosine : 1
    var sum = 0.0
    // The term of cos^k is the term of cos^(k−2) times (k − 1)/k.
    var power = isOdd ? 1 : 0
    while power <= freedom - 2 {
      sum += term
      power += 2
      term *= cosine * cosine * Double(power - 1) / Double(power)
    }
    return isOdd ? 2 / Double.pi * (angle + sine * sum) : sine * sum
  }
}

/// The mean of the differences d of pairs, with its confidence interval mean ± t·s/√n.
///
/// s is the standard deviation of the n differences with the divisor n − 1. t is the quantile of Student's distribution
/// with n − 1 degrees of freedom. The interval is right if the differences are independent and normal (Student 1908).
/// Example: differences 1, 2, 3 at 95 % → 2 ± 4.303·1/√3 = −0.48…4.48.
public struct PairedDifference: Codable, Sendable, Equatable {
  public var pairs: Int
  public var mean: Double
  /// s
  public var deviation: Double
  public var low: Double
  public var high: Double

  /// nil for fewer than two differences: a single one shows no spread.
  public init?(_ differences: [Double], confidence: Double = 0.95) {
    let n = Double(differences.count)
    guard differences.count >= 2 else { return nil }
    pairs = differences.count
    let mean = differences.reduce(0, +) / n
    self.mean = mean
    deviation = (differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)).squareRoot()
    let half = StudentT.quantile(confidence: confidence, freedom: pairs - 1) * deviation / n.squareRoot()
    low = mean - half
    high = mean + half
  }
}
