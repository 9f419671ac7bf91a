import CKernels
import QuasarArithmetic
import QuasarHardware

/// `quasar_pe`: the chains of the scalar DSP model, summed as the fabric accumulator does.
struct ProcessingElementUnit: RTLUnit {
  static let module = "quasar_pe"

  var mode: PackingMode
  var weight: OperandRange
  var activation: OperandRange
  /// Products per chain.
  var chain: Int
  /// Decoder of modes without repair.
  var decode = LaneDecoder.parallel
  var accumulatorBits = 32
  /// Longest dot product, in product sets.
  var longest: Int

  private var isUnsigned: Bool { activation.lowest >= 0 }

  /// Every mode with narrow codes, or full-range ones where only they make a difference to the depth, signed and
  /// unsigned, at its full depth (4,095 products at most).
  static var everything: [ProcessingElementUnit] {
    PackingMode.all.flatMap { mode in
      [true, false].flatMap { narrow in
        [false, true].compactMap { unsigned -> ProcessingElementUnit? in
          let weight = OperandRange.signed(bits: mode.weightBits, narrow: narrow)
          let activation =
            unsigned
            ? OperandRange.unsigned(bits: mode.activationBits)
            : OperandRange.signed(bits: mode.activationBits, narrow: narrow)
          guard let depth = mode.depth(weight: weight, activation: activation), depth >= 1 else { return nil }
          let isNew = narrow || depth != mode.depth(narrow: true, unsignedActivations: unsigned)
          guard isNew else { return nil }
          let chain = min(depth, 4095)
          return ProcessingElementUnit(
            mode: mode, weight: weight, activation: activation, chain: chain, longest: min(3 * chain + 2, 96))
        }
      }
    }
  }

  /// The modes of the engine with the operands and chains of every kind of product.
  static func units(of use: EngineUse) throws -> [ProcessingElementUnit] {
    let (engine, bits) = (use.engine, use.activationBits)
    let chains = try ChainLengths(engine, activationBits: bits)
    let signed = OperandRange.signed(bits: bits, narrow: true)
    let unsigned = OperandRange.unsigned(bits: bits)
    let wide = OperandRange.signed(bits: 8, narrow: true)
    let products: [(PackingMode, Int, OperandRange, Int)] = [
      (engine.fourBitMode, 4, signed, chains.fourSigned), (engine.fourBitMode, 4, unsigned, chains.fourUnsigned),
      (engine.eightBitMode, 8, signed, chains.eightSigned),
      (engine.eightBitMode, 8, unsigned, chains.eightUnsigned), (engine.eightBitMode, 8, wide, chains.head),
      (engine.eightBitMode, 8, .unsigned(bits: 8), chains.patches),
      (engine.attentionMode, bits, signed, chains.scores), (engine.attentionMode, bits, unsigned, chains.context),
    ]
    let longest = max(2, min(96, (use.work.largestInputs + engine.inputElements - 1) / engine.inputElements))
    var units: [ProcessingElementUnit] = []
    for (mode, weightBits, activation, chain) in products {
      var mode = mode
      mode.weightBits = weightBits
      mode.activationBits = Self.bits(of: activation)
      let unit = ProcessingElementUnit(
        mode: mode, weight: .signed(bits: weightBits, narrow: true), activation: activation, chain: chain,
        longest: max(longest, min(3 * chain, 96)))
      if !units.contains(where: { $0.name == unit.name }) { units.append(unit) }
    }
    return units
  }

  private static func bits(of range: OperandRange) -> Int {
    let magnitude = Int.bitWidth - range.highest.leadingZeroBitCount
    return range.lowest < 0 ? magnitude + 1 : magnitude
  }

  var name: String {
    let narrow = weight.lowest == -weight.highest
    return "\(mode.name)-\(isUnsigned ? "u" : "s")\(narrow ? "" : "-full")-\(chain)"
  }

