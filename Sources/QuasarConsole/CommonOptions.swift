import ArgumentParser
import Quasar

/// Options that every command takes.
package struct CommonOptions: ParsableArguments {
  @Flag(name: .long, help: "Print figures as JSON on standard output, everything else on standard error.")
  package var json = false

  @Option(name: .long, help: "Number of threads (default: all CPUs).")
  package var threads: Int?

  @Option(
    name: .long, help: "Instruction set of the integer kernels, as `quasar doctor` names it (default: the fastest).")
  package var isa: String?

  package init() {}

  /// Sets threads and instruction set for the process.
  package func apply() throws {
    if let threads {
      guard threads >= 1, threads <= 1024 else {
        throw QuasarError(.usage, "--threads \(threads): use a number from 1 to 1024")
      }
      Machine.setThreads(threads)
    }
    if let isa { try Machine.forceInstructionSet(isa) }
  }
}
