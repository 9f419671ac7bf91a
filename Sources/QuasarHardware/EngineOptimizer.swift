import QuasarArithmetic
import QuasarNetwork
import QuasarTensor

/// Finds the engine with the smallest latency for a network under the caps of a device.
///
/// Exhaustive over a fixed grid that does not depend on the network: array sizes, packing modes of the 4-bit
/// rows, fabric tokens, drain groups, lanes of the vector units, one memory port or all, memory plans.
/// Arrays are visited in the order of a lower bound (compute cycles with every output requantised at once);
/// the search ends when the bound reaches the best latency, so nothing better is missed. Equal latencies go
/// to fewer DSPs, then fewer LUTs, then the earlier point of the grid.
public struct EngineOptimizer: Sendable {
  /// The device, its clock and the costs of an engine's parts.
  public var model: HardwareModel
  /// Grid of the array: DSPs along outputs, inputs and tokens.
  public var outputElements = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]
  public var inputElements = [1, 2, 4, 8, 12, 16, 24, 32]
  public var tokenElements = Array(1...20) + [22, 24, 25, 26, 28, 30, 32, 36, 40, 44, 48, 50, 56, 64]
  public var fabricTokens = [0, 1, 2, 4]
  public var drainGroups = [1, 2, 4, 8]
  public var requantisationLanes = [2, 4, 8, 16, 32, 64]
  public var contextLanes = [1, 2, 4, 8, 16, 32]
  public var softmaxLanes = [1, 2, 4, 8, 16, 32, 64]
  public var normLanes = [1, 2, 4, 8, 16, 32]
  public var tokenTiles = [32, 64, 128, 256]

  public init(_ model: HardwareModel) {
    self.model = model
  }

  /// The modes that 4-bit rows can use with activations of `bits` bits.
  ///
  /// Whatever holds wider activations holds narrower ones, so fewer bits only add modes. The last one runs
  /// 4-bit rows in the 8-bit mode: nothing for them alone, and no logic either.
  static func fourBitModes(_ generation: DSPGeneration, bits: Int) -> [PackingMode] {
    let block: PackingMode = generation == .e2 ? .w4a6Block : .w4a6BlockE1
    let wide: [PackingMode] = generation == .e2 ? [.w4a8TripleRestored, .w4a8Pair] : [.w4a8PairE1]
    return (bits <= 6 ? [block] : []) + wide + [eightBitMode(generation, bits: bits)]
  }

  static func eightBitMode(_ generation: DSPGeneration, bits: Int) -> PackingMode {
    switch generation {
    case .e2: bits <= 6 ? .w8a6Pair : .w8a8Pair
    case .e1: bits <= 6 ? .w8a6WidePairE1 : .w8a8WidePairE1
    }
  }

  /// On DSP48E1 the lanes of the 8-bit rows: a6a6-pair-e1 would add a second correction for depth nobody
  /// needs.
  static func attentionMode(_ generation: DSPGeneration, bits: Int) -> PackingMode {
    switch generation {
    case .e2: bits <= 6 ? .a6a6Pair : .a8a8Pair
    case .e1: bits <= 6 ? .w8a6WidePairE1 : .a8a8WidePairE1
    }
  }

  /// The fastest engine for the architecture.
  ///
  /// Throws `QuasarError` if even the smallest engine of the grid does not fit the device.
  public func engine(for architecture: Architecture) throws -> EngineConfiguration {
    let work = try NetworkWork(architecture)
    var search = try OptimizerRun(self, work: work)
    search.run()
    guard let best = search.best else {
      throw QuasarError(
        .badData,
        "no engine of the grid fits \(model.device.name) for this network: use a larger device or raise its caps")
    }
    return try relaxed(best, architecture)
  }

  /// The same engine with automatic placement where that leads to the same plan, so that it serves other
  /// networks.
  private func relaxed(_ engine: EngineConfiguration, _ architecture: Architecture) throws
    -> EngineConfiguration
  {
    var free = engine
    free.weights = .automatic
    free.activations = .automatic
    let plan = try EngineRun(model: model, architecture: architecture, engine: engine).plan
    let freePlan = try EngineRun(model: model, architecture: architecture, engine: free).plan
    return plan == freePlan ? free : engine
  }

  /// An engine to start from: every lane count and array size 1, the modes of `bits`.
  func smallest(bits: Int, fourBitMode: PackingMode) -> EngineConfiguration {
    let device = model.device
    var engine = EngineConfiguration(
      outputElements: 1, inputElements: 1, tokenElements: 1, fourBitMode: fourBitMode,
      eightBitMode: Self.eightBitMode(device.dspGeneration, bits: bits),
      attentionMode: Self.attentionMode(device.dspGeneration, bits: bits), axiPorts: device.axiPorts,
      axiBits: device.axiBits)
    engine.requantisationLanes = 1
    engine.contextLanes = 1
    engine.softmaxLanes = 1
    engine.normLanes = 1
    return engine
  }
}
