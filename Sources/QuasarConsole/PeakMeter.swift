import CKernels
import Quasar

/// The rate of the instruction that the integer kernels are built on, over all threads: the peak, and a clock for noise.
package final class PeakMeter {
  let isa = qk_isa_current()
  let threads = Machine.threads
  /// The best rate so far, in GOP/s.
  package private(set) var best = 0.0
  private var iterations: UInt64 = 20_000
  private let clock = ContinuousClock()

  /// Five runs of some milliseconds, where a fork and join do not count, then the length of the short loop.
  package init() {
    warmUp()
    let short = iterations
    iterations = short * 24
    for _ in 0..<5 { _ = rate() }
    iterations = short
  }

  /// The loop is set to about 0.15 ms.
  private func warmUp() {
    while true {
      let seconds = clock.measure { run() }.seconds
      if seconds > 1e-3 { break }
      iterations *= 2
    }
    iterations = max(1, UInt64(Double(iterations) * 0.15e-3 / clock.measure { run() }.seconds))
  }

  /// The faster of two loops on every thread, in GOP/s of all together.
  ///
  /// Two, because a CPU takes tens of microseconds to raise its wide units, and sleeping threads to wake.
  package func rate() -> Double {
    var rate = 0.0
    for _ in 0..<2 {
      var operations = 0.0
      let seconds = clock.measure { operations = run() }.seconds
      rate = max(rate, operations / seconds / 1e9)
    }
    best = max(best, rate)
    return rate
  }

  private struct Loop {
    var isa: qk_isa
    var iterations: UInt64
  }

  @discardableResult private func run() -> Double {
    var loop = Loop(isa: isa, iterations: iterations)
    let count = max(1, threads)
    qk_parallel_for(count, 1, &loop) { context, begin, end in
      guard let loop = context?.assumingMemoryBound(to: Loop.self).pointee else { return }
      for _ in begin..<end { _ = qk_peak_operations(loop.isa, loop.iterations) }
    }
    return qk_peak_operations(isa, 1) * Double(iterations) * Double(count)
  }
}
