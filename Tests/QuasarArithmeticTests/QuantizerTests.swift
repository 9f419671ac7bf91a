import CKernels
import Foundation
import QuasarArithmetic
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
