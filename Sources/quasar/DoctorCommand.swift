import ArgumentParser
import CKernels
import Foundation
import Quasar

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "What this machine has and which kernels serve it.",
    discussion: "Example: quasar doctor --json")

  @OptionGroup var common: CommonOptions

  private static let operations = (0..<QK_OPERATION_COUNT.rawValue).map { qk_operation($0) }

  func run() throws {
    try common.apply()
    let current = qk_isa_current()
    let sets = Machine.instructionSets.map { isa in
      (
        name: Machine.name(isa), available: qk_isa_available(isa) == 1,
        kernels: DoctorCommand.operations.map {
          (String(cString: qk_operation_name($0)), String(cString: qk_kernel_name($0, isa)))
        }
      )
    }
    let peak = Machine.peak(current)
    let simulators = ["verilator", "iverilog", "yosys"].map { ($0, SystemProgram.find($0)) }
    if common.json {
      try Console.json([
        "version": quasarVersion, "threads": Machine.threads, "isa": Machine.name(current),
        "instruction_sets": sets.map { set in
          [
            "name": set.name, "available": set.available,
            "kernels": Dictionary(uniqueKeysWithValues: set.kernels),
          ] as [String: Any]
        },
        "peak_gops_one_thread": peak,
        "tools": Dictionary(uniqueKeysWithValues: simulators.map { ($0.0, $0.1 ?? "") }),
      ])
      return
    }
    print("quasar \(quasarVersion), \(Machine.threads) thread(s), kernels: \(Machine.name(current))")
    print(
      Console.table(
        ["instruction set", "available"]
          + DoctorCommand.operations.map { String(cString: qk_operation_name($0)) },
        sets.map { [$0.name, $0.available ? "yes" : "no"] + $0.kernels.map(\.1) }))
    print("integer peak of \(Machine.name(current)), one thread: \(Workflow.fixed(peak, 0)) GOP/s (measured)")
    for (name, path) in simulators {
      print("\(name): \(path ?? "not found (only needed to simulate hardware)")")
    }
  }
}
