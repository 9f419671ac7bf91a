import CKernels
import Foundation
import Quasar

/// Errors of the units on synthetic inputs, as curves over one parameter.
enum Sweeps {
  typealias Curve = [PlotPoint]

  private static let random = RandomSource(seed: 1)

  /// Normal numbers with mean 0 and standard deviation 1 (Box–Muller).
  private static func normals(_ name: String, _ count: Int) -> [Double] {
    var stream = random.generator(name)
    return (0..<count).map { _ in
      (-2 * log(1 - stream.unit())).squareRoot() * cos(2 * .pi * stream.unit())
    }
  }

  /// Largest |P − (2^A − 1)·2^−z| over each 1/16 of an octave of the score distance z, 0…A + 2 octaves.
  ///
  /// Distances are spaced 1/4096 octave, so both roundings (z to 1/256 octave, P to a code) reach their worst.
  static func probability(bits: Int) throws -> Curve {
    // log2(e)·s_q·s_k/√d = 2^−12 octaves per score code.
    let attention = try IntegerAttention(
      name: "sweep", heads: 1, headDimension: 1, activationBits: bits,
      queryStep: Float(0x1p-12 / 1.4426950408889634), keyStep: 1, valueStep: 1, outputStep: 1)
    return (0..<(bits + 2) * 16).map { bin in
      var sums = ErrorSums()
      for distance in Int32(bin * 256)..<Int32(bin * 256 + 256) { NetworkWalk.add(distance, attention, to: &sums) }
      return PlotPoint(x: Double(bin) / 16, y: sums.largest)
    }
  }

  /// The errors of an attention sweep at one point.
  struct AttentionErrors {
    var unit: Double
    var rounding: Double
    /// The error if probabilities are normalised before they are rounded to A bits.
    var normalisedFirst: Double
  }

  /// Errors for scores of standard deviation `spread` (in units of the natural logarithm), 64 channels per head.
  ///
  /// q, k, v and the output have four standard deviations up to the end of the code range. So rounding alone costs the
  /// same everywhere, and the additional error of the unit can be compared.
  static func attention(bits: Int, tokens: Int, spread: Double) throws -> AttentionErrors {
    let dimension = 64
    let range = CodeRange.signedNarrow(bits: bits)
    let batch = max(4, 1024 / tokens)
    let deviation = Double(range.high) / 4
    let codes = normals("attention \(tokens)", batch * tokens * 3 * dimension).map {
      Int8(min(max(($0 * deviation).rounded(), Double(range.low)), Double(range.high)))
    }
    let qkv = NDArray(codes, shape: [batch * tokens, 3 * dimension])
    func unit(_ outputStep: Float) throws -> IntegerAttention {
      try IntegerAttention(
        name: "sweep", heads: 1, headDimension: dimension, activationBits: bits,
        queryStep: Float(spread / (deviation * deviation)), keyStep: 1, valueStep: Float(1 / deviation),
        outputStep: outputStep)
    }
    let heads = try (0..<batch).map {
      RealFunctions.Head(qkv, image: $0, head: 0, tokens: tokens, attention: try unit(1))
    }
    let plain = try unit(1)
    let squares = heads.reduce(0.0) { sum, head in
      (0..<tokens).reduce(sum) { $0 + RealFunctions.attention(head, query: $1, plain).reduce(0) { $0 + $1 * $1 } }
    }
    let rms = (squares / Double(batch * tokens * dimension)).squareRoot()
    let attention = try unit(Float(4 * rms) / Float(range.high))
    let output = try attention.codes(qkv, batch: batch, tokens: tokens)
    let sums = NetworkWalk.outputErrors(attention, qkv, output, batch: batch, tokens: tokens)

    var normalised = ErrorSums()
    let top = Double((1 << bits) - 1)
    for head in heads {
      for query in 0..<tokens {
        let weights = head.distances(query).map { RealFunctions.softmaxWeight($0, attention) }
        let total = weights.reduce(0, +)
        let rounded = weights.map { (top * $0 / total).rounded() }
        let factor = attention.output.factor * 256
        let lossy = head.mixed(rounded, divisor: top)
        for (value, real) in zip(lossy, head.mixed(weights, divisor: total)) {
          let code = min(max((value * factor).rounded(), Double(range.low)), Double(range.high))
          normalised.add(code: Int32(code), real: real * factor, range: range)
        }
      }
    }
    withExtendedLifetime(qkv) {}
    return AttentionErrors(unit: sums.total, rounding: sums.floor, normalisedFirst: normalised.total)
  }

  /// s_out·(entry − zero) − gelu(s_in·c), in real units, over the input code c, for inputs of ±4.
  static func gelu(bits: Int) -> Curve {
    let input = Float(4) / 127
    // Leaves room for the deepest negative value and for gelu(4) = 3.9999.
    let quantizer = GELUQuantizer(step: Float(4.17) / Float((1 << bits) - 1), bits: bits)
    let table = GELUTable(inputStep: input, output: quantizer)
    return GELUTable.inputRange.codes.map { code in
      let entry = Double(quantizer.step) * (Double(table.entries[Int(code) + 128]) - Double(quantizer.zero))
      return PlotPoint(x: Double(code), y: entry - RealFunctions.gelu(Double(input) * Double(code)))
    }
  }

  /// LayerNorm of rows of `width` normal codes of this standard deviation, ε = 0, weight 1, bias 0.
  ///
  /// The mean of a row is uniform over ±(deviation + 1), so it is anywhere between two codes. The output step puts four
  /// deviations at the end of the code range.
  static func layerNorm(bits: Int, width: Int, deviation: Double) throws -> ErrorSums {
    let range = CodeRange.signedNarrow(bits: bits)
    let rows = max(4, 65_536 / width)
    let norm = try IntegerLayerNorm(
      name: "sweep", weight: Array(repeating: 1, count: width), bias: Array(repeating: 0, count: width),
      epsilon: 0, residualStep: 1, outputStep: 4 / Float(range.high), range: range)
    var means = random.generator("layer norm means")
    let values = normals("layer norm \(width)", rows * width)
    let codes = (0..<rows).flatMap { row -> [Int16] in
      let mean = (2 * means.unit() - 1) * (deviation + 1)
      return (0..<width).map { i in
        Int16(min(max((values[row * width + i] * deviation + mean).rounded(), -32768), 32767))
      }
    }
    let input = NDArray(codes, shape: [rows, width])
    defer { withExtendedLifetime(input) {} }
    return NetworkWalk.normErrors(norm, input, try norm.codes(input))
  }
}

extension CodeRange {
  /// low…high
  var codes: ClosedRange<Int32> { low...high }
}
