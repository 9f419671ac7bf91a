import CKernels
import QuasarArithmetic
import QuasarHardware
import QuasarTensor

/// `quasar_context`: weighted sums divided by Z and requantised.
struct ContextUnit: RTLUnit {
  static let module = "quasar_context"

  var lanes: Int
  var tokens: Int
  var activationBits: Int

  var name: String { "context-\(tokens)-by-\(lanes)-a\(activationBits)" }

  static var everything: [ContextUnit] {
    [ContextUnit(lanes: 8, tokens: 197, activationBits: 8), ContextUnit(lanes: 4, tokens: 17, activationBits: 6)]
  }

  static func units(of use: EngineUse) -> [ContextUnit] {
    [ContextUnit(lanes: use.engine.contextLanes, tokens: use.tokens, activationBits: use.activationBits)]
  }

  var parameters: [UnitParameter] { [("LANES", lanes), ("SUM_BITS", sumBits), ("OUT_BITS", activationBits)] }

  /// A word of sums per cycle.
  var cycles: UnitCycles { UnitCycles(latency: EnginePipeline.context, interval: 1) }

  /// One DSP more per lane for sums that leave the wide operand of a DSP48E2.
  var resources: ResourceUse? {
    let costs = CostConstants.openSynthesis
    return lanes
      * ResourceUse(
        dsp: costs.dspPerContextLane + (sumBits > DSPGeneration.e2.preAdderBits ? 1 : 0),
        lut: costs.lutPerContextLane, ff: costs.ffPerContextLane)
  }

  /// Bits of O, signed: |O| ≤ T·(2^A − 1)·(2^(A−1) − 1).
  var sumBits: Int {
    let largest = tokens * ((1 << activationBits) - 1) * ((1 << (activationBits - 1)) - 1)
    return Int.bitWidth - largest.leadingZeroBitCount + 1
  }

  func cases(vectors count: Int, seed: UInt64) throws -> [UnitCase] {
    var codes = CornerCodes(seed: seed, name)
    let range = CodeRange.signedNarrow(bits: activationBits)
    let top = (1 << activationBits) - 1
    var constants = HexFile(bits: 32)
    constants.put(Int(range.low), at: 0, width: 16)
    constants.put(Int(range.high), at: 16, width: 16)
    constants.next()
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
    return [
      UnitCase(
        self, vectors: count,
        files: [("parameters", constants.bytes), ("in", inputs.bytes), ("out", outputs.bytes)])
    ]
  }
}
