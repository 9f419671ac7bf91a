import CKernels
import Foundation
import QuasarArithmetic
import QuasarTensor
import QuasarTestSupport
import Testing

@Suite struct IntegerLayerNormTests {
  private func unit(_ width: Int, _ random: inout AwkwardValues) throws
    -> (IntegerLayerNorm, [Float], [Float])
  {
    let weight = (0..<width).map { _ in random.uniform(-1.5...1.5) }
    let bias = (0..<width).map { _ in random.uniform(-1...1) }
    let norm = try IntegerLayerNorm(
      name: "norm", weight: weight, bias: bias, residualStep: 0.002, outputStep: 0.03,
      range: .signedNarrow(bits: 8))
    return (norm, weight, bias)
  }

  /// Error in codes: ½ from the last rounding. The mean is an integer, so c errs by ½ code: ½·|w|/(s_y·σ). ⌊√V⌋ and
  /// ⌊2^30/s⌋ lose 1/s and s/2^30 of the value, and M loses 2^−16.
  @Test(arguments: [1, 7, 16, 64, 131])
  func againstDouble(width: Int) throws {
    var random = AwkwardValues(width)
    let (norm, weight, bias) = try unit(width, &random)
    let rows = 17
    let input = (0..<rows * width).map { i in
      Int16(random.code(in: i / width % 3 == 0 ? -300...300 : -20_000...20_000))
    }
    let codes = try norm.codes(NDArray(input, shape: [rows, width]))
    #expect(codes.shape == [rows, width])
    let (residualStep, outputStep) = (Double(Float(0.002)), Double(Float(0.03)))
    for row in 0..<rows {
      let x = input[row * width..<(row + 1) * width].map { Double($0) * residualStep }
      let mean = x.reduce(0, +) / Double(width)
      let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width) + 1e-5
      for c in 0..<width {
        let normal = (x[c] - mean) / variance.squareRoot() * Double(weight[c]) / outputStep
        let exact = min(max(normal + Double(bias[c]) / outputStep, -127), 127)
        let sigma = variance.squareRoot() / residualStep
        let root = sigma * Double(width).squareRoot()
        let bound =
          0.5 + 0.5 * abs(Double(weight[c])) / outputStep / sigma
          + abs(normal) * (1 / root + root * 0x1p-30 + 0x1p-16) + 0.01
        let error = abs(Double(codes[flat: row * width + c]) - exact)
        try #require(error <= bound, "row \(row), column \(c)")
      }
    }
  }

  @Test func stridedRowsEqualDenseRows() throws {
    var random = AwkwardValues(77)
    let (norm, _, _) = try unit(13, &random)
    let input = NDArray((0..<5 * 13).map { _ in Int16(random.code(in: -9000...9000)) }, shape: [5, 13])
    let dense = try norm.codes(input).scalars
    let everySecond = try norm.codes(input, rows: 3, stride: 26)
    #expect(everySecond.shape == [3, 13])
    let expected: [Int8] = Array(dense[0..<13]) + Array(dense[26..<39]) + Array(dense[52..<65])
    #expect(everySecond.scalars == expected)
    #expect(throws: QuasarError.self) { try norm.codes(input, rows: 4, stride: 26) }
  }

  @Test func refusalsNameTheLayer() {
    let small = #expect(throws: QuasarError.self) {
      try IntegerLayerNorm(
        name: "block 1 norm", weight: [1, 1], bias: [0, 0], residualStep: 1e-10, outputStep: 1,
        range: .signedNarrow(bits: 8))
    }
    #expect(small?.message.contains("block 1 norm") == true)
    #expect(throws: QuasarError.self) {
      try IntegerLayerNorm(
        name: "n", epsilonCode: 1, scales: [], offsets: [1], range: .signedNarrow(bits: 8))
    }
  }
}

@Suite struct IntegerAttentionTests {
  struct Sizes {
    var batch: Int
    var tokens: Int
    var heads: Int
    var width: Int
    var bits: Int
  }

  static let sizes = [
    Sizes(batch: 1, tokens: 1, heads: 1, width: 8, bits: 8),
    Sizes(batch: 2, tokens: 17, heads: 3, width: 16, bits: 8),
    Sizes(batch: 1, tokens: 50, heads: 2, width: 32, bits: 8),
    Sizes(batch: 1, tokens: 17, heads: 2, width: 8, bits: 6),
    Sizes(batch: 2, tokens: 7, heads: 1, width: 13, bits: 4),
  ]