  var parameters: [UnitParameter] {
    [
      ("GENERATION", RTLConstants.value(mode.generation)), ("WEIGHTS", mode.weights),
      ("ACTIVATIONS", mode.activations), ("PITCH", mode.pitch), ("WEIGHT_BITS", mode.weightBits),
      ("ACTIVATION_BITS", mode.activationBits), ("WEIGHT_FORM", RTLConstants.value(mode.weightForm)),
      ("ACTIVATIONS_SIGNED", isUnsigned ? 0 : 1), ("REPAIR", RTLConstants.value(mode.repair)),
      ("DECODE", RTLConstants.value(decode)), ("CHAIN", chain), ("ACCUMULATOR_BITS", accumulatorBits),
    ]
  }

  /// A product set per cycle.
  var cycles: UnitCycles { UnitCycles(latency: EnginePipeline.element, interval: 1) }

  /// Accumulators, corrections and repairs of one DSP that is drained alone; a decoder and an operand register as wide as
  /// its lanes.
  var resources: ResourceUse? {
    let costs = CostConstants.openSynthesis
    let accumulators = mode.lanes * accumulatorBits
    var lut = accumulators * costs.lutPerAccumulatorBit + mode.correctedBits * costs.lutPerCorrectedBit
    switch mode.repair {
    case .none: break
    case .restoredBit: lut += mode.lanes * costs.lutPerRestoredLane
    case .carryCounters: lut += mode.lanes * costs.lutPerCounterLane
    }
    return ResourceUse(
      dsp: 1, lut: lut,
      ff: accumulators * costs.ffPerAccumulatorBit + mode.lanes * mode.pitch + costs.ffPerDSP)
  }

  /// `count` product sets in dot products of random length; every third dot product repeats one corner product, so
  /// that lanes come to the edge of their fields.
  func cases(vectors count: Int, seed: UInt64) -> [UnitCase] {
    var codes = CornerCodes(seed: seed, name)
    let (weights, activations) = (mode.weights, mode.activations)
    let activationBits = activations * mode.activationBits
    let weightBits = weights * mode.weightBits
    var input = HexFile(bits: (activationBits + weightBits + 1 + 3) / 4 * 4)
    var output = HexFile(bits: (weights * activations * accumulatorBits + 3) / 4 * 4)
    var product = 0
    while input.words < count {
      let length = min(1 + codes.below(longest), count - input.words)
      var sets: [(w: [Int32], x: [Int32])] = []
      for n in 0..<length {
        if product % 3 == 0, n > 0 {
          sets.append(sets[0])
          continue
        }
        sets.append(
          (
            (0..<weights).map { _ in Int32(codes.code(weight.lowest...weight.highest)) },
            (0..<activations).map { _ in Int32(codes.code(activation.lowest...activation.highest)) }
          ))
      }
      for (n, set) in sets.enumerated() {
        for (i, code) in set.x.enumerated() {
          input.put(Int(code), at: i * mode.activationBits, width: mode.activationBits)
        }
        for (i, code) in set.w.enumerated() {
          input.put(Int(code), at: activationBits + i * mode.weightBits, width: mode.weightBits)
        }
        input.put(n == length - 1 ? 1 : 0, at: activationBits + weightBits, width: 1)
        input.next()
      }
      for (i, sum) in accumulators(sets).enumerated() {
        output.put(sum, at: i * accumulatorBits, width: accumulatorBits)
      }
      output.next()
      product += 1
    }
    return [UnitCase(self, vectors: input.words, files: [("in", input.bytes), ("out", output.bytes)])]
  }

  /// Σ of the drains of one slice; the accumulator's wrap is that of its field in the output word.
  private func accumulators(_ sets: [(w: [Int32], x: [Int32])]) -> [Int] {
    var descriptor = mode.descriptor
    var sums = [Int](repeating: 0, count: mode.productsPerDSP)
    var lanes = [Int64](repeating: 0, count: mode.productsPerDSP)
    for first in stride(from: 0, to: sets.count, by: chain) {
      let part = sets[first..<min(first + chain, sets.count)]
      _ = qk_packing_chain(
        &descriptor, decode.descriptor, isUnsigned ? 1 : 0, Int32(part.count), part.flatMap(\.w), part.flatMap(\.x),
        nil, &lanes)
      for i in sums.indices { sums[i] &+= Int(lanes[i]) }
    }
    return sums
  }
}
