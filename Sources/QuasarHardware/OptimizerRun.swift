import QuasarArithmetic
import QuasarNetwork
import QuasarTensor

/// One search for the fastest engine; the state of `EngineOptimizer.engine(for:)`.
struct OptimizerRun {
  let grid: EngineOptimizer
  let work: NetworkWork
  let products: [(workload: Workload, count: Int)]
  let attention: [(scores: Workload, softmax: Workload, context: Workload, count: Int)]
  let norms: [(workload: Workload, count: Int)]
  let resources: ResourceModel
  let budget: ResourceUse
  /// Bits per cycle that the device's memory delivers to all ports.
  let deviceBits: Double
  /// One port, for networks that need little, or all ports.
  let portChoices: [Int]
  private let onChip: MemoryPlan
  /// Logic of the smallest vector units and of control.
  private let smallestLanes: ResourceUse
  private var families: [Family]
  /// Products of 4-bit rows, 8-bit rows and attention; cycles of the norms on the most lanes.
  private var sums = (four: 0.0, eight: 0.0, attention: 0.0, norms: 0)
  private(set) var best: EngineConfiguration?
  private var bestKey = (cycles: Int.max, dsp: Int.max, lut: Int.max)

  init(_ grid: EngineOptimizer, work: NetworkWork) throws {
    self.grid = grid
    self.work = work
    let distinct = work.distinct()
    products = distinct.filter { $0.workload.kind.isProduct && !$0.workload.kind.isAttention }
    norms = distinct.filter { $0.workload.kind == .layerNorm }
    // Scores, softmax and context of one number of heads occur equally often and in the same order.
    let scores = distinct.filter { $0.workload.kind == .scores }
    let softmax = distinct.filter { $0.workload.kind == .softmax }
    let context = distinct.filter { $0.workload.kind == .context }
    attention = scores.indices.map {
      (scores[$0].workload, softmax[$0].workload, context[$0].workload, scores[$0].count)
    }
    resources = ResourceModel(work: work, generation: grid.model.device.dspGeneration, costs: grid.model.costs)
    budget = grid.model.device.budget
    deviceBits = grid.model.device.memoryBitsPerCycle(clockMHz: grid.model.clockMHz)
    let ports = grid.model.device.axiPorts
    portChoices = ports == 1 ? [1] : [1, ports]
    onChip = MemoryPlan(weightsOnChip: true, activationsOnChip: true, tokenTile: work.geometry.tokens)
    smallestLanes =
      resources.requantisation(lanes: grid.requantisationLanes[0])
      + resources.context(lanes: grid.contextLanes[0])
      + resources.softmax(lanes: grid.softmaxLanes[0]) + resources.norm(lanes: grid.normLanes[0])
    families = []
    for mode in EngineOptimizer.fourBitModes(grid.model.device.dspGeneration, bits: work.activationBits) {
      let engine = grid.smallest(bits: work.activationBits, fourBitMode: mode)
      if let chains = try? ChainLengths(engine, activationBits: work.activationBits) {
        families.append(Family(engine: engine, chains: chains, logic: resources.logic(of: engine)))
      }
    }
    for item in products {
      let perRow = Double(item.count * item.workload.tokens * item.workload.inputs)
      sums.four += perRow * Double(item.workload.rows4)
      sums.eight += perRow * Double(item.workload.rows8)
    }
    for item in attention {
      sums.attention += Double(
        item.count * (item.scores.multiplyAccumulates + item.context.multiplyAccumulates))
    }
    for item in norms {
      sums.norms += item.count * item.workload.tokens * ceilDivide(item.workload.inputs, grid.normLanes.last!)
    }
  }

  /// One choice of packing modes.
  private struct Family {
    var engine: EngineConfiguration
    var chains: ChainLengths
    var logic: ResourceModel.ModeLogic
  }

  /// One array of the grid, with a lower bound of its cycles.
  private struct Candidate {
    var bound: Int
    var order: Int
    var family: Int
    var outputs: Int
    var inputs: Int
    var tokens: Int
    var fabric: Int
  }

