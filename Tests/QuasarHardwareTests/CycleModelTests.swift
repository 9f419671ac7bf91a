import QuasarArithmetic
import QuasarNetwork
import QuasarTestSupport
import Testing

@testable import QuasarHardware

/// A small engine of a generation, with sensible numbers of lanes.
func smallEngine(_ device: Device, bits: Int = 6) -> EngineConfiguration {
  let isE2 = device.dspGeneration == .e2
  let four: PackingMode
  switch (isE2, bits) {
  case (true, 8): four = .w4a8Pair
  case (true, _): four = .w4a6Block
  case (false, 8): four = .w4a8PairE1
  case (false, _): four = .w4a6BlockE1
  }
  var engine = EngineConfiguration(
    outputElements: 4, inputElements: 8, tokenElements: 4, fourBitMode: four,
    eightBitMode: EngineOptimizer.eightBitMode(device.dspGeneration, bits: bits),
    attentionMode: EngineOptimizer.attentionMode(device.dspGeneration, bits: bits), axiPorts: device.axiPorts,
    axiBits: device.axiBits)
  engine.drainGroup = 2
  engine.requantisationLanes = 8
  engine.contextLanes = 4
  engine.softmaxLanes = 8
  engine.normLanes = 4
  return engine
}

/// A network for 28 × 28 images: patch 4, 50 tokens.
func tinyNetwork(
  width: Int = 64, depth: Int = 4, share: RowShare = .half, bits: Int = 6, ratio: Double = 2
) -> Architecture {
  Architecture(
    geometry: ImageGeometry(imageSize: 28, channels: 1, patchSize: 4, classes: 10, headDimension: 32),
    embedDimension: width, activationBits: bits,
    blocks: Array(
      repeating: BlockGenes(
        heads: width / 32, mlpRatio: ratio, shares: [.qkv: share, .projection: share, .expand: share, .contract: share]),
      count: depth))
}

@Suite("Cycle model")
struct CycleModelTests {
  /// The definition of the schedule, step by step.
  static func naive(_ steps: [(compute: Int, load: Int, store: Int)]) -> Int {
    var total = steps[0].load
    for i in steps.indices {
      let load = i + 1 < steps.count ? steps[i + 1].load : 0
      let store = i > 0 ? steps[i - 1].store : 0
      total += max(steps[i].compute, load + store)
    }
    return total + steps[steps.count - 1].store
  }

