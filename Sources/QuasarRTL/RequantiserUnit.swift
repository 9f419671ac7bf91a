import CKernels
import QuasarArithmetic
import QuasarHardware
import QuasarTensor

/// `quasar_requantiser`: what `qk_datapath_finish` makes of accumulators.
struct RequantiserUnit: RTLUnit {
  static let module = "quasar_requantiser"

  enum Form: String, CaseIterable {
    case codes, gelu, residual

    /// The form as CKernels knows it.
    var descriptor: qk_output_form {
      switch self {
      case .codes: QK_OUTPUT_INT8
      case .gelu: QK_OUTPUT_TABLE
      case .residual: QK_OUTPUT_RESIDUAL
      }
    }
  }

  var form: Form
  var generation: DSPGeneration
  /// Bits that acc + bias needs, signed.
  var sumBits: Int
  /// Bits of the output code; the clamp is narrow (GELU indices ±127, the residual stream int16).
  var outputBits: Int

  var name: String { "requantiser-\(form.rawValue)-\(outputBits)-sum\(sumBits)-\(generation.rawValue.lowercased())" }

  static var everything: [RequantiserUnit] {
    [
      RequantiserUnit(form: .codes, generation: .e2, sumBits: 27, outputBits: 8),
      RequantiserUnit(form: .codes, generation: .e2, sumBits: 27, outputBits: 6),
      RequantiserUnit(form: .codes, generation: .e2, sumBits: 32, outputBits: 8),
      RequantiserUnit(form: .gelu, generation: .e2, sumBits: 27, outputBits: 8),
      RequantiserUnit(form: .gelu, generation: .e2, sumBits: 32, outputBits: 8),
      RequantiserUnit(form: .residual, generation: .e2, sumBits: 27, outputBits: 16),
      RequantiserUnit(form: .residual, generation: .e2, sumBits: 32, outputBits: 16),
      RequantiserUnit(form: .codes, generation: .e1, sumBits: 25, outputBits: 8),
      RequantiserUnit(form: .codes, generation: .e1, sumBits: 32, outputBits: 8),
      RequantiserUnit(form: .residual, generation: .e1, sumBits: 25, outputBits: 16),
    ]
  }

  static func units(of use: EngineUse) -> [RequantiserUnit] {
    let narrowest = use.generation.preAdderBits
    let sumBits = use.resources.accumulatorBits <= narrowest ? narrowest : 32
    return [
      RequantiserUnit(form: .codes, generation: use.generation, sumBits: sumBits, outputBits: use.activationBits),
      RequantiserUnit(form: .gelu, generation: use.generation, sumBits: sumBits, outputBits: 8),
      RequantiserUnit(form: .residual, generation: use.generation, sumBits: sumBits, outputBits: 16),
    ]
  }

  /// Two DSPs: the sum is wider than the pre-adder.
  private var isWide: Bool { sumBits > generation.preAdderBits }

  var parameters: [UnitParameter] {
    [
      ("GENERATION", RTLConstants.value(generation)), ("ACCUMULATOR_BITS", sumBits), ("SUM_BITS", sumBits),
      ("OUT_BITS", outputBits), ("FORM", RTLConstants.value(form)),
    ]
  }

  var benchParameters: [UnitParameter] { [("LOW", Int(range.low)), ("HIGH", Int(range.high))] }

  /// A sum per cycle.
  var cycles: UnitCycles {
    UnitCycles(latency: EnginePipeline.requantisation(wide: isWide), interval: 1)
  }

  /// A lane of the cost model has a residual adder; the table next to it is counted with GELU.
  var resources: ResourceUse? {
    let costs = CostConstants.openSynthesis
    return ResourceUse(
      dsp: isWide ? 2 : 1,
      lut: costs.lutPerRequantisationLane + (isWide ? costs.lutOfSecondRequantisationDSP : 0)
        + (form == .gelu ? costs.lutPerTable : 0),
      ff: costs.ffPerRequantisationLane + (isWide ? costs.ffOfSecondRequantisationDSP : 0))
  }

  private var range: CodeRange { form == .residual ? .residual : .signedNarrow(bits: outputBits) }

