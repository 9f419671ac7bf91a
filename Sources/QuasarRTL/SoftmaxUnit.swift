import CKernels
import QuasarArithmetic
import QuasarHardware
import QuasarTensor

/// `quasar_softmax`: rows of scores, their probability codes, Z, k and R.
struct SoftmaxUnit: RTLUnit {
  static let module = "quasar_softmax"

  var tokens: Int
  var lanes: Int
  var scoreBits: Int
  var activationBits: Int

  var name: String { "softmax-\(tokens)-by-\(lanes)-a\(activationBits)" }

  static var everything: [SoftmaxUnit] {
    [
      SoftmaxUnit(tokens: 17, lanes: 4, scoreBits: 20, activationBits: 6),
      SoftmaxUnit(tokens: 65, lanes: 8, scoreBits: 22, activationBits: 8),
      SoftmaxUnit(tokens: 197, lanes: 16, scoreBits: 23, activationBits: 8),
      SoftmaxUnit(tokens: 1, lanes: 1, scoreBits: 16, activationBits: 4),
    ]
  }

  static func units(of use: EngineUse) -> [SoftmaxUnit] {
    [
      SoftmaxUnit(
        tokens: use.tokens, lanes: use.engine.softmaxLanes, scoreBits: use.resources.scoreBits + 1,
        activationBits: use.activationBits)
    ]
  }

  /// Chunks of a row.
  private var chunks: Int { (tokens + lanes - 1) / lanes }

  var parameters: [UnitParameter] {
    [("TOKENS", tokens), ("LANES", lanes), ("SCORE_BITS", scoreBits), ("ACTIVATION_BITS", activationBits)]
  }

  var cycles: UnitCycles {
    UnitCycles(latency: chunks + EnginePipeline.softmaxCodes(lanes: lanes), interval: chunks)
  }

  var resources: ResourceUse? {
    let costs = CostConstants.openSynthesis
    return lanes
      * ResourceUse(dsp: costs.dspPerSoftmaxLane, lut: costs.lutPerSoftmaxLane, ff: costs.ffPerSoftmaxLane)
      + ResourceUse(lut: costs.lutOfSoftmaxUnit, ff: costs.ffOfSoftmaxUnit)
  }

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

  func cases(vectors count: Int, seed: UInt64) throws -> [UnitCase] {
    var codes = CornerCodes(seed: seed, name)
    // One octave of probability for 2^(scoreBits − 8) of score.
    let octave = 1 << max(2, scoreBits - 8)
    let score = try Requantiser(factor: 256.0 / Double(octave) * 1.09, layer: name)
    var table = [UInt16](repeating: 0, count: Int(QK_EXPONENT_TABLE_SIZE))
    try qk_exponent_table(Int32(activationBits), &table).check(name)

    var constants = HexFile(bits: 24)
    constants.put(Int(score.multiplier), at: 0, width: 16)
    constants.put(Int(score.shift), at: 16, width: 8)
    constants.next()
    for entry in table {
      constants.put(Int(entry), at: 0, width: 16)
      constants.next()
    }
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
    return [
      UnitCase(
        self, vectors: count,
        files: [("parameters", constants.bytes), ("in", inputs.bytes), ("out", outputs.bytes)])
    ]
  }
}