  @Test("The run-length schedule equals the step-by-step one")
  func schedule() {
    var generator = SplitMix(state: 2)
    func random(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
    for _ in 0..<3000 {
      var run = StepSchedule()
      var steps: [(compute: Int, load: Int, store: Int)] = []
      for _ in 0..<random(1...5) {
        let count = random(1...6)
        let step = (compute: random(0...9), load: random(0...9), store: random(0...9))
        run.add(count, compute: step.compute, load: step.load, store: step.store)
        steps += Array(repeating: step, count: count)
      }
      #expect(run.finished == Self.naive(steps))
    }
  }

  @Test("A mixed layer by hand")
  func byHand() throws {
    // DSP48E2, 4 × 8 × 4 DSPs, g = 2. 4-bit: 8 rows, 8 tokens per cycle, L = 4; 8-bit: 8 rows, 4 tokens, L = 33. K =
    // 64: s = 8; 4-bit tile max(8, 2·⌈8/4⌉) = 8; 8-bit tile max(8, 2·1) = 8. 48 rows, 24 of them 8-bit: 3 tiles of
    // each. 50 tokens, 4-bit: ⌈50/8⌉ = 7 tiles, of which 6 full ones have 64 outputs on 8 lanes = 8 cycles and the last
    // has 2 tokens = 16 outputs: 7·8 = 56; 8-bit: ⌈50/4⌉ = 13·8 = 104. On chip: 3·104 + 3·56 = 480. Drain 13 + 1 + 2
    // (tree of 4) + 2 (16 outputs on 8 lanes) = 18, start 8: 506.
    let device = try Device.named("zcu102")
    let engine = smallEngine(device)
    let chains = try ChainLengths(engine, activationBits: 6)
    let plan = MemoryPlan(weightsOnChip: true, activationsOnChip: true, tokenTile: 50)
    let model = CycleModel(engine: engine, chains: chains, plan: plan, memoryBits: 512)
    let work = Workload(
      name: "x", kind: .linear(.qkv), batch: 1, tokens: 50, inputs: 64, rows4: 24, rows8: 24, inputBits: 6,
      inputUnsigned: false, outputBits: 6)
    let cycles = model.product(work)
    #expect(cycles.tiles4 == 3 && cycles.tiles8 == 3)
    #expect(cycles.compute == 480 && cycles.total == 506)
    // Ideal: 50·64·(24/(8·8·8) + 24/(8·8·4)) = 450.
    #expect(cycles.ideal == 450)
    // Streamed at 16 bits per cycle, a 4-bit tile loads 8·(64·4 + 56)/16 = 156 cycles, an 8-bit one 8·568/16 = 284: 284
    // + (284 + 284 + 156) + (156 + 156 + 56). Loads hide the computing except for the last tile.
    let streamed = MemoryPlan(weightsOnChip: false, activationsOnChip: true, tokenTile: 50)
    let slow = CycleModel(engine: engine, chains: chains, plan: streamed, memoryBits: 16).product(work)
    #expect(slow.weightTransfer == 3 * 284 + 3 * 156)
    #expect(slow.total == 284 + 284 + 284 + 156 + 156 + 156 + 56 + 26)
    // Norm: 50 tokens of 64 elements on 4 lanes: 52·16 + 84 + 2·2 + 8.
    let norm = Workload(
      name: "n", kind: .layerNorm, batch: 1, tokens: 50, inputs: 64, rows4: 0, rows8: 0, inputBits: 16,
      inputUnsigned: false, outputBits: 6)
    #expect(model.norm(norm).total == 52 * 16 + 96)
  }

  @Test("Unsigned inputs shorten the chains and cost drains")
  func drains() throws {
    let device = try Device.named("zcu102")
    var engine = smallEngine(device)
    engine.drainGroup = 4
    let chains = try ChainLengths(engine, activationBits: 6)
    #expect(chains.fourSigned == 4 && chains.fourUnsigned == 2 && chains.eightSigned == 33)
    #expect(chains.eightUnsigned == 16 && chains.patches == 4 && chains.head == 8)
    #expect(chains.scores == 136 && chains.context == 67 && chains.smallest == 2)
    let plan = MemoryPlan(weightsOnChip: true, activationsOnChip: true, tokenTile: 50)
    let model = CycleModel(engine: engine, chains: chains, plan: plan, memoryBits: 512)
    var work = Workload(
      name: "x", kind: .linear(.expand), batch: 1, tokens: 48, inputs: 64, rows4: 48, rows8: 0, inputBits: 6,
      inputUnsigned: false, outputBits: 6)
    let signed = model.product(work)
    work.inputUnsigned = true
    let unsigned = model.product(work)
    // Signed: max(8, 4·2) = 8 per tile; unsigned: 4·4 = 16, as slow as the 8-bit mode with half the tokens.
    #expect(signed.compute == 6 * 6 * 8 && unsigned.compute == 2 * signed.compute)
  }

  @Test("Many heads cost what the heads one by one cost in one schedule")
  func heads() throws {
    let device = try Device.named("pynq-z2")
    let engine = smallEngine(device)
    let chains = try ChainLengths(engine, activationBits: 6)
    for onChip in [true, false] {
      let plan = MemoryPlan(weightsOnChip: false, activationsOnChip: onChip, tokenTile: onChip ? 50 : 16)
      let model = CycleModel(engine: engine, chains: chains, plan: plan, memoryBits: 64)
      func total(_ heads: Int) -> Int {
        model.product(
          Workload(
            name: "", kind: .scores, batch: heads, tokens: 50, inputs: 32, rows4: 0, rows8: 50, inputBits: 6,
            inputUnsigned: false, outputBits: 32)
        ).total
      }
      #expect(total(4) - total(3) == total(3) - total(2))
      #expect(total(9) == total(3) + 6 * (total(3) - total(2)))
      #expect(total(2) <= 2 * total(1))
    }
  }

  @Test("Block memory formulas")
  func blocks() {
    #expect(BlockMemory.bram18(bits: 2048, words: 384) == 57)
    #expect(BlockMemory.bram18(bits: 18, words: 1024) == 1)
    #expect(BlockMemory.bram18(bits: 36, words: 512) == 1)
    #expect(BlockMemory.bram18(bits: 36, words: 513) == 2)
    #expect(BlockMemory.bram18(bits: 9, words: 2048) == 1)
    #expect(BlockMemory.bram18(bits: 1, words: 16384) == 1)
    #expect(BlockMemory.bram18(bits: 4, words: 5000) == 2)
    #expect(BlockMemory.bram18(bits: 0, words: 10) == 0)
    #expect(BlockMemory.uram(bits: 144, words: 5000) == 4)
  }

  @Test("Requantisation takes one DSP up to 27 bits, two above")
  func requantisation() throws {
    // DeiT-B: 3072 inputs of unsigned 8 bits: 3072·255·127 needs 28 bits.
    let wide = ResourceModel(work: try NetworkWork(Architecture.named("deit-b")), generation: .e2)
    #expect(wide.accumulatorBits == 28 && wide.dspPerRequantisationLane == 2)
    let narrow = ResourceModel(work: try NetworkWork(tinyNetwork()), generation: .e2)
    #expect(narrow.dspPerRequantisationLane == 1)
  }
}
