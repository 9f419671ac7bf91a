import CKernels
import QuasarArithmetic
import QuasarTestGradients
import QuasarTestSupport
import Testing

@testable import QuasarSupernet

@Suite struct StepSearchTests {
  private func error(_ x: [Float], _ step: Double, _ range: CodeRange) -> Double {
    x.reduce(0) {
      let code = min(max((Double($1) / step).rounded(), Double(range.low)), Double(range.high))
      return $0 + (Double($1) - step * code) * (Double($1) - step * code)
    }
  }

  /// No candidate may be better. Float sums of n squares err by √n·2^−24 relative; 1e-4 covers n = 16,384.
  @Test(arguments: [4, 6, 8])
  func bestOfAllCandidates(bits: Int) {
    let range = CodeRange.signedNarrow(bits: bits)
    for (seed, count) in [(1, 1), (2, 7), (3, 100), (4, 16_384)] {
      var random = AwkwardValues(seed)
      // One outlier, so that clipping pays.
      let x = (0..<count).map { i in i == 3 ? 8 : random.uniform(-1...1) }
      let full = Double(x.map(abs).max() ?? 0) / Double(range.high)
      let steps = [
        StepSearch.activationStep(x, range: range),
        x.withUnsafeBufferPointer { StepSearch.rowStep($0, bits: bits) },
      ]
      for step in steps {
        let index = Double(step) / full * 40
        #expect(abs(index - index.rounded()) < 1e-3 && index > 3.9 && index < 40.1)
        let chosen = error(x, Double(step), range)
        for i in 4...40 {
          let other = error(x, full * Double(i) / 40, range)
          #expect(chosen <= other * 1.0001 + 1e-9, "candidate \(i), \(count) values")
        }
      }
    }
  }

  /// Chains in the order of the values, for numbers of candidates from one lane to more than two groups of 48.
  @Test(arguments: [1, 15, 16, 37, 48, 49, 100])
  func errorsAreChainsOverTheValues(candidates: Int) {
    var random = AwkwardValues(9)
    let x = (0..<301).map { _ in random.uniform(-3...3) } + [0, -0.0, 1e-20, 5e4, -5e4, 0.125, -0.375]
    let steps = (0..<candidates).map { 0.01 + 0.125 * Float($0) }
    var errors = [Float](repeating: -1, count: candidates + 1)
    qk_step_errors(x.count, x, -10, 53, candidates, steps, &errors)
    for (step, error) in zip(steps, errors) {
      let inverse = 1 / step
      var expected: Float = 0
      for value in x {
        let product = step * min(max((value * inverse).rounded(.toNearestOrEven), -10), 53)
        let square = (value - product) * (value - product)
        expected += square
      }
      #expect(error.bitPattern == expected.bitPattern, "step \(step)")
    }
    #expect(errors.last == -1)
    qk_step_errors(0, x, -10, 53, candidates, steps, &errors)
    #expect(errors.dropLast().allSatisfy { $0 == 0 })
  }

  @Test func asymmetricRangesLookAtBothEnds() {
    let quantizer = GELUQuantizer(step: 0.01, bits: 8)
    var random = AwkwardValues(6)
    let x = (0..<1000).map { _ in Float(oracleGELU(Double(random.uniform(-4...4)))) }
    let step = StepSearch.activationStep(x, range: quantizer.limits)
    let chosen = error(x, Double(step), quantizer.limits)
    for neighbour in [0.9, 1.1] {
      #expect(chosen <= error(x, Double(step) * neighbour, quantizer.limits) * 1.3)
    }
  }

  @Test func zerosGiveThePositiveFloor() {
    #expect(StepSearch.activationStep([0, 0, 0], range: .signedNarrow(bits: 8)) == 1e-6)
    #expect(StepSearch.activationStep([], range: .signedNarrow(bits: 8)) == 1e-6)
  }
}
