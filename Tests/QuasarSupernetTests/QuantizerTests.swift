import CKernels
import Foundation
import QuasarQuant
import QuasarTensor
import QuasarTestSupport
import Testing

@Suite struct CodeRangeTests {
  @Test func limits() {
    #expect(CodeRange.signedNarrow(bits: 4) == CodeRange(low: -7, high: 7))
    #expect(CodeRange.signedNarrow(bits: 6) == CodeRange(low: -31, high: 31))
    #expect(CodeRange.signedNarrow(bits: 8) == CodeRange(low: -127, high: 127))
    #expect(CodeRange.unsigned(bits: 4) == CodeRange(low: 0, high: 15))
    #expect(CodeRange.unsigned(bits: 8) == CodeRange(low: 0, high: 255))
    #expect(CodeRange.residual == CodeRange(low: Int32(Int16.min), high: Int32(Int16.max)))
  }
}

@Suite struct GELUQuantizerTests {
  @Test func depthIsTheMinimumOfGELU() {
    let lowest = (0...20_000).map { oracleGELU(-0.7 - Double($0) * 5e-6) }.min() ?? 0
    // The constant has seven digits.
    #expect(abs(lowest + GELUQuantizer.depth) < 5e-8)
  }

  @Test func zeroAndLimits() {
    // 0.1699712/step: 1.70, 16.997, 3.40, 0.17, 169.97 (beyond 15).
    let cases: [(Float, Int, Int32)] = [(0.1, 8, 2), (0.01, 8, 17), (0.05, 6, 3), (1, 4, 0), (0.001, 4, 15)]
    for (step, bits, zero) in cases {
      let quantizer = GELUQuantizer(step: step, bits: bits)
      #expect(quantizer.zero == zero, "step \(step), \(bits) bits")
      #expect(quantizer.limits == CodeRange(low: -zero, high: Int32(1 << bits) - 1 - zero))
    }
  }
}

@Suite struct GELUTableTests {
  @Test(arguments: [4, 6, 8])
  func everyEntry(bits: Int) {
    for inputStep: Float in [1e-4, 0.003, 0.0101, 0.0333, 0.05, 0.127, 0.5, 2] {
      for outputStep: Float in [0.0007, 0.004, 0.0123, 0.0666, 0.25, 1.1] {
        let output = GELUQuantizer(step: outputStep, bits: bits)
        let table = GELUTable(inputStep: inputStep, output: output)
        let zero = min((0.1699712 / Double(outputStep)).rounded(), Double((1 << bits) - 1))
        let expected = (-128...127).map { code in
          let exact = oracleGELU(Double(inputStep) * Double(code)) / Double(outputStep)
          let value = exact.rounded(.toNearestOrAwayFromZero) + zero
          return UInt8(min(max(value, 0), Double((1 << bits) - 1)))
        }
        let wrong = firstDifference(table.entries, expected)
        #expect(wrong == nil, "steps \(inputStep), \(outputStep), code \((wrong ?? 0) - 128)")
      }
    }
  }

  @Test func appliesByCodePlus128() throws {
    let table = try GELUTable(entries: (0...255).map { UInt8($0) })
    let codes = NDArray<Int8>([-128, -1, 0, 127], shape: [2, 2])
    #expect(table.apply(codes).scalars == [0, 127, 128, 255] && table.apply(codes).shape == [2, 2])
    #expect(throws: QuasarError.self) { try GELUTable(entries: [1, 2, 3]) }
  }
}

@Suite struct RequantiserTests {
  /// A 16-bit multiplier: relative error ≤ ½/2^15.
  @Test func nearestFactor() throws {
    for factor in [0.75, -0.75, 1e-6, 3.1, 32767.5, -1.0 / 3, 1] {
      let r = try Requantiser(factor: factor, layer: "x")
      let value = Double(r.multiplier) * pow(2, -Double(r.shift))
      #expect(abs(value - factor) <= abs(factor) * 0x1p-16, "\(factor)")
    }
  }

  @Test func refusalsNameTheLayer() {
    for factor in [32768, -1e9, .infinity, .nan] {
      let error = #expect(throws: QuasarError.self) { try Requantiser(factor: factor, layer: "block 2 qkv") }
      #expect(error?.message.contains("block 2 qkv") == true)
    }
  }

  @Test func specOfThisBuild() throws {
    try ArithmeticSpec.standard.validate()
    var other = ArithmeticSpec.standard
    other.version = 2
    #expect(throws: QuasarError.self) { try other.validate() }
  }
}

@Suite struct StepSearchTests {
  private func error(_ x: [Float], _ step: Double, _ range: CodeRange) -> Double {
    x.reduce(0) {
      let code = min(max((Double($1) / step).rounded(), Double(range.low)), Double(range.high))
      return $0 + (Double($1) - step * code) * (Double($1) - step * code)
    }
  }

  /// No candidate may be better; float sums of n squares err by √n·2^−24 relative, 1e-4 covers n = 16,384.
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

  /// Chains in the order of the values, for candidates of one lane to more than two groups of 48.
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

@Suite struct EmbeddingCodeTests {
  @Test func roundsAndSaturates() {
    let codes = embeddingCodes(
      cls: [0.5, -1], position: [0.25, 0.5, 1.3, -1.3, 9000, -9000, 0.375, -0.375], step: 0.25)
    // 0.75/0.25, −0.5/0.25, 5.2, −5.2, ±36,000 saturates, ±1.5 rounds away from zero.
    #expect(codes == [3, -2, 5, -5, 32767, -32768, 2, -2])
  }

  @Test func classTokenOnlyInRowZero() {
    let codes = embeddingCodes(cls: [7, 7, 7], position: Array(repeating: 1, count: 9), step: 1)
    #expect(codes == [8, 8, 8, 1, 1, 1, 1, 1, 1])
  }
}
