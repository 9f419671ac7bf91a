import Foundation
import QuasarTensor

/// Runs the simulation of an exported folder and reads what the benches say.
public struct Simulation: Sendable {
  public enum Simulator: String, CaseIterable, Sendable {
    case verilator, icarus

    /// The program that must be on the path, and the Debian package that brings it.
    var program: (name: String, package: String) {
      self == .verilator ? ("verilator", "verilator") : ("iverilog", "iverilog")
    }
  }

  /// The result of one case.
  public struct Outcome: Codable, Hashable, Sendable {
    public var name: String
    public var unit: String
    public var vectors: Int
    /// Differing outputs; nil when the bench never reported.
    public var errors: Int?
    public var latency: Int?
    public var interval: Int?
    public var expectedLatency: Int
    public var expectedInterval: Int

    /// Every output equal.
    public var isEqual: Bool { errors == 0 }
    /// Cycles as the cost model counts them.
    public var isOnTime: Bool { latency == expectedLatency && interval == expectedInterval }
  }

  public let outcomes: [Outcome]
  /// Wall clock of building and of running the simulation.
  public let buildSeconds: Double
  public let runSeconds: Double

  /// Builds and runs; throws when a tool is missing or the build fails. A difference does not throw.
  public init(_ folder: RTLFolder, simulator: Simulator) throws {
    let program = simulator.program
    guard SystemProgram.find(program.name) != nil, SystemProgram.find("make") != nil else {
      throw QuasarError(
        .missing,
        "\(program.name) or make is not installed (Debian: apt-get install \(program.package) make g++); "
          + "the folder \(folder.path) is complete and can be simulated elsewhere")
    }
    let clock = ContinuousClock()
    let start = clock.now
    let build = try SystemProgram.run("make", ["-C", folder.path, "-s", "\(simulator.rawValue)-build"])
    guard build.status == 0 else {
      throw QuasarError(
        .internal, "\(folder.path): \(program.name) refuses the sources: \(build.output.suffix(2000))")
    }
    let built = clock.now
    let run = try SystemProgram.run("make", ["-C", folder.path, "-s", simulator.rawValue])
    buildSeconds = start.duration(to: built) / .seconds(1)
    runSeconds = built.duration(to: clock.now) / .seconds(1)
    outcomes = Self.outcomes(folder.cases, run.output)
    if run.status == 0, let silent = outcomes.first(where: { $0.errors == nil }) {
      throw QuasarError(
        .internal, "\(folder.path): the simulation ended without a word about \(silent.name): \(run.output.suffix(500))"
      )
    }
  }

  /// Reads `PASS name vectors=n latency=l interval=i` and `FAIL name errors=k of n`; an interval may be `ixn`, i cycles
  /// on each of n times.
  static func outcomes(_ cases: [UnitCase], _ output: String) -> [Outcome] {
    var lines: [String: [String: Int]] = [:]
    var failed: Set<String> = []
    for line in output.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count >= 2, words[0] == "PASS" || words[0] == "FAIL" else { continue }
      var values: [String: Int] = [:]
      for word in words.dropFirst(2) {
        let parts = word.split(separator: "=")
        guard parts.count == 2, let value = Int(parts[1].prefix { $0 != "x" }) else { continue }
        values[String(parts[0])] = value
      }
      let name = String(words[1])
      if words[0] == "FAIL" { failed.insert(name) }
      lines[name] = values
    }
    return cases.map { unit in
      let values = lines[unit.name]
      let errors = values.map { failed.contains(unit.name) ? max(1, $0["errors"] ?? 1) : 0 }
      return Outcome(
        name: unit.name, unit: unit.unit, vectors: unit.vectors, errors: errors, latency: values?["latency"],
        interval: values?["interval"], expectedLatency: unit.expectedLatency,
        expectedInterval: unit.expectedInterval)
    }
  }
}
