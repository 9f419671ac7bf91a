import QuasarArithmetic
import QuasarTensor

/// DSP, LUT and FF of an engine for one network; memories are in `BufferModel`.
///
/// All figures are sums over parts (array, vector lanes of each kind, control), so an optimiser can add them up.
public struct ResourceModel {
  /// Width of the accumulators: max over products of bits of K·max|w·x|, plus sign; at most 32 (biases are added in the
  /// requantisation DSP).
  public let accumulatorBits: Int
  /// The same for products of 4-bit rows.
  let accumulatorBits4: Int
  /// The same for q·kᵀ alone.
  public let scoreBits: Int
  /// Bits of the weighted sums O of attention, signed.
  let contextBits: Int
  let generation: DSPGeneration
  let costs: CostConstants

  public init(work: NetworkWork, generation: DSPGeneration, costs: CostConstants = .openSynthesis) {
    self.generation = generation
    self.costs = costs
    var widest = 1
    var widest4 = 1
    var score = 1
    var context = 1
    for item in work.workloads where item.kind.isProduct {
      let bits = item.inputBits
      let highest = item.inputUnsigned ? (1 << bits) - 1 : (1 << (bits - 1)) - 1
      let weight = item.kind.isAttention ? (1 << (bits - 1)) - 1 : item.rows8 > 0 ? 127 : 7
      let width = Self.signedBits(item.inputs * highest * weight)
      widest = max(widest, width)
      if item.rows4 > 0 { widest4 = max(widest4, Self.signedBits(item.inputs * highest * 7)) }
      if item.kind == .scores { score = max(score, width) }
      if item.kind == .context { context = max(context, width) }
    }
    accumulatorBits = min(32, widest)
    accumulatorBits4 = min(32, widest4)
    scoreBits = min(32, score)
    contextBits = min(32, context)
  }

  /// Bits of a signed number with |value| up to `magnitude`.
  static func signedBits(_ magnitude: Int) -> Int { Int.bitWidth - magnitude.leadingZeroBitCount + 1 }

  /// Requantisation DSPs per lane: 1 if the accumulator fits the wide operand (27 or 25 bits), else 2.
  var dspPerRequantisationLane: Int { accumulatorBits <= generation.preAdderBits ? 1 : 2 }

  /// The properties of the modes that the array's logic depends on; independent of the array's size.
  struct ModeLogic {
    /// Correction LUTs of all distinct modes at one drain unit.
    var corrections = 0
    /// Bits of the widest set of lanes in P.
    var laneBits = 0
    var lanes = 0
    /// The largest value over the modes of the sum of their lanes' accumulator widths.
    var accumulators = 0
    var distinctModes = 0
    /// True if 4-bit and 8-bit rows place their operands differently.
    var needsPacking = false
    /// Weights per DSP, the largest of the modes.
    var weights = 0
  }

  func logic(of engine: EngineConfiguration) -> ModeLogic {
    var result = ModeLogic()
    let modes = engine.modes
    let widths = [accumulatorBits4, accumulatorBits, accumulatorBits]
    for (index, mode) in modes.enumerated() {
      result.laneBits = max(result.laneBits, mode.lanes * mode.pitch)
      result.lanes = max(result.lanes, mode.lanes)
      result.weights = max(result.weights, mode.weights)
      result.accumulators = max(
        result.accumulators, mode.lanes * widths[index] * costs.lutPerAccumulatorBit)
      let isKnown = modes[..<index].contains {
        $0.pitch == mode.pitch && $0.lanes == mode.lanes && $0.repair == mode.repair
      }
      if isKnown { continue }
      result.distinctModes += 1
      result.corrections += mode.correctedBits * costs.lutPerCorrectedBit
      if mode.repair == .restoredBit { result.corrections += mode.lanes * costs.lutPerRestoredLane }
      if mode.repair == .carryCounters { result.corrections += mode.lanes * costs.lutPerCounterLane }
    }
    result.needsPacking = modes[0].pitch != modes[1].pitch || modes[0].lanes != modes[1].lanes
    return result
  }

