import QuasarNetwork
import QuasarTensor

/// Cycles of one workload.
struct WorkloadCycles: Hashable, Sendable {
  /// Products divided by the number of products that the engine does per cycle in the mode of each row.
  var ideal = 0
  /// Cycles in which the array or vector unit is busy, including waits for requantisation.
  var compute = 0
  /// The same without waits for requantisation.
  var arrayOnly = 0
  var weightTransfer = 0
  var inputTransfer = 0
  var outputTransfer = 0
  var total = 0
  var tiles8 = 0
  var tiles4 = 0
  /// Bits exchanged with external memory.
  var memoryBits = 0
}

/// The latency model: exact cycles of every workload on an engine.
///
/// **Product.** T tokens, K inputs, s = ⌈K/P_k⌉ steps, chains of L products, g DSPs per drain unit, R lanes:
/// - An output tile of P_n rows × P_t tokens takes c = max(s, g·⌈s/L⌉) cycles: each DSP drains ⌈s/L⌉ times and g of
///   them share a drain unit, with one drain per cycle.
/// - Its n outputs leave through R lanes in q(n) = ⌈n/R⌉ cycles during the next tile. Scores go to the score buffer at
///   full width, q = 0; context has its own lanes.
/// - A row tile of r rows over a block of B tokens takes C = ⌊B/P_t⌋·max(c, q(r·P_t)) + [b > 0]·max(c, q(r·b)) cycles
///   with b = B mod P_t. So tokens are padded to P_t, rows to P_n and inputs to P_k.
/// - Loads: weights ⌈r·(K·bits + 56)/β⌉ if streamed (keys and values on chip: ⌈r·K/(P_t·P_k)⌉); the block's inputs
///   ⌈B·K·A/β⌉ with its first tile if streamed. Stores: ⌈r·B·bits/β⌉ if streamed (twice for the residual stream, which
///   is read and written). β is the number of bits per cycle from memory.
/// - Steps (blocks of tokens outside, row tiles inside, heads outermost) overlap as in `StepSchedule`.
/// - Drain: pipeline registers, g − 1, ⌈log2 ⌈P_k/g⌉⌉ of the tree, q of the last tile; start of a layer.
///
/// **Row-mixed layers.** t ≥ ⌈N8/P_n8⌉ tiles run in the 8-bit mode. There 4-bit rows fill the lanes that the 8-bit rows
/// leave free (stored with 8 bits). The remaining ⌈(N − t·P_n8)⁺/P_n4⌉ tiles run in the 4-bit mode. The fastest t
/// counts. It is a minimum over a set that shrinks with N8, so more 8-bit rows are never faster. In the ideal case the
/// cycles are T·K·(N4/ρ4 + N8/ρ8) per DSP.
///
/// **LayerNorm**: three passes overlapped over tokens: (T + 2)·⌈D/V⌉ and the pipeline. **Softmax**: one pass of ⌈T/E⌉
/// per row, overlapped with the products of the neighbouring heads. The cycles that remain visible are max(0, H·(X − S
/// − P)) and the rows of one token tile (X, S, P: softmax, scores, context of a head). GELU is a table at the
/// requantisation lanes: it has no cycles of its own.
struct CycleModel {
  let plan: MemoryPlan
  /// β: bits per cycle from and to external memory.
  let memoryBits: Double
  let inputLanes: Int
  let drainGroup: Int
  let rows4: Int
  let rows8: Int
  let rowsAttention: Int
  let tokens4: Int
  let tokens8: Int
  let tokensAttention: Int
  let largestTokens: Int
  let requantisationLanes: Int
  let contextLanes: Int
  let softmaxLanes: Int
  let normLanes: Int
  let chains: ChainLengths
  /// True if requantisers need two DSPs.
  let isWide: Bool

  init(
    engine: EngineConfiguration, chains: ChainLengths, plan: MemoryPlan, memoryBits: Double,
    wideRequantisation isWide: Bool = false
  ) {
    self.isWide = isWide
    self.plan = plan
    self.memoryBits = memoryBits
    self.chains = chains
    inputLanes = engine.inputElements
    drainGroup = engine.drainGroup
    rows4 = engine.outputLanes(engine.fourBitMode)
    rows8 = engine.outputLanes(engine.eightBitMode)
    rowsAttention = engine.outputLanes(engine.attentionMode)
    tokens4 = engine.tokenLanes(engine.fourBitMode)
    tokens8 = engine.tokenLanes(engine.eightBitMode)
    tokensAttention = engine.tokenLanes(engine.attentionMode)
    largestTokens = max(tokens4, tokens8, tokensAttention)
    requantisationLanes = engine.requantisationLanes
    contextLanes = engine.contextLanes
    softmaxLanes = engine.softmaxLanes
    normLanes = engine.normLanes
  }

