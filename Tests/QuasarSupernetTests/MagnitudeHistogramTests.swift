import QuasarArithmetic
import QuasarSupernet
import QuasarTestSupport
import Testing

@Suite struct MagnitudeHistogramTests {
  /// |x| rounded up to ten significant bits.
  static func roundedUp(_ value: Float) -> Double {
    guard value != 0 else { return 0 }
    let magnitude = Double(abs(value))
    let unit = Double(sign: .plus, exponent: max(magnitude.exponent, -126) - 9, significand: 1)
    return (magnitude / unit).rounded(.up) * unit
  }

  /// Nearest rank of sorted magnitudes.
  static func percentile(_ values: [Float], _ percent: Double) -> Double {
    let sorted = values.map { roundedUp($0) }.sorted()
    guard let last = sorted.last else { return 0 }
    let rank = max(1, Int((percent / 100 * Double(sorted.count) - 1e-6).rounded(.up)))
    return sorted[rank - 1] == 0 ? last : sorted[rank - 1]
  }

  @Test(arguments: [1, 2, 7, 100, 1000, 30_001])
  func percentilesAreThoseOfSortedValues(count: Int) {
    var random = AwkwardValues(count)
    let values = (0..<count).map { i in random.value(limit: 8) * (i % 5 == 0 ? 1e-3 : 1) }
    var (forwards, backwards) = (MagnitudeHistogram(), MagnitudeHistogram())
    for value in values { forwards.add(value) }
    for value in values.reversed() { backwards.add(-value) }
    #expect(forwards.total == count)
    for percent in [90, 95, 99, 99.9, 99.99, 100] {
      let found = forwards.percentile(percent)
      #expect(Double(found) == MagnitudeHistogramTests.percentile(values, percent), "\(percent) of \(count)")
      #expect(backwards.percentile(percent) == found)
      let covered = values.count { abs($0) <= found }
      #expect(Double(covered) >= percent / 100 * Double(count) - 1e-6)
    }
  }

  @Test func workedNumbers() {
    var values = MagnitudeHistogram()
    #expect(values.percentile(99.9) == 0)
    for _ in 0..<999 { values.add(-1) }
    values.add(8)
    #expect(values.percentile(99.9) == 1 && values.percentile(99.95) == 8 && values.percentile(100) == 8)
    // 1 + 2^−9 has ten bits; 1 + 2^−10 is rounded up to it.
    for (x, expected) in [(Float(1.001953125), Float(1.001953125)), (1.0009765625, 1.001953125), (1.9999, 2)] {
      var one = MagnitudeHistogram()
      one.add(x)
      #expect(one.percentile(99) == expected)
    }
    // Nearly all values are zero, but the step must not be that of zero.
    var sparse = MagnitudeHistogram()
    for i in 0..<1000 { sparse.add(i < 3 ? Float(i + 1) : 0) }
    #expect(sparse.percentile(99) == 3)
    for wild in [Float.nan, .infinity] { sparse.add(wild) }
    #expect(sparse.percentile(99.8) == 3)
  }

  @Test func stepPutsThePercentileOnTheLargestCode() {
    var values = MagnitudeHistogram()
    for _ in 0..<999 { values.add(3.5) }
    values.add(100)
    #expect(StepSearch.percentileStep(values, 99.9, range: .signedNarrow(bits: 4)) == 0.5)
    #expect(StepSearch.percentileStep(values, 100, range: .signedNarrow(bits: 8)) == Float(100) / 127)
    #expect(StepSearch.percentileStep(values, 99.9, range: .unsigned(bits: 4), depth: 0.25) == 0.25)
    #expect(StepSearch.percentileStep(MagnitudeHistogram(), 99.9, range: .signedNarrow(bits: 4)) == 1e-6)
    values.add(.infinity)
    #expect(StepSearch.percentileStep(values, 100, range: .signedNarrow(bits: 8)).isFinite)
  }
}
