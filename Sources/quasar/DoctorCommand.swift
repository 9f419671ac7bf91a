import ArgumentParser
import Foundation
import Quasar
import QuasarConsole

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "What this machine has, which kernels serve it, and why no better ones do.",
    discussion: "Example: quasar doctor --json")

  @OptionGroup var common: CommonOptions

  func run() throws {
    try common.apply()
    let table = KernelTable(forced: common.isa != nil)
    let peak = Machine.peak()
    let simulators = ["verilator", "iverilog", "yosys"].map { ($0, SystemProgram.find($0)) }
    if common.json {
      try Console.json([
        "version": quasarVersion, "threads": Machine.threads, "isa": Machine.currentName,
        "instruction_sets": table.setObjects, "operations": table.operationObjects,
        "peak_gops_one_thread": peak,
        "tools": Dictionary(uniqueKeysWithValues: simulators.map { ($0.0, $0.1 ?? "") }),
      ])
      return
    }
    print("quasar \(quasarVersion), \(Machine.threads) thread(s), kernels: \(Machine.currentName)")
    print(table.text)
    print("integer peak of \(Machine.currentName), one thread: \(Workflow.fixed(peak, 0)) GOP/s (measured)")
    for (name, path) in simulators {
      print("\(name): \(path ?? "not found (only needed to simulate hardware)")")
    }
  }
}
