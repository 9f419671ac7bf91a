import QuasarTensor

/// Golden vectors of one RTL unit with one set of parameters, and the cycles that the cost model counts for it.
public struct UnitCase: Sendable {
  /// Unique; also the name of its vector files.
  public var name: String
  /// The unit's module; its bench is the module with "_tb".
  public var unit: String
  /// Parameters of unit and bench, in the order they are written.
  public var parameters: [UnitParameter]
  /// Parameters of the bench alone.
  var benchParameters: [UnitParameter]
  /// Operations that the vectors hold.
  public var vectors: Int
  /// See `UnitCycles`.
  public var expectedLatency: Int
  public var expectedInterval: Int
  /// Vector files by the end of their name: "in", "out", "parameters", "table".
  var files: [(suffix: String, contents: [UInt8])]

  /// The case of a unit that carries its name.
  init(_ unit: some RTLUnit, vectors: Int, files: [(suffix: String, contents: [UInt8])]) {
    name = unit.name
    self.unit = type(of: unit).module
    parameters = unit.parameters
    benchParameters = unit.benchParameters
    self.vectors = vectors
    expectedLatency = unit.cycles.latency
    expectedInterval = unit.cycles.interval
    self.files = files
  }

  /// Instance of the bench in the generated top.
  func instance(index: Int) -> String {
    let all = parameters + benchParameters + [(name: "VECTORS", value: vectors)]
    let list = all.map { ".\($0.name)(\($0.value))" } + [".CASE(\"\(name)\")"]
    return "  \(unit)_tb #(\(list.joined(separator: ", ")))\n"
      + "    case_\(index) (.clk(clk), .reset(reset), .done(done[\(index)]), .errors(errors[\(32 * index) +: 32]));"
  }

  /// The line of the synthesis list: name, top, parameters.
  var synthesis: String {
    ([name, unit] + parameters.map { "\($0.name)=\($0.value)" }).joined(separator: " ")
  }
}

/// Random codes of which half are corners: the ends of their range, their neighbours, −1, 0 and 1.
struct CornerCodes {
  private var generator: RandomStream

  init(seed: UInt64, _ stream: String) {
    generator = RandomSource(seed: seed).generator(stream)
  }

  mutating func below(_ count: Int) -> Int { Int(generator.below(count)) }

  mutating func code(_ range: ClosedRange<Int>) -> Int {
    if below(2) == 0 { return range.lowerBound + below(range.count) }
    let corners = [range.lowerBound, range.lowerBound + 1, -1, 0, 1, range.upperBound - 1, range.upperBound]
    return min(max(corners[below(corners.count)], range.lowerBound), range.upperBound)
  }
}