  mutating func run() {
    var candidates = arrays()
    // Equal bounds stay in the order of the grid.
    candidates.sort { ($0.bound, $0.order) < ($1.bound, $1.order) }
    for candidate in candidates {
      if candidate.bound > bestKey.cycles { break }
      let family = families[candidate.family]
      var engine = family.engine
      engine.outputElements = candidate.outputs
      engine.inputElements = candidate.inputs
      engine.tokenElements = candidate.tokens
      engine.fabricTokens = candidate.fabric
      var isPossible = false
      for ports in portChoices {
        engine.axiPorts = ports
        for group in grid.drainGroups where group <= engine.inputElements {
          engine.drainGroup = group
          let least = resources.array(engine, family.logic) + smallestLanes + resources.control(ports: ports)
          if !least.fits(budget) { continue }
          if !isPossible {
            // The cheapest check comes first: all lanes, all ports, drains at no cost.
            var ideal = engine
            ideal.drainGroup = 1
            ideal.axiPorts = portChoices.last!
            if fastest(ideal, family.chains, onChip) > bestKey.cycles { break }
            isPossible = true
          }
          if fastest(engine, family.chains, onChip) <= bestKey.cycles { tryPlans(engine, family) }
        }
        if !isPossible { break }
      }
    }
  }

  private func memoryBits(_ engine: EngineConfiguration) -> Double {
    min(deviceBits, Double(engine.axiPorts * engine.axiBits))
  }

  /// Everything on chip, all vector lanes at their largest but with the trees of a single lane: no plan or lane count
  /// of this engine is faster.
  private func fastest(_ engine: EngineConfiguration, _ chains: ChainLengths, _ plan: MemoryPlan) -> Int {
    var engine = engine
    engine.requantisationLanes = grid.requantisationLanes.last!
    engine.contextLanes = grid.contextLanes.last!
    engine.softmaxLanes = grid.softmaxLanes.last!
    engine.normLanes = grid.normLanes.last!
    let model = CycleModel(
      engine: engine, chains: chains, plan: plan, memoryBits: memoryBits(engine),
      wideRequantisation: resources.dspPerRequantisationLane > 1)
    var total = 0
    for item in products { total += item.count * model.product(item.workload).total }
    let normTree = EnginePipeline.norm(lanes: engine.normLanes) - EnginePipeline.norm(lanes: 1)
    let softmaxTree = EnginePipeline.softmax(lanes: engine.softmaxLanes) - EnginePipeline.softmax(lanes: 1)
    for item in norms { total += item.count * (model.norm(item.workload).total - normTree) }
    for item in attention {
      total -= item.count * softmaxTree
      let scores = model.product(item.scores)
      let context = model.product(item.context)
      total += item.count * (scores.total + context.total)
      total += item.count * model.softmax(item.softmax, scores: scores, context: context).total
    }
    return total
  }

  /// Every array within the DSP budget with its lower bound.
  private func arrays() -> [Candidate] {
    var candidates: [Candidate] = []
    for index in families.indices {
      var engine = families[index].engine
      for outputs in grid.outputElements {
        for inputs in grid.inputElements {
          for tokens in grid.tokenElements where outputs * inputs * tokens <= budget.dsp {
            for fabric in grid.fabricTokens {
              engine.outputElements = outputs
              engine.inputElements = inputs
              engine.tokenElements = tokens
              engine.fabricTokens = fabric
              candidates.append(
                Candidate(
                  bound: bound(engine), order: candidates.count, family: index, outputs: outputs,
                  inputs: inputs,
                  tokens: tokens, fabric: fabric))
            }
          }
        }
      }
    }
    return candidates
  }

  /// Σ products / products per cycle, each precision in its mode: no schedule of this array is faster.
  ///
  /// It leaves out the padding of rows, inputs and tokens, so it needs only three sums.
  private func bound(_ engine: EngineConfiguration) -> Int {
    func rate(_ mode: PackingMode) -> Double {
      Double(engine.outputLanes(mode) * engine.inputElements * engine.tokenLanes(mode))
    }
    let four = sums.four / max(rate(engine.fourBitMode), rate(engine.eightBitMode))
    return Int(four + sums.eight / rate(engine.eightBitMode) + sums.attention / rate(engine.attentionMode))
      + sums.norms
  }

  private mutating func tryPlans(_ engine: EngineConfiguration, _ family: Family) {
    let array = resources.array(engine, family.logic) + resources.control(ports: engine.axiPorts)
    let buffers = BufferModel(work: work, engine: engine)
    let words = buffers.residentWords
    let tokens = work.geometry.tokens
    var plans = [
      MemoryPlan(weightsOnChip: true, activationsOnChip: true, tokenTile: tokens),
      MemoryPlan(weightsOnChip: false, activationsOnChip: true, tokenTile: tokens),
    ]
    for tile in grid.tokenTiles where tile < 2 * tokens {
      plans.append(MemoryPlan(weightsOnChip: true, activationsOnChip: false, tokenTile: min(tile, tokens)))
      plans.append(MemoryPlan(weightsOnChip: false, activationsOnChip: false, tokenTile: min(tile, tokens)))
    }
    for plan in plans {
      let base =
        array + buffers.codes(plan)
        + buffers.weights(resident: plan.weightsOnChip, residentWords: words, budget: budget)
      if !base.fits(budget) { continue }
      if fastest(engine, family.chains, plan) > bestKey.cycles { continue }
      let memoryBinds = tryLanes(engine, chains: family.chains, plan: plan, base: base, buffers: buffers)
      // Where memory does not limit the engine, no slower plan can win.
      if !memoryBinds { return }
    }
  }

