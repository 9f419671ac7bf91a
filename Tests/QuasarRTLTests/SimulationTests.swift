import Foundation
import QuasarArithmetic
import QuasarHardware
import QuasarSupernet
import QuasarTensor
import Testing

@testable import QuasarRTL

/// The RTL itself, simulated on vectors of the emulator. Both simulators are installed by `tools/test`.
@Suite("RTL units", .serialized)
struct SimulationTests {
  final class Folder {
    let path = NSTemporaryDirectory() + "quasar-rtl-\(UUID().uuidString)"
    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  /// One error line for each case that differs, in value or in cycles.
  static func check(_ simulation: Simulation) {
    for outcome in simulation.outcomes {
      #expect(outcome.isEqual, "\(outcome.name): \(outcome.errors.map(String.init) ?? "no") errors reported")
      #expect(
        outcome.isOnTime,
        """
        \(outcome.name): latency \(outcome.latency ?? -1), interval \(outcome.interval ?? -1); the cost model counts \
        \(outcome.expectedLatency) and \(outcome.expectedInterval)
        """)
    }
  }

  @Test("Every unit in every mode equals the emulator in Verilator, in value and in cycles")
  func everything() throws {
    let folder = Folder()
    let cases = try UnitSuite.tested.cases(vectors: 1500, seed: 3)
    #expect(Set(cases.map(\.name)).count == cases.count)
    let modes = Set(PackingMode.all.map(\.name))
    for mode in modes { #expect(cases.contains { $0.name.hasPrefix(mode) }, "\(mode) has no case") }
    Self.check(try Simulation(RTLFolder(writing: cases, to: folder.path), simulator: .verilator))
  }

  @Test("The units of an engine made for a network equal the emulator in Icarus")
  func engine() throws {
    let folder = Folder()
    let architecture = try SearchSpace.load("fashion-s").smallest
    let board = try HardwareModel(device: Device.named("pynq-z2"))
    let engine = try board.optimisedEngine(for: architecture)
    let cases = try UnitSuite(engine: engine, architecture: architecture).cases(vectors: 60, seed: 4)
    Self.check(try Simulation(RTLFolder(writing: cases, to: folder.path), simulator: .icarus))
  }

  /// A wrong expected word must be seen, or all the above says nothing.
  @Test("A changed vector and a silent bench are reported")
  func differences() throws {
    let folder = Folder()
    var cases = try UnitSuite.everything.cases(vectors: 40, seed: 5).filter {
      ["w8a8-pair-s-8", "gelu"].contains($0.name)
    }
    let place = try #require(cases[0].files.firstIndex { $0.suffix == "out" })
    let old = cases[0].files[place].contents[0]
    cases[0].files[place].contents[0] = old == 48 ? 49 : 48
    let simulation = try Simulation(RTLFolder(writing: cases, to: folder.path), simulator: .icarus)
    #expect(simulation.outcomes[0].errors.map { $0 > 0 } == true)
    #expect(simulation.outcomes[1].isEqual && simulation.outcomes[1].isOnTime)
    let silent = Simulation.outcomes(cases, "PASS gelu vectors=40 latency=1 interval=1x39\n")
    #expect(silent[0].errors == nil && !silent[0].isEqual && silent[1].isOnTime)
    let late = Simulation.outcomes(cases, "PASS gelu vectors=40 latency=2 interval=1\n")
    #expect(late[1].isEqual && !late[1].isOnTime)
  }

  @Test("All units pass Verilator's lint without a warning")
  func lint() throws {
    let folder = Folder()
    _ = try RTLFolder(writing: GELUUnit().cases(vectors: 1, seed: 1), to: folder.path)
    let lint = try SystemProgram.run("make", ["-C", folder.path, "-s", "lint"])
    #expect(lint.status == 0 && !lint.output.contains("%Warning"), "\(lint.output.suffix(2000))")
  }

  @Test("Yosys counts exactly one DSP in every processing element, and the cells of the cost model elsewhere")
  func synthesis() throws {
    let folder = Folder()
    let wanted = [
      "w4a6-2x2-s-4", "w4a8-pair-e1-s-589", "requantiser-codes-8-sum27-e2", "requantiser-codes-8-sum32-e2",
      "requantiser-residual-16-sum27-e2", "requantiser-residual-16-sum32-e2",
    ]
    let units = UnitSuite.everything.units.filter { wanted.contains($0.name) }
    let cases = try units.flatMap { try $0.cases(vectors: 1, seed: 1) }
    let cells = try Synthesis.run(RTLFolder(writing: cases, to: folder.path))
    let counted = try units.map { try #require($0.resources) }
    #expect(cells.map(\.name) == wanted && cells.map(\.dsp) == counted.map(\.dsp))
    // 128 accumulator bits, and what the model leaves out stays small.
    #expect(cells[0].lut >= 128 && cells[0].lut <= counted[0].lut && cells[0].ff <= counted[0].ff)
    // The lane of the cost model is the one with a residual adder; the others are smaller.
    for n in 2...3 { #expect(cells[n].lut + cells[n].memoryLUT <= counted[n].lut && cells[n].ff <= counted[n].ff) }
    for n in 4...5 { #expect(cells[n].lut + cells[n].memoryLUT == counted[n].lut && cells[n].ff == counted[n].ff) }
  }

  @Test("Exported RTL is written over, also that of the layout without folders")
  func exportedFolder() throws {
    let folder = Folder()
    try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    try "module quasar_pe;".write(toFile: folder.path + "/quasar_pe.sv", atomically: true, encoding: .utf8)
    _ = try RTLFolder(writing: [], to: folder.path)
    try FileManager.default.removeItem(atPath: folder.path + "/quasar_pe.sv")
    _ = try RTLFolder(writing: [], to: folder.path)
    #expect(FileManager.default.fileExists(atPath: folder.path + "/units/quasar_pe.sv"))
  }

  @Test("A folder with foreign files is left alone")
  func foreignFolder() throws {
    let folder = Folder()
    try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    try "mine".write(toFile: folder.path + "/notes.txt", atomically: true, encoding: .utf8)
    #expect(throws: QuasarError.self) { try RTLFolder(writing: [], to: folder.path) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["notes.txt"])
  }

  @Test("Cells are read from yosys's statistics")
  func statistics() {
    let text = """
         Number of cells:                 40
           CARRY4                         25
           DSP48E2                         1
           FDRE                          245
           FDSE                            2
           INV                             1
           LUT2                           68
           LUT6                            4
           RAM32M16                        2
           RAM64M8                         1
           RAMB18E2                        1
           RAMB36E2                        2
           SRL16E                          4
      """
    let cells = Synthesis(name: "x", unit: "y", statistics: text)
    #expect(cells.dsp == 1 && cells.lut == 73 && cells.ff == 247 && cells.carry == 25)
    #expect(cells.memoryLUT == 2 * 8 + 8 + 4 && cells.bram18 == 5)
  }
}