  func array(_ engine: EngineConfiguration) -> ResourceUse { array(engine, logic(of: engine)) }

  /// DSP, LUT and FF of the array.
  ///
  /// Per column (DSPs along the outputs × along the tokens) there are G = ⌈P_k/g⌉ drain units. Each has a g:1 selector
  /// (⌈(g−1)/3⌉ LUT per bit), the corrections of all distinct modes and, with more than one mode, a selector of one LUT
  /// per bit. Then come an adder tree of G inputs over all lanes, whose bits grow by ⌈log2 G⌉ per lane, and the
  /// accumulators. Operand packing takes one LUT per bit of the ports where 4-bit and 8-bit rows use different lanes.
  /// Fabric tokens take P_n·P_k multipliers, a tree and an accumulator per output lane.
  func array(_ engine: EngineConfiguration, _ logic: ModeLogic) -> ResourceUse {
    let columns = engine.outputElements * engine.tokenElements
    let drains = ceilDivide(engine.inputElements, engine.drainGroup)
    let selector =
      ceilDivide(engine.drainGroup - 1, 3) * logic.laneBits + (logic.distinctModes > 1 ? logic.laneBits : 0)
    let treeBits = logic.laneBits + logic.lanes * ceilLog2(drains)
    let tree = Int((costs.lutPerTreeBit * Double((drains - 1) * treeBits)).rounded(.up))
    let perColumn = drains * (logic.corrections + selector) + tree + logic.accumulators
    let ports =
      generation.preAdderBits * engine.outputElements * engine.inputElements
      + 18 * engine.tokenElements * engine.inputElements
    let packing = logic.needsPacking ? ports : 0
    let fabricTree =
      costs.lutPerTreeBit * Double((engine.inputElements - 1) * costs.multiplierBits)
    let fabricLane =
      engine.inputElements * costs.lutPerMultiplier + Int(fabricTree.rounded(.up)) + accumulatorBits
    let fabric = engine.fabricTokens * engine.outputElements * logic.weights * fabricLane
    let ff =
      engine.arrayDSP * costs.ffPerDSP + columns
      * (drains * logic.laneBits + tree + logic.accumulators * costs.ffPerAccumulatorBit)
      + packing + Int(Double(fabric) * costs.ffPerPipelinedLUT)
    return ResourceUse(dsp: engine.arrayDSP, lut: columns * perColumn + packing + fabric, ff: ff)
  }

  func requantisation(lanes: Int) -> ResourceUse {
    let second = dspPerRequantisationLane - 1
    return lanes
      * ResourceUse(
        dsp: 1 + second,
        lut: costs.lutPerRequantisationLane + costs.lutPerTable + second * costs.lutOfSecondRequantisationDSP,
        ff: costs.ffPerRequantisationLane + second * costs.ffOfSecondRequantisationDSP)
  }

  func context(lanes: Int) -> ResourceUse {
    let isWide = contextBits > generation.preAdderBits
    return lanes
      * ResourceUse(
        dsp: costs.dspPerContextLane + (isWide ? 1 : 0), lut: costs.lutPerContextLane, ff: costs.ffPerContextLane)
  }

  func softmax(lanes: Int) -> ResourceUse {
    lanes * ResourceUse(dsp: costs.dspPerSoftmaxLane, lut: costs.lutPerSoftmaxLane, ff: costs.ffPerSoftmaxLane)
      + ResourceUse(lut: costs.lutOfSoftmaxUnit, ff: costs.ffOfSoftmaxUnit)
  }

  func norm(lanes: Int) -> ResourceUse {
    lanes * ResourceUse(dsp: costs.dspPerNormLane, lut: costs.lutPerNormLane, ff: costs.ffPerNormLane)
      + ResourceUse(lut: costs.lutOfNormUnit, ff: costs.ffOfNormUnit)
  }

  func control(ports: Int) -> ResourceUse {
    ResourceUse(
      lut: costs.lutOfControl + ports * costs.lutPerPort,
      ff: costs.ffOfControl + ports * costs.ffPerPort)
  }
}
