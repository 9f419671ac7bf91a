import QuasarNetwork
import QuasarTensor

/// The engine that runs a network: made for that network, or one given engine for all.
public enum EngineChoice: Codable, Hashable, Sendable {
  /// The fastest engine for each network under the caps of the device ("model-adaptive").
  case optimised
  case fixed(EngineConfiguration)
}

/// Latency and resources of networks on one device at one clock.
///
/// It is a value without state: the same network and engine give the same estimate everywhere.
public struct HardwareModel: Sendable {
  public var device: Device
  public var clockMHz: Double
  /// LUT, FF and DSP of the engine's parts.
  public var costs: CostConstants

  /// With `clockMHz` nil, the device's default clock. Throws `QuasarError` for a clock outside 1…2000 MHz.
  public init(device: Device, clockMHz: Double? = nil, costs: CostConstants = .openSynthesis) throws {
    let clock = clockMHz ?? device.clockMHz
    guard clock >= 1, clock <= 2000 else {
      throw QuasarError(.usage, "clock \(clock) MHz: use a value from 1 to 2000 (150 to 300 are usual)")
    }
    self.device = device
    self.clockMHz = clock
    self.costs = costs
  }

  /// The estimate of an architecture on an engine made for it, or on a given one.
  public func estimate(
    _ architecture: Architecture, engine: EngineChoice = .optimised
  ) throws -> HardwareEstimate {
    switch engine {
    case .optimised: try estimate(architecture, engine: optimisedEngine(for: architecture))
    case .fixed(let configuration): try estimate(architecture, engine: configuration)
    }
  }

  /// The estimate of an architecture on the given engine; buffers are sized for this network.
  ///
  /// The memory plan is the fastest one within the caps. If there is none, it is the smallest one and `fits` is false.
  public func estimate(_ architecture: Architecture, engine: EngineConfiguration) throws -> HardwareEstimate {
    let run = try EngineRun(model: self, architecture: architecture, engine: engine)
    return run.estimate()
  }

  /// Cycles of one image on the given engine, and whether the engine fits; the cheapest call for a search.
  public func cycles(
    _ architecture: Architecture, engine: EngineConfiguration
  ) throws -> (cycles: Int, fits: Bool) {
    let run = try EngineRun(model: self, architecture: architecture, engine: engine)
    return (run.totalCycles(), run.use.fits(device.budget))
  }

  /// The engine with the smallest latency for this architecture under the caps of the device.
  public func optimisedEngine(for architecture: Architecture) throws -> EngineConfiguration {
    try EngineOptimizer(self).engine(for: architecture)
  }

  /// β: bits per cycle that an engine gets from memory.
  func memoryBits(_ engine: EngineConfiguration) -> Double {
    min(device.memoryBitsPerCycle(clockMHz: clockMHz), Double(engine.axiPorts * engine.axiBits))
  }
}

/// One network on one engine, with the memory plan chosen and resources added up, ready to count cycles.
struct EngineRun {
  let model: HardwareModel
  let engine: EngineConfiguration
  let work: NetworkWork
  let chains: ChainLengths
  let plan: MemoryPlan
  let use: ResourceUse
  /// The part of `use` that is activation memories.
  let activationUse: ResourceUse
  let cycleModel: CycleModel

  init(model: HardwareModel, architecture: Architecture, engine: EngineConfiguration) throws {
    try engine.validate(on: model.device)
    self.model = model
    self.engine = engine
    work = try NetworkWork(architecture)
    chains = try ChainLengths(engine, activationBits: architecture.activationBits)
    let resources = ResourceModel(work: work, generation: model.device.dspGeneration, costs: model.costs)
    let budget = model.device.budget
    let logic =
      resources.array(engine) + resources.requantisation(lanes: engine.requantisationLanes)
      + resources.context(lanes: engine.contextLanes) + resources.softmax(lanes: engine.softmaxLanes)
      + resources.norm(lanes: engine.normLanes) + resources.control(ports: engine.axiPorts)
    let buffers = BufferModel(work: work, engine: engine)
    let words = buffers.residentWords
    var chosen: (plan: MemoryPlan, use: ResourceUse, activations: ResourceUse)?
    for plan in MemoryPlan.candidates(engine, tokens: work.geometry.tokens) {
      let activations =
        buffers.codes(plan) + buffers.residual(plan, normLanes: engine.normLanes)
        + buffers.scores(softmaxLanes: engine.softmaxLanes, scoreBits: resources.scoreBits)
      let memory =
        activations + buffers.weights(resident: plan.weightsOnChip, residentWords: words, budget: budget)
        + buffers.parameters(plan, requantisationLanes: engine.requantisationLanes)
      chosen = (plan, logic + memory, activations)
      if memory.bram18 <= budget.bram18 && memory.uram <= budget.uram { break }
    }
    plan = chosen!.plan
    use = chosen!.use
    activationUse = chosen!.activations
    cycleModel = CycleModel(
      engine: engine, chains: chains, plan: plan, memoryBits: model.memoryBits(engine),
      wideRequantisation: resources.dspPerRequantisationLane > 1)
  }

