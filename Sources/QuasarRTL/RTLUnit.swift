import QuasarArithmetic
import QuasarHardware
import QuasarNetwork
import QuasarTensor

/// A parameter of a module and its value.
public typealias UnitParameter = (name: String, value: Int)

/// The pipeline of a unit as the cost model counts it, in cycles.
public struct UnitCycles: Hashable, Sendable {
  /// From the input that ends a dot product, or that begins a token or row, to the first output.
  public var latency: Int
  /// From one operation to the next.
  public var interval: Int

  public init(latency: Int, interval: Int) {
    self.latency = latency
    self.interval = interval
  }
}

/// One RTL unit with one set of parameters.
///
/// A unit is one type: its module, its parameters, the cycles and cells that the cost model counts for it, and its golden
/// vectors. `UnitSuite.kinds` lists the types.
public protocol RTLUnit: Sendable {
  /// The SystemVerilog module; its bench is the module with "_tb".
  static var module: String { get }
  /// The unit in every form and in several sizes.
  static var everything: [Self] { get }
  /// Those that the tests of the package simulate: a simulator builds large blocks slowly, and `cosim --units` takes all.
  static var tested: [Self] { get }
  /// The units of one engine for one network; without repetitions.
  static func units(of use: EngineUse) throws -> [Self]

  /// Unique in a suite; also the name of its vector files.
  var name: String { get }
  /// Parameters of unit and bench, in the order they are written.
  var parameters: [UnitParameter] { get }
  /// Parameters of the bench alone.
  var benchParameters: [UnitParameter] { get }
  var cycles: UnitCycles { get }
  /// DSP, LUT and FF that the cost model counts for this unit; nil where it has no constant for it.
  var resources: ResourceUse? { get }
  /// Simulation cases with `vectors` operations each; the first one has the unit's name and is also synthesised.
  func cases(vectors: Int, seed: UInt64) throws -> [UnitCase]
}

extension RTLUnit {
  public static var tested: [Self] { everything }
  public var benchParameters: [UnitParameter] { [] }
  public var resources: ResourceUse? { nil }
}

/// An engine and the network that runs on it, with what the units need to know of both.
public struct EngineUse {
  public let engine: EngineConfiguration
  public let architecture: Architecture
  let work: NetworkWork
  let resources: ResourceModel

  public init(engine: EngineConfiguration, architecture: Architecture) throws {
    self.engine = engine
    self.architecture = architecture
    work = try NetworkWork(architecture)
    resources = ResourceModel(work: work, generation: engine.fourBitMode.generation)
  }

  var generation: DSPGeneration { engine.fourBitMode.generation }
  /// Bits of an activation code.
  var activationBits: Int { architecture.activationBits }
  var tokens: Int { architecture.geometry.tokens }
}
