import Foundation
import Testing

@testable import QuasarPipeline

@Suite struct PairedDifferenceTests {
  /// Printed tables (Fisher & Yates; NIST/SEMATECH e-Handbook, 1.3.6.7.2), three decimals.
  @Test(arguments: [
    (0.95, 1, 12.706), (0.95, 2, 4.303), (0.95, 3, 3.182), (0.95, 4, 2.776), (0.95, 5, 2.571), (0.95, 6, 2.447),
    (0.95, 7, 2.365), (0.95, 8, 2.306), (0.95, 9, 2.262), (0.95, 10, 2.228), (0.95, 15, 2.131), (0.95, 20, 2.086),
    (0.95, 29, 2.045), (0.95, 30, 2.042), (0.95, 60, 2.000), (0.95, 100, 1.984), (0.90, 1, 6.314), (0.90, 4, 2.132),
    (0.90, 9, 1.833), (0.99, 1, 63.657), (0.99, 2, 9.925), (0.99, 5, 4.032), (0.99, 30, 2.750), (0.99, 100, 2.626),
  ])
  func quantilesAreThoseOfPrintedTables(confidence: Double, freedom: Int, printed: Double) {
    let found = StudentT.quantile(confidence: confidence, freedom: freedom)
    #expect(abs(found - printed) <= 0.0005 + 1e-9, "\(found)")
    #expect(abs(StudentT.central(found, freedom: freedom) - confidence) < 1e-12)
  }

  /// Closed forms: ν = 1 is tan(πp/2), ν = 2 is p·√(2/(1 − p²)).
  @Test func quantilesOfOneAndTwoAreClosedForms() {
    for p in stride(from: 0.05, to: 1, by: 0.05) {
      let (one, two) = (tan(.pi * p / 2), p * (2 / (1 - p * p)).squareRoot())
      #expect(abs(StudentT.quantile(confidence: p, freedom: 1) - one) < 1e-12 * (1 + one))
      #expect(abs(StudentT.quantile(confidence: p, freedom: 2) - two) < 1e-12 * (1 + two))
    }
  }

  /// The probability is the integral of the density Γ((ν+1)/2)/(√(πν)·Γ(ν/2))·(1 + x²/ν)^(−(ν+1)/2).
  @Test func probabilityIsTheIntegralOfTheDensity() {
    for freedom in [1, 2, 3, 4, 5, 8, 13, 40] {
      let v = Double(freedom)
      let factor = exp(lgamma((v + 1) / 2) - lgamma(v / 2)) / (.pi * v).squareRoot()
      func density(_ x: Double) -> Double { factor * pow(1 + x * x / v, -(v + 1) / 2) }
      for t in [0.3, 1, 2.5] {
        // Simpson over 2,000 intervals: error (t/2000)⁴·t/180·max f⁗, far below 1e-12.
        let h = t / 2000
        var sum = density(0) + density(t)
        for i in 1..<2000 { sum += density(Double(i) * h) * (i % 2 == 1 ? 4 : 2) }
        #expect(abs(StudentT.central(t, freedom: freedom) - 2 * sum * h / 3) < 1e-10, "ν \(freedom), t \(t)")
      }
    }
  }

  @Test func intervalByHand() throws {
    let found = try #require(PairedDifference([1, 2, 3]))
    #expect(found.pairs == 3 && found.mean == 2 && found.deviation == 1)
    let half = 4.302653 / 3.0.squareRoot()
    #expect(abs(found.low - (2 - half)) < 1e-5 && abs(found.high - (2 + half)) < 1e-5)
    // Student's own sleep data (1908): 10 patients, mean 1.58, t = 4.06.
    let sleep = try #require(PairedDifference([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]))
    #expect(abs(sleep.mean - 1.58) < 1e-12)
    #expect(abs(sleep.mean / (sleep.deviation / 10.0.squareRoot()) - 4.0621) < 5e-5)
    #expect(abs(sleep.low - 0.7001) < 5e-5 && abs(sleep.high - 2.4599) < 5e-5)
    let equal = try #require(PairedDifference([0.5, 0.5]))
    #expect(equal.mean == 0.5 && equal.low == 0.5 && equal.high == 0.5)
    #expect(PairedDifference([1]) == nil && PairedDifference([]) == nil)
  }
}