  func cases(vectors count: Int, seed: UInt64) throws -> [UnitCase] {
    var codes = CornerCodes(seed: seed, name)
    let half = (1 << (sumBits - 2)) - 1
    let biasLimit = min(half, (1 << 30) - 1)
    let acc = (0..<count).map { _ in Int32(codes.code(-half...half)) }
    let bias = (0..<count).map { _ in Int32(codes.code(-biasLimit...biasLimit)) }
    let residual = (0..<count).map { _ in Int16(codes.code(-32768...32767)) }
    // Shifts around the one that brings the sum to the width of a code, all others now and then.
    let requantisers = (0..<count).map { _ -> Requantiser in
      let magnitude = codes.below(9) == 0 ? 0 : 32768 + codes.code(0...32767)
      let near = min(max(sumBits + 14 - outputBits + codes.below(8), 1), 47)
      return Requantiser(
        multiplier: Int32(codes.below(3) == 0 ? -magnitude : magnitude),
        shift: Int32(codes.below(4) == 0 ? 1 + codes.below(47) : near))
    }
    let table = (0..<256).map { _ in UInt8(codes.below(256)) }
    let expected = try finish(acc, bias, requantisers, residual, table)

    var input = HexFile(bits: 108)
    var output = HexFile(bits: (outputBits + 3) / 4 * 4)
    for n in 0..<count {
      input.put(Int(requantisers[n].shift), at: 0, width: 8)
      input.put(Int(requantisers[n].multiplier), at: 8, width: 20)
      input.put(Int(bias[n]), at: 28, width: 32)
      input.put(Int(acc[n]), at: 60, width: 32)
      input.put(Int(residual[n]), at: 92, width: 16)
      input.next()
      output.put(expected[n], at: 0, width: outputBits)
      output.next()
    }
    var files = [("in", input.bytes), ("out", output.bytes)]
    if form == .gelu { files.append(("table", GELUUnit.tableFile(table))) }
    return [UnitCase(self, vectors: count, files: files.map { (suffix: $0.0, contents: $0.1) })]
  }

  /// The outputs of one token of a layer of `acc.count` rows.
  private func finish(
    _ acc: [Int32], _ bias: [Int32], _ requantisers: [Requantiser], _ residual: [Int16], _ table: [UInt8]
  ) throws -> [Int] {
    let rows = acc.count
    let weights = try PackedWeights(
      name: name, codes: NDArray(zeros: [rows, 1]), rowBits: [UInt8](repeating: 8, count: rows))
    var descriptor = weights.descriptor
    var output = [Int16](repeating: 0, count: rows)
    var spec = HardwareSpec.exact
    let pixel: [Int8] = [0]
    try withUnsafePointer(to: &descriptor) { packed in
      try pixel.withUnsafeBytes { activations in
        try bias.withUnsafeBufferPointer { bias in
          try requantisers.withUnsafeBufferPointer { requantisers in
            try residual.withUnsafeBufferPointer { residual in
              try table.withUnsafeBufferPointer { table in
                try output.withUnsafeMutableBytes { output in
                  var arguments = qk_gemm_arguments()
                  arguments.tokens = 1
                  arguments.activations = activations.baseAddress
                  arguments.activation_stride = 1
                  arguments.weights = packed
                  arguments.bias = bias.baseAddress
                  arguments.requantisers = requantisers.baseAddress
                  arguments.form = form.descriptor
                  arguments.lo = form == .residual ? 0 : range.low
                  arguments.hi = form == .residual ? 0 : range.high
                  arguments.table = table.baseAddress
                  arguments.residual = residual.baseAddress
                  arguments.residual_stride = rows
                  arguments.output = output.baseAddress
                  arguments.output_stride = rows
                  try qk_datapath_finish(&arguments, acc, &spec).check(name)
                }
              }
            }
          }
        }
      }
    }
    withExtendedLifetime(weights) {}
    return output.withUnsafeBytes { bytes in
      (0..<rows).map { n in
        switch form {
        case .codes: Int(bytes.load(fromByteOffset: n, as: Int8.self))
        case .gelu: Int(bytes.load(fromByteOffset: n, as: UInt8.self))
        case .residual: Int(bytes.load(fromByteOffset: 2 * n, as: Int16.self))
        }
      }
    }
  }
}
