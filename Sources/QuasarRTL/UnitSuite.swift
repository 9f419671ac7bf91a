import QuasarArithmetic
import QuasarHardware
import QuasarNetwork

/// The RTL units with their cases: in every mode and form, or as one engine needs them for one network.
public struct UnitSuite: Sendable {
  /// Every unit: a new one is a line here.
  public static let kinds: [any RTLUnit.Type] = [
    ProcessingElementUnit.self,
    RequantiserUnit.self,
    GELUUnit.self,
    LayerNormUnit.self,
    SoftmaxUnit.self,
    ContextUnit.self,
    SpillUnit.self,
    ArrayUnit.self,
    AttentionUnit.self,
    NormPathUnit.self,
  ]

  public let units: [any RTLUnit]

  /// Every packing mode, both requantiser widths and DSP generations, and vector units of several sizes.
  public static var everything: UnitSuite { UnitSuite(units: kinds.flatMap { all(of: $0) }) }

  /// The same with few sizes of the blocks of the engine.
  static var tested: UnitSuite { UnitSuite(units: kinds.flatMap { tested(of: $0) }) }

  private static func all<Unit: RTLUnit>(of kind: Unit.Type) -> [any RTLUnit] { kind.everything }
  private static func tested<Unit: RTLUnit>(of kind: Unit.Type) -> [any RTLUnit] { kind.tested }

  private init(units: [any RTLUnit]) { self.units = units }

  /// The units of one engine for one network: its modes with the operands and chains of every kind of product, its
  /// requantisers, and vector units of its widths and lanes.
  public init(engine: EngineConfiguration, architecture: Architecture) throws {
    let use = try EngineUse(engine: engine, architecture: architecture)
    func all<Unit: RTLUnit>(of kind: Unit.Type) throws -> [any RTLUnit] { try kind.units(of: use) }
    units = try Self.kinds.flatMap { try all(of: $0) }
  }

  /// Number of units.
  public var count: Int { units.count }

  /// All cases with `vectors` operations each (product sets, codes, tokens, rows); `observe` hears how many units have
  /// made theirs.
  public func cases(vectors: Int, seed: UInt64, observe: (Int) -> Void = { _ in }) throws -> [UnitCase] {
    try units.enumerated().flatMap { index, unit in
      let cases = try unit.cases(vectors: vectors, seed: seed)
      observe(index + 1)
      return cases
    }
  }
}