  /// Tries all lane counts; true if some combination failed only because of its memories.
  private mutating func tryLanes(
    _ start: EngineConfiguration, chains: ChainLengths, plan: MemoryPlan, base: ResourceUse,
    buffers: BufferModel
  ) -> Bool {
    var engine = start
    var memoryBinds = false
    func model() -> CycleModel {
      CycleModel(
        engine: engine, chains: chains, plan: plan, memoryBits: memoryBits(engine),
        wideRequantisation: resources.dspPerRequantisationLane > 1)
    }
    var norm: [(lanes: Int, cycles: Int, use: ResourceUse)] = []
    for lanes in grid.normLanes {
      engine.normLanes = lanes
      let cycleModel = model()
      let cycles = norms.reduce(0) { $0 + $1.count * cycleModel.norm($1.workload).total }
      norm.append((lanes, cycles, resources.norm(lanes: lanes) + buffers.residual(plan, normLanes: lanes)))
    }
    var gemm: [(lanes: Int, cycles: Int, use: ResourceUse)] = []
    for lanes in grid.requantisationLanes {
      engine.requantisationLanes = lanes
      let cycleModel = model()
      let cycles = products.reduce(0) { $0 + $1.count * cycleModel.product($1.workload).total }
      gemm.append(
        (
          lanes, cycles,
          resources.requantisation(lanes: lanes) + buffers.parameters(plan, requantisationLanes: lanes)
        ))
      // More lanes no longer help: larger numbers only cost more.
      if gemm.count > 1 && gemm[gemm.count - 2].cycles == cycles {
        gemm.removeLast()
        break
      }
    }
    var heads: [(context: Int, softmax: Int, cycles: Int, use: ResourceUse)] = []
    for contextLanes in grid.contextLanes {
      engine.contextLanes = contextLanes
      let contextModel = model()
      let pairs = attention.map {
        (item: $0, scores: contextModel.product($0.scores), context: contextModel.product($0.context))
      }
      for lanes in grid.softmaxLanes {
        engine.softmaxLanes = lanes
        let cycleModel = model()
        let cycles = pairs.reduce(0) {
          let exposed = cycleModel.softmax($1.item.softmax, scores: $1.scores, context: $1.context)
          return $0 + $1.item.count * ($1.scores.total + $1.context.total + exposed.total)
        }
        heads.append(
          (
            contextLanes, lanes, cycles,
            resources.context(lanes: contextLanes) + resources.softmax(lanes: lanes)
              + buffers.scores(softmaxLanes: lanes, scoreBits: resources.scoreBits)
          ))
      }
    }
    let left = (
      dsp: budget.dsp - base.dsp, lut: budget.lut - base.lut, ff: budget.ff - base.ff,
      bram18: budget.bram18 - base.bram18
    )
    for a in gemm {
      for b in heads {
        let cycles = a.cycles + b.cycles
        if cycles > bestKey.cycles { continue }
        for c in norm where cycles + c.cycles <= bestKey.cycles {
          let dsp = a.use.dsp + b.use.dsp + c.use.dsp
          let lut = a.use.lut + b.use.lut + c.use.lut
          let ff = a.use.ff + b.use.ff + c.use.ff
          if dsp > left.dsp || lut > left.lut || ff > left.ff { continue }
          if a.use.bram18 + b.use.bram18 + c.use.bram18 > left.bram18 {
            memoryBinds = true
            continue
          }
          let key = (cycles + c.cycles, base.dsp + dsp, base.lut + lut)
          if key < (bestKey.cycles, bestKey.dsp, bestKey.lut) {
            bestKey = (key.0, key.1, key.2)
            engine.requantisationLanes = a.lanes
            engine.contextLanes = b.context
            engine.softmaxLanes = b.softmax
            engine.normLanes = c.lanes
            engine.tokenTile = plan.activationsOnChip ? start.tokenTile : plan.tokenTile
            engine.weights = plan.weightsOnChip ? .onChip : .streamed
            engine.activations = plan.activationsOnChip ? .onChip : .streamed
            best = engine
          }
        }
      }
    }
    return memoryBinds
  }
}
