import ArgumentParser
import CKernels
import Foundation
import Quasar
import QuasarConsole

struct PoolBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pool", abstract: "What sharing work among threads costs, and what it gains.",
    discussion: """
      Example: quasar bench pool --threads 2 --idle-ms 1,300

      A fork and join of an empty task for each thread: back to back, and after the caller has slept. Then one product
      of at least 200 µs on one thread and on all, in turns.
      """)

  @OptionGroup var common: CommonOptions
  @OptionGroup var bench: BenchOptions
  @Option(name: .long, help: "Milliseconds of the idle gaps, with commas.") var idleMs = "1,300"
  @Option(name: .long, help: "Least microseconds of the product on one thread.") var workUs = 200.0

  func run() throws {
    try bench.validate(common)
    let gaps = try idleMs.split(separator: ",", omittingEmptySubsequences: false).map { text in
      guard let gap = Double(text), (0.01...10_000).contains(gap) else {
        throw QuasarError(.usage, "--idle-ms \(text): use numbers from 0.01 to 10000")
      }
      return gap
    }
    guard (1...1e6).contains(workUs) else {
      throw QuasarError(.usage, "--work-us \(workUs): use 1 to 1000000")
    }
    let threads = Machine.threads
    let meter = PeakMeter()
    let latencies = try latencyRecords(gaps, threads: threads, meter: meter)
    let products = try productRecords(threads: threads, meter: meter)
    try bench.report(latencies + products, json: common.json) {
      let speedup = products[0].timing.median / products[1].timing.median
      return """
        fork and join, \(BenchRecord.machine)
        \(Console.table(
          ["gap", "median", "min…max"], latencies.map { [$0.shape, $0.timeText, $0.spanText] }))

        product \(products[0].shape)
        \(BenchRecord.table(products))
        \(threads) threads: \(Workflow.fixed(speedup, 2)) × one thread, \
        \(Workflow.fixed(100 * speedup / Double(threads), 0)) % of the ideal
        """
    }
  }

  /// One fork of an empty body for each thread, in seconds.
  private static func fork(_ threads: Int, _ clock: ContinuousClock) -> Double {
    clock.measure { qk_parallel_for(threads, 1, nil) { _, _, _ in } }.seconds
  }

  private func latencyRecords(_ gaps: [Double], threads: Int, meter: PeakMeter) throws -> [BenchRecord] {
    let clock = ContinuousClock()
    var samples = Array(repeating: [Double](), count: gaps.count + 1)
    var lows = samples
    for _ in 0..<bench.rounds {
      for i in samples.indices {
        let before = meter.rate()
        if i == 0 {
          let warm = (0..<201).map { _ in PoolBench.fork(threads, clock) }.sorted()
          samples[i].append(warm[warm.count / 2])
        } else {
          Thread.sleep(forTimeInterval: gaps[i - 1] * 1e-3)
          samples[i].append(PoolBench.fork(threads, clock))
        }
        lows[i].append(min(before, meter.rate()))
      }
    }
    let limit = BenchRounds.cleanShare * meter.best
    return samples.indices.map { i in
      let timing = Timing(samples: samples[i], isClean: lows[i].map { $0 >= limit })
      let gap = i == 0 ? "none" : "\(Workflow.fixed(gaps[i - 1], gaps[i - 1] < 1 ? 2 : 0)) ms"
      return BenchRecord(
        bench: "pool", name: i == 0 ? "fork-warm" : "fork-idle", shape: gap, timing: timing,
        value: timing.median * 1e6, unit: "µs")
    }
  }

  private func productRecords(threads: Int, meter: PeakMeter) throws -> [BenchRecord] {
    let clock = ContinuousClock()
    func problem(_ tokens: Int) throws -> GEMMProblem {
      try GEMMProblem(
        tokens: tokens, rows: 384, depth: 384, share: .all, activationBits: 8, unsigned: false, output: .int8)
    }
    Machine.setThreads(1)
    defer { Machine.setThreads(common.threads ?? 0) }
    var product = try problem(24)
    while true {
      try product.run()
      let best = try (0..<5).map { _ in try clock.measure(product.run).seconds }.min() ?? 0
      if best >= workUs * 1e-6 || product.tokens >= 1 << 18 { break }
      product = try problem(product.tokens * 2)
    }
    let chosen = product
    Machine.setThreads(threads)
    // The first call after a change of threads gathers them; it lies in front of the measurement. The meter needs all.
    func timed(_ count: Int) -> BenchCase {
      BenchCase(
        run: { try chosen.run() },
        begin: {
          Machine.setThreads(count)
          try? chosen.run()
        }, end: { _ in Machine.setThreads(threads) })
    }
    let timings = try BenchRounds.measure([timed(1), timed(threads)], rounds: bench.rounds, meter: meter)
    return timings.enumerated().map { i, timing in
      let count = i == 0 ? 1 : threads
      let rate = chosen.operations / timing.median / 1e9
      return BenchRecord(
        bench: "pool", name: i == 0 ? "product-one-thread" : "product-all-threads",
        shape: "\(chosen.tokens)x384x384", timing: timing, value: rate, unit: "GOP/s",
        peak: meter.best * Double(count) / Double(threads), extra: ["threads": count])
    }
  }
}