  /// Cycles of a product: rows in their modes, steps scheduled, fill and drain included.
  func product(_ work: Workload) -> WorkloadCycles {
    if work.kind.isAttention {
      let chain = work.kind == .scores ? chains.scores : chains.context
      return schedule(work, tiles8: 0, chain4: chain, chain8: chain, attention: true)
    }
    let isEdge = work.finish == .embedding || work.finish == .logits
    let chain4 = work.inputUnsigned ? chains.fourUnsigned : chains.fourSigned
    let chain8 =
      isEdge
      ? (work.inputUnsigned ? chains.patches : chains.head)
      : (work.inputUnsigned ? chains.eightUnsigned : chains.eightSigned)
    let fewest = ceilDivide(work.rows8, rows8)
    let most = ceilDivide(work.rows, rows8)
    var best = schedule(work, tiles8: fewest, chain4: chain4, chain8: chain8, attention: false)
    if fewest == most { return best }
    // Cost is linear in t except for the rounding of the 4-bit tiles, which has a period of at most three tiles (rows
    // per DSP are 1, 2 or 3). So the minimum is within three tiles of an end, or at an end without rounding.
    let reach = rows4 == rows8 ? 0 : 2
    func consider(_ tiles: Int) {
      let other = schedule(work, tiles8: tiles, chain4: chain4, chain8: chain8, attention: false)
      if other.total < best.total { best = other }
    }
    for tiles in fewest..<min(most, fewest + 1 + reach) where tiles > fewest { consider(tiles) }
    for tiles in max(fewest + 1 + reach, most - reach)...max(most, fewest + 1 + reach) where tiles <= most {
      consider(tiles)
    }
    return best
  }

  /// max(s, g·⌈s/L⌉)
  @inline(__always)
  private func tileCycles(_ steps: Int, chain: Int) -> Int {
    max(steps, drainGroup * ceilDivide(steps, chain))
  }

  /// One group of equal row tiles: `count` tiles of `rows` rows in one mode.
  private struct TileGroup {
    var count: Int
    var rows: Int
    var tokens: Int
    var cycles: Int
    var weightBits: Int
  }

  @inline(__always)
  private func block(_ group: TileGroup, tokens: Int, lanes: Int) -> Int {
    let full = tokens / group.tokens
    let rest = tokens - full * group.tokens
    if lanes == 0 { return (full + (rest > 0 ? 1 : 0)) * group.cycles }
    var cycles = full * max(group.cycles, ceilDivide(group.rows * group.tokens, lanes))
    if rest > 0 { cycles += max(group.cycles, ceilDivide(group.rows * rest, lanes)) }
    return cycles
  }

  /// A product with the first `tiles8` row tiles in the 8-bit mode.
  private func schedule(
    _ work: Workload, tiles8: Int, chain4: Int, chain8: Int, attention: Bool
  ) -> WorkloadCycles {
    let steps = ceilDivide(work.inputs, inputLanes)
    let cycles4 = tileCycles(steps, chain: chain4)
    let cycles8 = tileCycles(steps, chain: chain8)
    let lanes8 = attention ? rowsAttention : rows8
    let lanes4 = attention ? rowsAttention : rows4
    let time4 = attention ? tokensAttention : tokens4
    let bits4 = attention ? work.inputBits : 4
    let inEight = min(work.rows, tiles8 * lanes8)
    let inFour = work.rows - inEight
    func group(_ count: Int, rows: Int, tokens: Int, cycles: Int, bits: Int) -> TileGroup {
      TileGroup(count: count, rows: rows, tokens: tokens, cycles: cycles, weightBits: bits)
    }
    let groups = (
      group(inEight / lanes8, rows: lanes8, tokens: tokens8, cycles: cycles8, bits: 8),
      group(inEight % lanes8 > 0 ? 1 : 0, rows: inEight % lanes8, tokens: tokens8, cycles: cycles8, bits: 8),
      group(inFour / lanes4, rows: lanes4, tokens: time4, cycles: cycles4, bits: bits4),
      group(inFour % lanes4 > 0 ? 1 : 0, rows: inFour % lanes4, tokens: time4, cycles: cycles4, bits: bits4)
    )
    let lanes = work.kind == .scores ? 0 : work.kind == .context ? contextLanes : requantisationLanes

    var result = WorkloadCycles()
    var run = StepSchedule()
    var lastOutputs = 0
    let tile = plan.activationsOnChip ? work.tokens : min(plan.tokenTile, work.tokens)
    // All heads take the same cycles and follow each other without a break: from the third one on, each adds the same.
    var finishedBefore = 0
    let heads = min(work.batch, 3)
    for head in 0..<heads {
      finishedBefore = run.finished
      var tokensLeft = work.tokens
      while tokensLeft > 0 {
        let size = min(tile, tokensLeft)
        let inputBits = loadedInputBits(work, tokens: size)
        var input = transferCycles(inputBits, memoryBits)
        if head == 0 {
          result.inputTransfer += input
          result.memoryBits += inputBits
        }
        for index in 0..<4 {
          let group = index == 0 ? groups.0 : index == 1 ? groups.1 : index == 2 ? groups.2 : groups.3
          if group.count == 0 { continue }
          let compute = block(group, tokens: size, lanes: lanes)
          let weightBits = loadedWeightBits(work, group.rows, bits: group.weightBits)
          let weight =
            work.kind.isAttention && plan.activationsOnChip
            ? ceilDivide(group.rows * work.inputs, tokensAttention * inputLanes)
            : transferCycles(weightBits, memoryBits)
          let outputBits = storedOutputBits(work, group.rows, tokens: size)
          let output = transferCycles(outputBits, memoryBits)
          if input > 0 {
            run.add(1, compute: compute, load: weight + input, store: output)
            run.add(group.count - 1, compute: compute, load: weight, store: output)
            input = 0
          } else {
            run.add(group.count, compute: compute, load: weight, store: output)
          }
          if head > 0 { continue }
          result.arrayOnly += group.count * block(group, tokens: size, lanes: 0)
          result.weightTransfer += group.count * weight
          result.outputTransfer += group.count * output
          result.memoryBits += group.count * (weightBits + outputBits)
          let rest = size % group.tokens
          lastOutputs = group.rows * (rest == 0 ? group.tokens : rest)
        }
        tokensLeft -= size
      }
      if head == 0 { result.compute = run.compute }
    }
    let total = run.finished + (work.batch - heads) * (run.finished - finishedBefore)
    result.compute *= work.batch
    result.arrayOnly *= work.batch
    result.weightTransfer *= work.batch
    result.inputTransfer *= work.batch
    result.outputTransfer *= work.batch
    result.memoryBits *= work.batch
    result.tiles8 = groups.0.count + groups.1.count
    result.tiles4 = groups.2.count + groups.3.count
    let behind =
      work.kind == .scores
      ? 0 : work.kind == .context ? EnginePipeline.context : EnginePipeline.requantisation(wide: isWide)
    let drain =
      EnginePipeline.element + behind + drainGroup - 1 + ceilLog2(ceilDivide(inputLanes, drainGroup))
      + (lanes == 0 ? 0 : ceilDivide(lastOutputs, lanes))
    result.total = EnginePipeline.layerStart + total + drain
    result.ideal = idealCycles(work)
    return result
  }

