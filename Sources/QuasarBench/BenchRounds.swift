import Foundation
import Quasar
import QuasarConsole

/// One thing to time.
struct BenchCase {
  var run: () throws -> Void
  /// Called in front of a measurement, after the warm-up.
  var begin: () -> Void = {}
  /// Called after a measurement with the number of its calls.
  var end: (Int) -> Void = { _ in }
  /// Seconds of one measurement, at least; a single call where that is longer.
  var seconds = 2e-3
}

/// The seconds of one call in every round of a case.
struct Timing {
  var samples: [Double]
  /// Whether the machine ran at full speed before and after a sample.
  var isClean: [Bool]
  /// GOP/s of the short loop beside each sample, the mean of before and after.
  var rates: [Double] = []

  var noisy: Int { isClean.filter { !$0 }.count }
  /// Fewer than three clean rounds: figures are over all of them.
  var isApproximate: Bool { isClean.count - noisy < 3 }
  var median: Double { median(of: samples) }
  var least: Double { selected(samples).min() ?? 0 }
  var most: Double { selected(samples).max() ?? 0 }

  /// The median over all rounds of operations per second as a share of the short loop beside them: what is left of the
  /// figure when the speed of the machine wanders.
  func adjacentFraction(operations: Double) -> Double {
    let shares = zip(samples, rates).map { operations / $0 / 1e9 / $1 }.sorted()
    return shares.isEmpty ? 0 : (shares[(shares.count - 1) / 2] + shares[shares.count / 2]) / 2
  }

  /// The values of the rounds that count.
  func selected(_ values: [Double]) -> [Double] {
    isApproximate ? values : zip(values, isClean).filter(\.1).map(\.0)
  }

  /// The median over the rounds that count; the mean of the middle two where their number is even.
  func median(of values: [Double]) -> Double {
    let sorted = selected(values).sorted()
    guard !sorted.isEmpty else { return 0 }
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }
}

/// Cases that take turns, with the speed of the machine observed between them.
enum BenchRounds {
  /// A measurement is noisy where the short loop ran below this share of its best.
  static let cleanShare = 0.95

  /// CPU time of the calling thread.
  private static func busySeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  static func measure(_ cases: [BenchCase], rounds: Int, meter: PeakMeter) throws -> [Timing] {
    let clock = ContinuousClock()
    let repeats = try cases.map { item in
      try item.run()
      let single = try clock.measure(item.run).seconds
      return max(1, Int((item.seconds / max(single, 1e-8)).rounded(.up)))
    }
    var samples = Array(repeating: [Double](), count: cases.count)
    var rates = samples
    var lows = samples
    var before = meter.rate()
    for _ in 0..<rounds {
      for (i, item) in cases.enumerated() {
        item.begin()
        let busyBefore = busySeconds()
        let time = try clock.measure { for _ in 0..<repeats[i] { try item.run() } }.seconds
        let busy = busySeconds() - busyBefore
        item.end(repeats[i])
        let after = meter.rate()
        samples[i].append(time / Double(repeats[i]))
        rates[i].append((before + after) / 2)
        // The loop sees a slow CPU; time in which the caller did not run shows a CPU that was given to others.
        lows[i].append(busy < cleanShare * time ? 0 : min(before, after))
        before = after
      }
    }
    let limit = cleanShare * meter.best
    return cases.indices.map { i in
      Timing(samples: samples[i], isClean: lows[i].map { $0 >= limit }, rates: rates[i])
    }
  }
}
