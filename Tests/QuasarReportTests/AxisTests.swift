import Testing

@testable import QuasarReport

@Suite struct AxisTests {
  @Test func roundTicks() {
    let axis = Axis([0.61, 0.87], ticks: 5, format: .percent)
    #expect(axis.ticks.map(axis.label) == ["60 %", "65 %", "70 %", "75 %", "80 %", "85 %", "90 %"])
    let steps = Axis([0, 1200], ticks: 5, format: .number, extends: false, integers: true)
    #expect(steps.ticks.map(steps.label) == ["0", "200", "400", "600", "800", "1,000", "1,200"])
    let few = Axis([0, 3], ticks: 8, format: .number, extends: false, integers: true)
    #expect(few.ticks == [0, 1, 2, 3])
    #expect(Axis([-1, 1], ticks: 4, format: .number).ticks.map { "\($0)" }.contains("0.0"))
  }

  @Test func staysWithinItsLimits() {
    let axis = Axis([0.97, 0.999], ticks: 5, format: .percent, limits: 0...1)
    #expect(axis.upper <= 1 && axis.lower <= 0.97)
    let one = Axis([1, 1], ticks: 5, format: .percent, limits: 0...1)
    #expect(one.upper == 1 && one.lower < 1)
  }

  @Test(
    arguments: [
      [], [.nan], [.infinity, 3], [0], [5, 5], [1e308, -1e308], [1e-300, 2e-300], [1e15, -1e15], [-4, -4],
    ] as [[Double]])
  func anyValuesGiveAFiniteAxis(values: [Double]) {
    for format in [ValueFormat.number, .percent, .short] {
      let axis = Axis(values, ticks: 6, format: format).placed(from: 0, to: 100)
      #expect(axis.lower < axis.upper && axis.ticks.count < 20)
      for tick in axis.ticks { #expect((-0.01...100.01).contains(axis.position(tick))) }
      for value in values where isDrawable(value, 0) {
        #expect((-0.01...100.01).contains(axis.position(value)))
      }
    }
  }

  @Test func numbersAsText() {
    #expect(grouped(1_234_567) == "1,234,567" && grouped(-12) == "−12" && grouped(999) == "999")
    #expect(grouped(-12_345.678, decimals: 1) == "−12,345.7" && grouped(-0.04, decimals: 1) == "0.0")
    #expect(grouped(.nan, decimals: 1) == "–" && grouped(Int.min) == "−9,223,372,036,854,775,808")
    #expect(ValueFormat.short.text(12_500, decimals: 0) == "12.5 k")
    #expect(ValueFormat.short.text(3_000_000, decimals: 0) == "3 M")
    #expect(
      ValueFormat.short.text(999_900, decimals: 0) == "1 M" && ValueFormat.short.text(7, decimals: 0) == "7")
    #expect(percent(0.87654) == "87.65 %" && percent(.infinity) == "–")
  }
}