  /// batch·T·K·(N4/(P_n·P_k·P_t of the 4-bit mode) + N8/(the same of the 8-bit mode)), rounded up.
  func idealCycles(_ work: Workload) -> Int {
    let products = Double(work.batch * work.tokens * work.inputs)
    if work.kind.isAttention {
      return Int(
        (products * Double(work.rows) / Double(rowsAttention * inputLanes * tokensAttention)).rounded(.up))
    }
    let four = Double(work.rows4) / Double(rows4 * inputLanes * tokens4)
    let eight = Double(work.rows8) / Double(rows8 * inputLanes * tokens8)
    return Int((products * (four + eight)).rounded(.up))
  }

  /// Pixels always come from memory, other inputs only when streamed. Softmax codes never leave the chip.
  @inline(__always)
  private func loadedInputBits(_ work: Workload, tokens: Int) -> Int {
    if work.kind == .context || (plan.activationsOnChip && work.finish != .embedding) { return 0 }
    return tokens * work.inputs * work.inputBits
  }

  @inline(__always)
  private func loadedWeightBits(_ work: Workload, _ rows: Int, bits: Int) -> Int {
    if work.kind.isAttention { return plan.activationsOnChip ? 0 : rows * work.inputs * bits }
    return plan.weightsOnChip ? 0 : rows * (work.inputs * bits + parameterBits)
  }

  @inline(__always)
  private func storedOutputBits(_ work: Workload, _ rows: Int, tokens: Int) -> Int {
    if work.finish == .logits { return rows * tokens * work.outputBits }
    if plan.activationsOnChip || work.kind == .scores { return 0 }
    return rows * tokens * work.outputBits * (work.finish == .residual ? 2 : 1)
  }

  /// (T + 2)·⌈D/V⌉ + pipeline + start; if streamed, at least the transfer of the residual stream and the codes.
  func norm(_ work: Workload) -> WorkloadCycles {
    var result = WorkloadCycles()
    let chunk = ceilDivide(work.inputs, normLanes)
    result.compute = (work.tokens + 2) * chunk
    result.arrayOnly = result.compute
    if !plan.activationsOnChip {
      let inputBits = work.tokens * work.inputs * 16
      let outputBits = work.tokens * work.inputs * work.outputBits
      result.inputTransfer = transferCycles(inputBits, memoryBits)
      result.outputTransfer = transferCycles(outputBits, memoryBits)
      result.memoryBits = inputBits + outputBits
    }
    result.total =
      EnginePipeline.layerStart + EnginePipeline.norm(lanes: normLanes)
      + max(result.compute, result.inputTransfer + result.outputTransfer)
    return result
  }

  /// Cycles that softmax adds to scores and context of the same layer.
  func softmax(_ work: Workload, scores: WorkloadCycles, context: WorkloadCycles) -> WorkloadCycles {
    var result = WorkloadCycles()
    let row = ceilDivide(work.rows, softmaxLanes)
    result.compute = work.batch * work.tokens * row
    result.arrayOnly = result.compute
    let hidden = scores.compute + context.compute
    result.total =
      max(0, result.compute - hidden) + min(tokensAttention, work.tokens) * row
      + EnginePipeline.softmax(lanes: softmaxLanes)
    return result
  }
}