  func totalCycles() -> Int {
    var total = 0
    forEachLayer { total += $1.total }
    return total
  }

  /// Calls `body` with every workload and its cycles, in order of execution.
  private func forEachLayer(_ body: (Workload, WorkloadCycles) -> Void) {
    let items = work.workloads
    var scores = WorkloadCycles()
    for index in items.indices {
      let item = items[index]
      switch item.kind {
      case .layerNorm: body(item, cycleModel.norm(item))
      case .softmax:
        let context = cycleModel.product(items[index + 1])
        body(item, cycleModel.softmax(item, scores: scores, context: context))
      default:
        let cycles = cycleModel.product(item)
        if item.kind == .scores { scores = cycles }
        body(item, cycles)
      }
    }
  }

  func estimate() -> HardwareEstimate {
    var layers: [LayerEstimate] = []
    layers.reserveCapacity(work.workloads.count)
    var total = 0
    var array = 0
    var norm = 0
    var softmax = 0
    var memoryBits = 0
    var products = 0
    forEachLayer { item, cycles in
      total += cycles.total
      memoryBits += cycles.memoryBits
      products += item.multiplyAccumulates
      switch item.kind {
      case .layerNorm: norm += cycles.compute
      case .softmax: softmax += cycles.compute
      default: array += cycles.compute
      }
      layers.append(Self.layer(item, cycles))
    }
    let device = model.device
    let utilisation = HardwareEstimate.Utilisation(
      dsp: Double(use.dsp) / Double(device.dsp), lut: Double(use.lut) / Double(device.lut),
      ff: Double(use.ff) / Double(device.ff), bram18: Double(use.bram18) / Double(device.bram18),
      uram: device.uram == 0 ? 0 : Double(use.uram) / Double(device.uram))
    let memoryCycles = transferCycles(memoryBits, cycleModel.memoryBits)
    let hertz = model.clockMHz * 1e6
    return HardwareEstimate(
      device: device.name, clockMHz: model.clockMHz, engine: engine, chainLengths: chains, memoryPlan: plan,
      layers: layers, multiplyAccumulates: products, cycles: total,
      latencyMilliseconds: Double(total) / hertz * 1000, fps: hertz / Double(total),
      pipelinedFPS: hertz / Double(max(array, norm, softmax, memoryCycles)), dsp: use.dsp, lut: use.lut,
      ff: use.ff, bram18: use.bram18, uram: use.uram, pipelinedBRAM18: use.bram18 + activationUse.bram18,
      arrayDSP: engine.arrayDSP, utilisation: utilisation, fits: use.fits(device.budget),
      bindingCap: Self.bindingCap(utilisation, device.caps),
      weightBytes: (work.weightBits + work.weightRows * parameterBits) / 8,
      ddrBytesPerImage: memoryBits / 8,
      productsPerDSPAndCycle: Double(products) / Double(total) / Double(engine.arrayDSP))
  }

  private static func layer(_ item: Workload, _ cycles: WorkloadCycles) -> LayerEstimate {
    let activations = cycles.inputTransfer + cycles.outputTransfer
    let bound: LayerEstimate.Bound
    if cycles.weightTransfer > cycles.compute && cycles.weightTransfer >= activations {
      bound = .weights
    } else if activations > cycles.compute {
      bound = .activations
    } else {
      bound = cycles.compute > cycles.arrayOnly ? .requantisation : .compute
    }
    return LayerEstimate(
      name: item.name, kind: item.kind, multiplyAccumulates: item.multiplyAccumulates,
      rows4: item.kind.isProduct ? item.rows4 : 0, rows8: item.kind.isProduct ? item.rows8 : 0,
      tiles4: cycles.tiles4, tiles8: cycles.tiles8, idealCycles: cycles.ideal, computeCycles: cycles.compute,
      weightCycles: cycles.weightTransfer, inputCycles: cycles.inputTransfer,
      outputCycles: cycles.outputTransfer, totalCycles: cycles.total, bound: bound,
      dspEfficiency: cycles.total == 0 ? 0 : Double(cycles.ideal) / Double(cycles.total))
  }

  private static func bindingCap(
    _ utilisation: HardwareEstimate.Utilisation, _ caps: Device.Caps
  ) -> HardwareEstimate.Resource {
    let shares: [(HardwareEstimate.Resource, Double)] = [
      (.dsp, utilisation.dsp / caps.dsp), (.lut, utilisation.lut / caps.lut), (.ff, utilisation.ff / caps.ff),
      (.bram18, utilisation.bram18 / caps.bram18), (.uram, utilisation.uram / caps.uram),
    ]
    var best = shares[0]
    for share in shares where share.1 > best.1 { best = share }
    return best.0
  }
}
