import ArgumentParser
import Foundation
import Quasar
import QuasarConsole

struct CosimCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cosim", abstract: "RTL against the emulator, bit for bit, and cycles against the cost model.",
    discussion: """
      --units simulates every RTL unit on golden vectors of the emulator: all packing modes and forms, or with --model
      those of the engine made for that network and board. --synthesis also counts cells with yosys.

      --network simulates a whole engine that runs a packed model on test images, or a network with random weights
      (--arch, --subnet) on noise: every logit against the integer kernels, the end of every command against the
      timeline of the cost model.

      Example: quasar cosim --units --vectors 100000
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var seed: SeedOption
  @OptionGroup var board: DeviceOptions
  @Flag(name: .long, help: "Simulate the units.") var units = false
  @Flag(name: .long, help: "Simulate a whole engine that runs the model on test images.") var network = false
  @Option(name: .long, help: "network: JSON file with the engine's parameters.") var engine: String?
  @Option(name: .long, help: "network: how many test images, from the first.") var images = 10
  @Option(name: .long, help: "network: random gaps in the stream, drawn from this number.") var stalls: UInt64?
  @Flag(name: .long, help: "network: multiplications in place of DSP slices, for speed.") var behavioural = false
  @OptionGroup var data: DataOption
  @OptionGroup var architecture: ArchitectureOptions
  @Flag(name: .long, help: "Count DSP, LUT and FF of every unit with yosys.") var synthesis = false
  @Option(name: .long, help: "Packed model: only the units of the engine made for it.") var model: String?
  @Option(name: .long, help: "Operations per unit.") var vectors = 20_000
  @Option(name: .long, help: "verilator or icarus.") var simulator: Simulation.Simulator = .verilator
  @Option(name: .long, help: "Folder for sources, vectors and results (default: a temporary one).") var out: String?

  func run() throws {
    try common.apply()
    if network { return try runNetwork() }
    guard units || synthesis else {
      throw QuasarError(
        .usage,
        "say what to do: --units simulates the RTL units, --synthesis counts their cells, --network simulates a whole "
          + "engine")
    }
    guard vectors >= 1, vectors <= 10_000_000 else {
      throw QuasarError(.usage, "--vectors \(vectors): use a number from 1 to 10000000")
    }
    let path = out ?? NSTemporaryDirectory() + "quasar-cosim-\(ProcessInfo.processInfo.processIdentifier)"
    defer { if out == nil { try? FileManager.default.removeItem(atPath: path) } }
    let folder = try RTLExport.write(
      model: model, hardware: board.model, vectors: vectors, seed: seed.seed, to: path)
    var json: [String: Any] = ["vectors": vectors]
    var isGood = true
    if units {
      Console.note("\(simulator.rawValue): building and running \(folder.cases.count) cases, a minute or two …")
      let simulation = try Simulation(folder, simulator: simulator)
      isGood = simulation.outcomes.allSatisfy { $0.isEqual && $0.isOnTime }
      json["units"] = try Console.object(simulation.outcomes)
      json["build_seconds"] = simulation.buildSeconds
      json["run_seconds"] = simulation.runSeconds
      json["simulator"] = simulator.rawValue
      if !common.json { print(Self.table(simulation)) }
    }
    if synthesis {
      let progress = ConsoleProgress()
      progress.begin("yosys of \(folder.cases.count) cases")
      let cells = try Synthesis.run(folder) { progress.update(done: $0, total: folder.cases.count, note: "units") }
      progress.clear()
      json["synthesis"] = try Console.object(cells)
      if !common.json { print(Self.table(cells)) }
    }
    if common.json { try Console.json(json) }
    if !isGood {
      throw QuasarError(
        .internal, "RTL and emulator differ, in value or in cycles; the lines marked above say where")
    }
  }

  private static func table(_ simulation: Simulation) -> String {
    let rows = simulation.outcomes.map { o in
      func cycles(_ found: Int?, _ expected: Int) -> String {
        guard let found else { return "?" }
        return found == expected ? "\(found)" : "\(found), model \(expected)"
      }
      let errors = o.errors.map { $0 == 0 ? "equal" : "\($0) DIFFER" } ?? "SILENT"
      return [
        o.name, String(o.vectors), errors, cycles(o.latency, o.expectedLatency),
        cycles(o.interval, o.expectedInterval),
      ]
    }
    let times =
      "built in \(Workflow.fixed(simulation.buildSeconds, 1)) s, simulated in "
      + "\(Workflow.fixed(simulation.runSeconds, 1)) s"
    return Console.table(["unit", "vectors", "outputs", "latency", "interval"], rows) + "\n" + times
  }

  private static func table(_ cells: [Synthesis]) -> String {
    Console.table(
      ["unit", "DSP", "LUT", "LUT RAM", "FF", "CARRY4", "BRAM18"],
      cells.map { [$0.name] + [$0.dsp, $0.lut, $0.memoryLUT, $0.ff, $0.carry, $0.bram18].map(String.init) })
  }
}

extension Simulation.Simulator: ExpressibleByArgument {}

/// What `cosim` and `export --format rtl` share.
enum RTLExport {
  /// The folder for all units, or for those of the engine that a packed model gets on the board.
  static func write(
    model: String?, hardware: () throws -> HardwareModel, vectors: Int, seed: UInt64, to path: String
  ) throws -> RTLFolder {
    let suite: UnitSuite
    if let model {
      let packed = try PackedFile.read(model)
      let engine = try hardware().optimisedEngine(for: packed.architecture)
      suite = try UnitSuite(engine: engine, architecture: packed.architecture)
    } else {
      suite = .everything
    }
    let progress = ConsoleProgress()
    progress.begin("vectors of \(suite.count) units")
    let cases = try suite.cases(vectors: vectors, seed: seed) {
      progress.update(done: $0, total: suite.count, note: "units")
    }
    progress.clear()
    return try RTLFolder(writing: cases, to: path)
  }
}
