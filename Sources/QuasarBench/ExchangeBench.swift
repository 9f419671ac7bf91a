import ArgumentParser
import Foundation
import Quasar
import QuasarConsole

struct ExchangeBench: ParsableCommand, SharedCommand {
  static let configuration = CommandConfiguration(
    commandName: "exchange", abstract: "What adding gradients over processes costs, and the scaling to expect.",
    discussion: """
      Example: mpirun -n 2 quasar bench exchange --space deit-s --batch-ms 4200

      Sums over all processes of one number, of a bucket of 1 MiB, and of the gradients of a space. With the milliseconds \
      of a batch (quasar bench train), the speed to expect of 2 to 64 processes with a batch each.
      """)

  @OptionGroup var common: CommonOptions
  @Option(name: .long, help: "Timed rounds.") var rounds = 15
  @Option(name: .long, help: "Space, or YAML file, whose gradients are added.") var space = "deit-s"
  @Option(name: .long, help: "Milliseconds of a step of one batch on one process; 0: no table of speeds.") var batchMs =
    0.0

  func run() throws {
    try common.apply()
    try checkSizes([("--rounds", rounds, 1...100_000)])
    guard (0...1e9).contains(batchMs) else { throw QuasarError(.usage, "--batch-ms \(batchMs): use 0 to 1e9") }
    let processes = Launch.processes
    guard processes.size > 1 else {
      throw QuasarError(.usage, "there is nobody to exchange with: start it with 'mpirun -n 2 quasar bench exchange …'")
    }
    let floats = ExchangeBench.gradientCount(SupernetSize(try SearchSpace.load(space)))
    let sums = [("one number", 1), ("bucket of 1 MiB", 1 << 18), ("gradients of \(space)", floats)]
    let seconds = try sums.map { try measure(processes, count: $0.1) }
    guard processes.isFirst else { return }
    let levels = ScalingEstimate.levels(of: processes.size)
    let estimate = ScalingEstimate(
      batchSeconds: batchMs * 1e-3, levelSeconds: seconds[2] / Double(levels), latency: seconds[0] / Double(levels),
      buckets: (Double(floats) / Double(1 << 18)).rounded(.up))
    let processCounts = batchMs > 0 ? [2, 4, 8, 16, 32, 64] : []
    if common.json {
      try Console.json([
        "processes": processes.size,
        "sums": sums.indices.map {
          ["name": sums[$0].0, "bytes": 4 * sums[$0].1, "median_s": seconds[$0]] as [String: Any]
        },
        "expected": processCounts.map {
          ["processes": $0, "step_s": estimate.stepSeconds($0), "efficiency": estimate.efficiency($0)] as [String: Any]
        },
      ])
      return
    }
    print("sums over \(processes.size) processes")
    print(
      Console.table(
        ["of", "MB", "median", "GB/s and direction"],
        sums.indices.map { i in
          let bytes = Double(4 * sums[i].1)
          return [
            sums[i].0, Workflow.fixed(bytes / 1e6, 2), BenchRecord.time(seconds[i]),
            i == 0 ? "" : Workflow.fixed(bytes * Double(levels) / seconds[i] / 1e9, 2),
          ]
        }))
    guard batchMs > 0 else { return }
    print("\nexpected with a batch of \(Workflow.fixed(batchMs, 0)) ms for each process")
    print(
      Console.table(
        ["processes", "step", "efficiency"],
        processCounts.map {
          [
            String($0), BenchRecord.time(estimate.stepSeconds($0)), BenchRecord.percent(estimate.efficiency($0)),
          ]
        }))
  }

  static func gradientCount(_ size: SupernetSize) -> Int {
    Supernet(
      size: size,
      preprocessing: Preprocessing(
        mean: Array(repeating: 0, count: size.geometry.channels),
        deviation: Array(repeating: 1, count: size.geometry.channels)), random: RandomSource(seed: 1)
    ).parameters.reduce(0) { $0 + $1.value.count }
  }

  /// The median over all rounds of a sum of so many floats, buckets and all.
  private func measure(_ processes: any ProcessGroup, count: Int) throws -> Double {
    let sum = SumOverProcesses(processes)
    let values = NDArray<Float>(repeating: 0, shape: [count])
    let clock = ContinuousClock()
    var times: [Double] = []
    for round in 0...rounds {
      // All start together.
      _ = try processes.any(false)
      let seconds = try clock.measure {
        try sum.add(values.pointer, count: count)
        try sum.finish()
      }.seconds
      if round > 0 { times.append(seconds) }
    }
    return times.sorted()[times.count / 2]
  }
}
