import QuasarNetwork
import QuasarTensor

/// The place of the weights and activations of a network, and the memories that this takes.
public struct MemoryPlan: Codable, Hashable, Sendable {
  /// True if all weights stay on chip; otherwise each tile is read from memory for each block of tokens.
  public var weightsOnChip: Bool
  /// True if codes and residual stream stay on chip; otherwise blocks of `tokenTile` tokens are read and written.
  public var activationsOnChip: Bool
  /// Tokens per block; all tokens when activations stay on chip.
  public var tokenTile: Int

  public init(weightsOnChip: Bool, activationsOnChip: Bool, tokenTile: Int) {
    self.weightsOnChip = weightsOnChip
    self.activationsOnChip = activationsOnChip
    self.tokenTile = tokenTile
  }

  /// The plans that an engine's placements allow, fastest first.
  public static func candidates(_ engine: EngineConfiguration, tokens: Int) -> [MemoryPlan] {
    var plans: [MemoryPlan] = []
    for activations in [true, false] where engine.activations.allows(onChip: activations) {
      for weights in [true, false] where engine.weights.allows(onChip: weights) {
        plans.append(
          MemoryPlan(
            weightsOnChip: weights, activationsOnChip: activations,
            tokenTile: activations ? tokens : min(tokens, engine.tokenTile)))
      }
    }
    return plans
  }
}

extension EngineConfiguration.Placement {
  func allows(onChip: Bool) -> Bool { self == .automatic || (self == .onChip) == onChip }
}

/// The memories of an engine for one network, each as bits × words.
///
/// Each is read once per cycle over its full width. P_n, P_k, P_t: lanes; T tokens, D width, A activation bits; a
/// factor 2 is a double buffer.
struct BufferModel {
  let work: NetworkWork
  /// Largest rows·bits of the modes over one input: bits per weight word and input.
  let weightWordBits: Int
  let outputLanes: Int
  let inputLanes: Int
  let tokenLanes: Int
  let attentionLanes: Int
  let lanes4: Int
  let lanes8: Int

  init(work: NetworkWork, engine: EngineConfiguration) {
    self.work = work
    lanes4 = engine.outputLanes(engine.fourBitMode)
    lanes8 = engine.outputLanes(engine.eightBitMode)
    attentionLanes = engine.outputLanes(engine.attentionMode)
    weightWordBits = max(lanes4 * 4, lanes8 * 8)
    outputLanes = max(lanes4, lanes8, attentionLanes)
    inputLanes = engine.inputElements
    tokenLanes = engine.largestTokenLanes
  }

  /// Words of P_n·P_k weights of all matrices: tiles of 8-bit rows take ⌈K/P_k⌉ words, tiles of 4-bit rows half as
  /// many.
  var residentWords: Int {
    var words = 0
    for item in work.workloads where item.kind.isProduct && !item.kind.isAttention {
      let steps = ceilDivide(item.inputs, inputLanes)
      let tiles8 = ceilDivide(item.rows8, lanes8)
      let rest = max(0, item.rows - tiles8 * lanes8)
      words +=
        tiles8 * steps + ceilDivide(ceilDivide(rest, lanes4) * steps, max(1, weightWordBits / (lanes4 * 4)))
    }
    return words
  }

  /// Blocks for the weights: resident in URAM if the budget has it, else in BRAM; or a double-buffered tile.
  ///
  /// Tile: P_n·P_k·8 bits × 2·⌈K_max/P_k⌉. Keys and values share the tile buffer. With resident weights they get their
  /// own buffer of P_n·P_k·A bits × 2·⌈max(T, head width)/P_k⌉.
  func weights(resident: Bool, residentWords: Int, budget: ResourceUse) -> ResourceUse {
    let attentionInputs = max(work.geometry.tokens, work.geometry.headDimension)
    let bits = weightWordBits * inputLanes
    guard resident else {
      let words = 2 * ceilDivide(max(work.largestInputs, attentionInputs), inputLanes)
      return BlockMemory.buffer(
        bits: max(bits, attentionLanes * inputLanes * work.activationBits), words: words)
    }
    let operands = BlockMemory.buffer(
      bits: attentionLanes * inputLanes * work.activationBits,
      words: 2 * ceilDivide(attentionInputs, inputLanes))
    let uram = BlockMemory.uram(bits: bits, words: residentWords)
    if budget.uram > 0 && uram <= budget.uram { return operands + ResourceUse(uram: uram) }
    return operands + BlockMemory.buffer(bits: bits, words: residentWords)
  }

  /// Blocks for codes and softmax codes that do not depend on the number of vector lanes.
  ///
  /// On chip: layer inputs P_t·P_k·8 × ⌈T/P_t⌉·⌈max(D, heads, patch)/P_k⌉, second operand buffer (q, k, v or
  /// hidden) P_t·P_k·A × ⌈T/P_t⌉·⌈max(3·heads, hidden)/P_k⌉. Streamed: one double-buffered block of inputs.
  /// Softmax codes: P_t·P_k·A × 2·⌈T_block/P_t⌉·⌈T/P_k⌉.
  func codes(_ plan: MemoryPlan) -> ResourceUse {
    let word = tokenLanes * inputLanes
    let rows = ceilDivide(plan.tokenTile, tokenLanes)
    let probabilities = BlockMemory.buffer(
      bits: word * work.activationBits, words: 2 * rows * ceilDivide(work.geometry.tokens, inputLanes))
    if plan.activationsOnChip {
      let first = max(work.embedDimension, work.attentionWidth, work.geometry.patchInputs)
      let second = max(3 * work.attentionWidth, work.hiddenWidth)
      return probabilities
        + BlockMemory.buffer(bits: word * 8, words: rows * ceilDivide(first, inputLanes))
        + BlockMemory.buffer(bits: word * work.activationBits, words: rows * ceilDivide(second, inputLanes))
    }
    return probabilities
      + BlockMemory.buffer(bits: word * 8, words: 2 * rows * ceilDivide(work.largestInputs, inputLanes))
  }

  /// Blocks for the residual stream (16 bits; V elements per word) or, if streamed, for two tiles of outputs.
  func residual(_ plan: MemoryPlan, normLanes: Int) -> ResourceUse {
    let elements =
      plan.activationsOnChip
      ? work.geometry.tokens * work.embedDimension : 2 * outputLanes * plan.tokenTile
    return BlockMemory.buffer(bits: 16 * normLanes, words: ceilDivide(elements, normLanes))
  }

  /// Blocks for two blocks of P_t rows of scores, E scores per word.
  func scores(softmaxLanes: Int, scoreBits: Int) -> ResourceUse {
    let rows = min(tokenLanes, work.geometry.tokens)
    return BlockMemory.buffer(
      bits: softmaxLanes * scoreBits, words: 2 * ceilDivide(rows * work.geometry.tokens, softmaxLanes))
  }

  /// Blocks for bias, multiplier and shift of the rows: 56 bits per row, ⌈R/P_t⌉ rows per word.
  func parameters(_ plan: MemoryPlan, requantisationLanes: Int) -> ResourceUse {
    let rowsPerWord = ceilDivide(requantisationLanes, tokenLanes)
    let rows = plan.weightsOnChip ? work.weightRows : 2 * outputLanes
    return BlockMemory.buffer(
      bits: parameterBits * rowsPerWord, words: ceilDivide(rows, rowsPerWord))
  }
}
