import CKernels
import Foundation
import QuasarArithmetic
import QuasarTensor
import QuasarTestSupport
import Testing

@Suite struct IntegerLinearTests {
  /// [tokens, rows, depth]
  static let shapes = [[1, 1, 1], [7, 13, 5], [17, 9, 64], [3, 33, 131], [65, 3, 7]]

  private func layer(_ rows: Int, _ depth: Int, _ random: inout AwkwardValues, factor: ClosedRange<Float>)
    throws -> IntegerLinear
  {
    let bits = (0..<rows).map { _ in random.next() % 2 == 0 ? UInt8(4) : 8 }
    let codes = randomCodes(bits, depth: depth, &random)
    let bias = (0..<rows).map { _ in Int32(random.code(in: -20_000...20_000)) }
    let requantisers = try (0..<rows).map { n in
      try Requantiser(factor: Double(random.uniform(factor)) * (n % 3 == 1 ? -1 : 1), layer: "test")
    }
    return try IntegerLinear(
      name: "test", codes: codes, rowBits: bits, bias: bias, requantisers: requantisers)
  }

  @Test(arguments: shapes)
  func formsOnSignedCodes(shape: [Int]) throws {
    var random = AwkwardValues(shape[0] + shape[2])
    let layer = try layer(shape[1], shape[2], &random, factor: 1e-4...0.02)
    let input = (0..<shape[0] * shape[2]).map { _ in random.code(in: -127...127) }
    let x = IntegerLinear.Input.signed(NDArray(input.map { Int8($0) }, shape: [shape[0], shape[2]]))
    let sums = oracleAccumulators(input, layer)
    let r = layer.requantisers
    func requantised(_ low: Int, _ high: Int) -> [Int] {
      sums.enumerated().map { oracleRequantise($1, r[$0 % r.count], low, high) }
    }
    let output = try layer.accumulators(x)
    #expect(output.shape == [shape[0], shape[1]])
    #expect(output.scalars.map { Int($0) } == sums)
    #expect(
      try layer.codes(x, range: .signedNarrow(bits: 6)).scalars.map { Int($0) } == requantised(-31, 31))
    #expect(
      try layer.wideCodes(x).scalars.map { Int($0) } == requantised(Int(Int32.min), Int(Int32.max)))
    let table = GELUTable(inputStep: 0.03, output: GELUQuantizer(step: 0.02, bits: 8))
    #expect(
      try layer.tableCodes(x, table: table).scalars == requantised(-127, 127).map { table.entries[$0 + 128] })
  }

  @Test(arguments: shapes)
  func residualFormSaturates(shape: [Int]) throws {
    var random = AwkwardValues(shape[1])
    // Factors up to 30: the product alone exceeds int16, and so does its sum with the stream.
    let layer = try layer(shape[1], shape[2], &random, factor: 0.01...30)
    let input = (0..<shape[0] * shape[2]).map { _ in random.code(in: 0...255) }
    let x = IntegerLinear.Input.unsigned(NDArray(input.map { UInt8($0) }, shape: [shape[0], shape[2]]))
    let stream = (0..<shape[0] * shape[1]).map { _ in Int16(random.code(in: -32768...32767)) }
    let expected = oracleAccumulators(input, layer).enumerated().map { i, sum in
      let delta = oracleRequantise(sum, layer.requantisers[i % shape[1]], -32768, 32767)
      return Int16(min(max(Int(stream[i]) + delta, -32768), 32767))
    }
    let residual = NDArray(stream, shape: [shape[0], shape[1]])
    #expect(try layer.residualCodes(x, residual: residual).scalars == expected)
  }

  /// The real layer y = Σ s_w·W·(s_x·(X − zero) − mean) + b in double; only the bias is rounded, to half a step.
  @Test(arguments: [Int32(0), 17], [false, true])
  func foldedBiasAndFactor(zero: Int32, hasMean: Bool) throws {
    var random = AwkwardValues(Int(zero) + 2)
    let (tokens, rows, depth) = (5, 13, 37)
    let bits = (0..<rows).map { $0 % 2 == 0 ? UInt8(4) : 8 }
    let codes = randomCodes(bits, depth: depth, &random)
    let steps = (0..<rows).map { _ in random.uniform(0.001...0.1) }
    let means = (0..<(hasMean ? depth : 0)).map { _ in random.uniform(0...1) }
    let gains = (0..<rows).map { random.uniform(0.01...2) * ($0 % 2 == 0 ? -1 : 1) }
    let outputs = (0..<rows).map { _ in Double(random.uniform(0.01...0.2)) }
    let bias = (0..<rows).map { _ in random.uniform(-3...3) }
    let layer = try IntegerLinear(
      name: "folded", codes: codes, rowBits: bits, realBias: bias,
      scales: .init(
        input: 0.0123, inputZero: zero, inputMean: means, rows: steps, output: outputs, gain: gains))
    let input = (0..<tokens * depth).map { _ in random.code(in: 0...255) }
    let sums = try layer.accumulators(.unsigned(NDArray(input.map { UInt8($0) }, shape: [tokens, depth])))
    for t in 0..<tokens {
      for n in 0..<rows {
        var real = Double(bias[n])
        for k in 0..<depth {
          let x = Double(Float(0.0123)) * Double(input[t * depth + k] - Int(zero))
          let mean = hasMean ? Double(means[k]) : 0
          real += Double(steps[n]) * Double(codes[flat: n * depth + k]) * (x - mean)
        }
        let step = Double(Float(0.0123)) * Double(steps[n])
        let error = abs(Double(sums[flat: t * rows + n]) - real / step)
        try #require(error <= 0.5 + 1e-6, "token \(t), row \(n)")
      }
    }
    for n in 0..<rows {
      let factor = Double(Float(0.0123)) * Double(steps[n]) * Double(gains[n]) / outputs[n]
      let r = layer.requantisers[n]
      let value = Double(r.multiplier) * pow(2, -Double(r.shift))
      try #require(abs(value - factor) <= abs(factor) * 0x1p-16, "factor of row \(n)")
      #expect((r.multiplier < 0) == (gains[n] < 0))
    }
  }

  @Test func biasCodeLimitNamesTheLayer() throws {
    let codes = NDArray<Int8>([3], shape: [1, 1])
    func make(_ bias: Float) throws -> IntegerLinear {
      try IntegerLinear(
        name: "block 4 expand", codes: codes, rowBits: [8], realBias: [bias],
        scales: .init(input: 1, rows: [1], output: [1]))
    }
    // The largest float below 2^30 fits; 2^30 itself does not.
    #expect(try make(Float(0x1p30).nextDown).bias == [Int32(Float(0x1p30).nextDown)])
    for bias in [Float(0x1p30), -0x1p30, 1e20, .infinity, .nan] {
      let error = #expect(throws: QuasarError.self) { try make(bias) }
      #expect(error?.kind == .badData && error?.message.contains("block 4 expand") == true, "bias \(bias)")
    }
  }

  @Test func badArgumentsAreRefusedByName() throws {
    var random = AwkwardValues(1)
    let good = try layer(3, 5, &random, factor: 0.1...0.2)
    let narrow = IntegerLinear.Input.signed(NDArray(zeros: [2, 4]))
    #expect(throws: QuasarError.self) { try good.accumulators(narrow) }
    let fitting = IntegerLinear.Input.signed(NDArray(zeros: [2, 5]))
    #expect(throws: QuasarError.self) { try good.residualCodes(fitting, residual: NDArray(zeros: [1, 3])) }
    let error = #expect(throws: QuasarError.self) {
      try IntegerLinear(
        name: "head", codes: good.codes, rowBits: [8], bias: good.bias, requantisers: good.requantisers)
    }
    #expect(error?.message.contains("head") == true)
    // A code of a 4-bit row is outside −8…7.
    #expect(throws: QuasarError.self) {
      try IntegerLinear(
        name: "head", codes: NDArray([100], shape: [1, 1]), rowBits: [4], bias: [0],
        requantisers: [Requantiser(factor: 1, layer: "head")])
    }
  }
}
