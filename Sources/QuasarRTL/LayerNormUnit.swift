import CKernels
import QuasarArithmetic
import QuasarHardware
import QuasarNetwork
import QuasarTensor

/// `quasar_layer_norm`: rows of the residual stream through the definition in CKernels.
struct LayerNormUnit: RTLUnit {
  static let module = "quasar_layer_norm"

  var width: Int
  var lanes: Int
  var activationBits: Int

  var name: String { "layer-norm-\(width)-by-\(lanes)-a\(activationBits)" }

  static var everything: [LayerNormUnit] {
    [
      LayerNormUnit(width: 24, lanes: 8, activationBits: 8), LayerNormUnit(width: 40, lanes: 8, activationBits: 6),
      LayerNormUnit(width: 13, lanes: 4, activationBits: 8), LayerNormUnit(width: 192, lanes: 16, activationBits: 8),
    ]
  }

  static func units(of use: EngineUse) -> [LayerNormUnit] {
    Set([use.activationBits, 8]).sorted().map {
      LayerNormUnit(width: use.architecture.embedDimension, lanes: use.engine.normLanes, activationBits: $0)
    }
  }

  private var chunks: Int { (width + lanes - 1) / lanes }

  var parameters: [UnitParameter] { [("WIDTH", width), ("LANES", lanes), ("OUT_BITS", activationBits)] }

  /// The sums and the squares of a token, then the pipeline to its first code.
  var cycles: UnitCycles {
    UnitCycles(latency: 2 * chunks + EnginePipeline.norm(lanes: lanes), interval: chunks)
  }

  var resources: ResourceUse? {
    let costs = CostConstants.openSynthesis
    return lanes
      * ResourceUse(dsp: costs.dspPerNormLane, lut: costs.lutPerNormLane, ff: costs.ffPerNormLane)
      + ResourceUse(lut: costs.lutOfNormUnit, ff: costs.ffOfNormUnit)
  }

  /// Rows take turns: full-scale corners, constant, one outlier, small and large deviations.
  private func row(_ index: Int, _ codes: inout CornerCodes) -> [Int16] {
    let kind = index % 6
    let mean = codes.code(-30000...30000)
    let spread = [1, 3, 40, 900, 12000][codes.below(5)]
    return (0..<width).map { i in
      let value =
        switch kind {
        case 0: codes.code(-32768...32767)
        case 1: mean
        case 2: i == index % width ? 32767 : -32768
        case 3: codes.below(2) == 0 ? 32767 : -32768
        default: mean + codes.below(2 * spread + 1) - spread
        }
      return Int16(min(max(value, -32768), 32767))
    }
  }

  func cases(vectors count: Int, seed: UInt64) throws -> [UnitCase] {
    var codes = CornerCodes(seed: seed, name)
    let range = CodeRange.signedNarrow(bits: activationBits)
    let epsilon = Int64(codes.below(2) == 0 ? codes.below(1 << 20) : 1 << 10)
    let outputStep = 4.0 / Double(range.high)
    let scales = try (0..<width).map { _ in
      let weight = Double(codes.code(-2000...2000)) / 1000
      return try Requantiser(
        factor: weight * Double(width).squareRoot() / (0x1p30 * outputStep), layer: name)
    }
    let offsets = scales.map { scale in
      Int64(codes.code(-200...200)) << Int64(scale.shift) / 100
    }
    let norm = try IntegerLayerNorm(
      name: name, epsilonCode: epsilon, scales: scales, offsets: offsets, range: range)
    let input = NDArray<Int16>(uninitialized: [count, width])
    for n in 0..<count {
      for (i, code) in row(n, &codes).enumerated() { input.pointer[n * width + i] = code }
    }
    let output = try norm.codes(input, on: IntegerExecution(units: ReferenceUnits(), images: 1))

    var constants = HexFile(bits: 92)
    constants.put(Int(epsilon), at: 0, width: 40)
    constants.put(Int(range.low), at: 40, width: 16)
    constants.put(Int(range.high), at: 56, width: 16)
    constants.next()
    for (scale, offset) in zip(scales, offsets) {
      constants.put(Int(scale.multiplier), at: 0, width: 20)
      constants.put(Int(scale.shift), at: 20, width: 8)
      constants.put(Int(offset), at: 28, width: 64)
      constants.next()
    }
    var inputs = HexFile(bits: 16 * lanes)
    var outputs = HexFile(bits: activationBits * lanes)
    for n in 0..<count {
      for chunk in 0..<chunks {
        for lane in 0..<min(lanes, width - chunk * lanes) {
          let place = n * width + chunk * lanes + lane
          inputs.put(Int(input.pointer[place]), at: 16 * lane, width: 16)
          outputs.put(Int(output.pointer[place]), at: activationBits * lane, width: activationBits)
        }
        inputs.next()
        outputs.next()
      }
    }
    return [
      UnitCase(
        self, vectors: count,
        files: [("parameters", constants.bytes), ("in", inputs.bytes), ("out", outputs.bytes)])
    ]
  }
}

/// The definition of LayerNorm, never a fast kernel.
private struct ReferenceUnits: IntegerUnits {
  func linear(_ layer: IntegerLinear, _ arguments: inout qk_gemm_arguments, images: Int) throws {
    try qk_gemm_reference(&arguments).check(layer.name)
  }
  func attention(_ layer: IntegerAttention, _ arguments: inout qk_attention_arguments) throws {
    try qk_attention_reference(&arguments).check(layer.name)
  }
  func layerNorm(_ layer: IntegerLayerNorm, _ arguments: inout qk_layer_norm_arguments) throws {
    try qk_layer_norm_reference(&arguments).check(layer.name)
  }
}
