import ArgumentParser
import Quasar
import QuasarConsole

/// `quasar bench` and its subcommands.
package struct BenchCommand: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure kernels and whole networks on this machine.",
    discussion: """
      Example: quasar bench gemm --suite deit --threads 1

      Cases run in turns, round after round. A short loop of a known rate runs before and after each measurement. Where
      it is more than 5 % below its best, or the CPU was given to others for 5 % of the time, the measurement is noisy.
      Medians are over the others, or, marked ~, over all where fewer than 3 are clean. The peak of a figure was
      measured in the same run.
      """,
    subcommands: [
      GEMMBench.self, AttentionBench.self, ElementwiseBench.self, InferBench.self, TrainBench.self, PoolBench.self,
      ExchangeBench.self,
    ])

  package init() {}
}

/// How often and against what a bench measures.
struct BenchOptions: ParsableArguments {
  @Option(name: .long, help: "Timed rounds.") var rounds = 15
  @Option(
    name: .long,
    help: """
      JSON file {"NAME": LEAST, …}: fails (69) when the fraction of the peak of a result is below LEAST; NAME as in \
      --json, or name/shape.
      """)
  var check: String?

  func validate(_ common: CommonOptions) throws {
    try common.apply()
    try checkSizes([("--rounds", rounds, 1...100_000)])
  }

  /// Prints the results as JSON, or `text` with the line on noise; then compares them with --check.
  func report(_ records: [BenchRecord], json: Bool, text: () -> String) throws {
    let limits = try check.map { try BenchLimits(contentsOf: $0) }
    if json {
      try Console.jsonValue(records.map(\.object))
    } else {
      print(text())
      print(BenchRecord.noise(records))
    }
    try limits?.check(records)
  }
}

/// Checks that every size lies in its range, and says which does not.
func checkSizes(_ sizes: [(option: String, value: Int, range: ClosedRange<Int>)]) throws {
  for size in sizes where !size.range.contains(size.value) {
    throw QuasarError(
      .usage, "\(size.option) \(size.value): use \(size.range.lowerBound) to \(size.range.upperBound)")
  }
}
