import CKernels
import QuasarArithmetic
import QuasarHardware
import QuasarTensor

/// Vectors of `quasar_softmax`: rows of scores, their probability codes, Z, k and R.
struct SoftmaxCase {
  var tokens: Int
  var lanes: Int
  var scoreBits: Int
  var activationBits: Int

  var name: String { "softmax-\(tokens)-by-\(lanes)-a\(activationBits)" }

  /// Rows take turns: any scores with corners, all equal, near ties, a spread of some octaves.
  private func row(_ index: Int, octave: Int, _ codes: inout CornerCodes) -> [Int32] {
    let limit = (1 << (scoreBits - 2)) - 1
    let centre = codes.code(-limit...limit)
    return (0..<tokens).map { _ in
      let score =
        switch index % 4 {
        case 0: codes.code(-limit...limit)
        case 1: centre
        case 2: centre - codes.below(4)
        default: centre - codes.below(octave * (activationBits + 2))
        }
      return Int32(min(max(score, -limit - 1), limit))
    }
  }

  func unitCase(count: Int, seed: UInt64) throws -> UnitCase {
    var codes = CornerCodes(seed: seed, name)
    // One octave of probability for 2^(scoreBits − 8) of score.
    let octave = 1 << max(2, scoreBits - 8)
    let score = try Requantiser(factor: 256.0 / Double(octave) * 1.09, layer: name)
    var table = [UInt16](repeating: 0, count: Int(QK_EXPONENT_TABLE_SIZE))
    try qk_exponent_table(Int32(activationBits), &table).check(name)

    var parameters = HexFile(bits: 24)
    parameters.put(Int(score.multiplier), at: 0, width: 16)
    parameters.put(Int(score.shift), at: 16, width: 8)
    parameters.next()
    for entry in table {
      parameters.put(Int(entry), at: 0, width: 16)
      parameters.next()
    }
    let chunks = (tokens + lanes - 1) / lanes
    var inputs = HexFile(bits: lanes * scoreBits)
    var outputs = HexFile(bits: max(lanes * activationBits, 56))
    for n in 0..<count {
      let scores = row(n, octave: octave, &codes)
      let top = scores.max() ?? 0
      let p = scores.map { Int(qk_probability(top - $0, score, Int32(activationBits), table)) }
      let z = p.reduce(0, +)
      var k: Int32 = 0
      let reciprocal = qk_reciprocal16(UInt32(z), &k)
      for chunk in 0..<chunks {
        for lane in 0..<min(lanes, tokens - chunk * lanes) {
          let place = chunk * lanes + lane
          inputs.put(Int(scores[place]), at: scoreBits * lane, width: scoreBits)
          outputs.put(p[place], at: activationBits * lane, width: activationBits)
        }
        inputs.next()
        outputs.next()
      }
      outputs.put(Int(reciprocal), at: 0, width: 16)
      outputs.put(Int(k), at: 16, width: 8)
      outputs.put(z, at: 24, width: 32)
      outputs.next()
    }
    return UnitCase(
      name: name, unit: "quasar_softmax",
      parameters: [
        ("TOKENS", tokens), ("LANES", lanes), ("SCORE_BITS", scoreBits), ("ACTIVATION_BITS", activationBits),
      ], vectors: count, expectedLatency: chunks + EnginePipeline.softmaxCodes(lanes: lanes), expectedInterval: chunks,
      files: [("parameters", parameters.bytes), ("in", inputs.bytes), ("out", outputs.bytes)])
  }
}

/// Vectors of `quasar_context`: weighted sums divided by Z and requantised.
struct ContextCase {
  var lanes: Int
  var tokens: Int
  var activationBits: Int

  var name: String { "context-\(tokens)-by-\(lanes)-a\(activationBits)" }

  /// Bits of O, signed: |O| ≤ T·(2^A − 1)·(2^(A−1) − 1).
  var sumBits: Int {
    let largest = tokens * ((1 << activationBits) - 1) * ((1 << (activationBits - 1)) - 1)
    return Int.bitWidth - largest.leadingZeroBitCount + 1
  }

  func unitCase(count: Int, seed: UInt64) throws -> UnitCase {
    var codes = CornerCodes(seed: seed, name)
    let range = CodeRange.signedNarrow(bits: activationBits)
    let top = (1 << activationBits) - 1
    var parameters = HexFile(bits: 32)
    parameters.put(Int(range.low), at: 0, width: 16)
    parameters.put(Int(range.high), at: 16, width: 16)
    parameters.next()
    var inputs = HexFile(bits: 56 * lanes + 28)
    var outputs = HexFile(bits: lanes * activationBits)
    for _ in 0..<count {
      let output = try Requantiser(
        factor: Double(codes.code(-3000...3000)) / 1000 / 256, layer: name)
      for lane in 0..<lanes {
        let z = codes.code(top...tokens * top)
        var k: Int32 = 0
        let reciprocal = qk_reciprocal16(UInt32(z), &k)
        let limit = Int(range.high) * z
        let sum = codes.code(-limit...limit)
        let u = qk_normalise_context(Int32(sum), reciprocal, k)
        inputs.put(sum, at: 56 * lane, width: 32)
        inputs.put(Int(reciprocal), at: 56 * lane + 32, width: 16)
        inputs.put(Int(k), at: 56 * lane + 48, width: 8)
        outputs.put(
          Int(qk_requantise(u, output, range.low, range.high)), at: activationBits * lane, width: activationBits)
      }
      inputs.put(Int(output.multiplier), at: 56 * lanes, width: 20)
      inputs.put(Int(output.shift), at: 56 * lanes + 20, width: 8)
      inputs.next()
      outputs.next()
    }
    return UnitCase(
      name: name, unit: "quasar_context",
      parameters: [("LANES", lanes), ("SUM_BITS", sumBits), ("OUT_BITS", activationBits)], vectors: count,
      expectedLatency: EnginePipeline.context, expectedInterval: 1,
      files: [("parameters", parameters.bytes), ("in", inputs.bytes), ("out", outputs.bytes)])
  }
}