  /// P_j = L·e_j + δ_j with L = 2^A − 1 and |δ_j| ≤ ½ + 0.0016·L·e_j (the exponent is rounded to 2^−9, the factor to
  /// 2^−16). The weighted mean then errs by Σ|δ_j|·|v_j − o|/Σ P_j. U adds 2^−9·(1 + 2^−7), the rounding ½.
  @Test(arguments: sizes.indices)
  func againstDouble(index: Int) throws {
    let s = Self.sizes[index]
    let top = (1 << (s.bits - 1)) - 1
    var random = AwkwardValues(index)
    let inner = s.heads * s.width
    let codes = (0..<s.batch * s.tokens * 3 * inner).map { _ in random.code(in: -top...top) }
    let (qStep, kStep, vStep, outStep): (Float, Float, Float, Float) = (
      1.5 / Float(top), 1.25 / Float(top), 0.02, 0.012
    )
    let unit = try IntegerAttention(
      name: "attention", heads: s.heads, headDimension: s.width, activationBits: s.bits, queryStep: qStep,
      keyStep: kStep, valueStep: vStep, outputStep: outStep)
    let output = try unit.codes(
      NDArray(codes.map { Int8($0) }, shape: [s.batch * s.tokens, 3 * inner]), batch: s.batch,
      tokens: s.tokens)
    let levels = Double((1 << s.bits) - 1)
    let ratio = Double(vStep) / Double(outStep)
    for b in 0..<s.batch {
      for h in 0..<s.heads {
        let place = { (t: Int, part: Int) in (b * s.tokens + t) * 3 * inner + part * inner + h * s.width }
        for i in 0..<s.tokens {
          let scores = (0..<s.tokens).map { j -> Double in
            let dot = (0..<s.width).reduce(0) { $0 + codes[place(i, 0) + $1] * codes[place(j, 1) + $1] }
            return Double(dot) * Double(qStep) * Double(kStep) / Double(s.width).squareRoot()
          }
          let highest = scores.max() ?? 0
          let e = scores.map { exp($0 - highest) }
          let sum = e.reduce(0, +)
          let slack = e.map { 0.5 + 0.0016 * levels * $0 }
          let least = max(levels * 0.99, levels * sum - slack.reduce(0, +))
          for d in 0..<s.width {
            let v = (0..<s.tokens).map { Double(codes[place($0, 2) + d]) }
            let mean = zip(e, v).reduce(0) { $0 + $1.0 * $1.1 } / sum
            let exact = min(max(mean * ratio, Double(-top)), Double(top))
            let spread = zip(slack, v).reduce(0) { $0 + $1.0 * abs($1.1 - mean) } / least
            let code = Double(output[flat: (b * s.tokens + i) * inner + h * s.width + d])
            let bound = 0.5 + ratio * (spread + 0x1p-8) + 0.01
            try #require(abs(code - exact) <= bound, "image \(b), head \(h), query \(i): \(code), \(exact)")
          }
        }
      }
    }
  }

  /// Equal keys weight all values equally, so the codes are exactly the rounded means.
  @Test func equalKeysAverage() throws {
    let unit = try IntegerAttention(
      name: "attention", heads: 1, headDimension: 8, activationBits: 8, queryStep: 0.01, keyStep: 0.01,
      valueStep: 1, outputStep: 0.5)
    var rows: [Int8] = []
    for t in 0..<4 {
      rows += [Int8](repeating: 5, count: 16)
      for d in 0..<8 { rows.append(Int8(10 * t - 3 * d)) }
    }
    let output = try unit.codes(NDArray(rows, shape: [4, 24]), batch: 1, tokens: 4)
    // mean = 15 − 3d, times s_v/s_out = 2.
    let means: [Int8] = [30, 24, 18, 12, 6, 0, -6, -12]
    #expect(output.scalars == means + means + means + means)
  }

  @Test func badArgumentsAreRefused() throws {
    #expect(throws: QuasarError.self) {
      try IntegerAttention(
        name: "a", heads: 1, headDimension: 8, activationBits: 8, score: Requantiser(factor: 1, layer: "a"),
        output: Requantiser(factor: 1, layer: "a"), exponentTable: [1])
    }
    let unit = try IntegerAttention(
      name: "a", heads: 2, headDimension: 8, activationBits: 8, queryStep: 0.01, keyStep: 0.01, valueStep: 1,
      outputStep: 0.5)
    #expect(throws: QuasarError.self) { try unit.codes(NDArray(zeros: [3, 47]), batch: 1, tokens: 3) }
  }
}
