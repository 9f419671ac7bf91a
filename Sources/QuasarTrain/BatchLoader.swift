import Foundation
import QuasarTensor

/// The batches of a `BatchSource`, computed ahead by background threads: the same bytes in the same order.
///
/// Every batch is a function of (seed, step, index), so the number of threads and their timing change only the time
/// spent waiting. At most `depth` batches are ready or in progress. The threads run at the lowest priority of the
/// scheduler. They use the CPU time that the compute threads leave, and a whole CPU when those wait for them. They end
/// with the loader.
final class BatchLoader {
  private let shared: Shared
  /// The batches of each step that this loader computes.
  private let batches: Range<Int>
  private let clock = ContinuousClock()
  /// Seconds that `batch` has waited so far.
  private(set) var waitingSeconds = 0.0

  /// Reads `batches` of each step up to `steps`, from the first one requested.
  init(_ source: BatchSource, batches: Range<Int> = 0..<1, steps: Int, depth: Int = 4, threads: Int = 1) {
    self.batches = batches
    shared = Shared(source, batches: batches, steps: steps, depth: max(1, depth))
    for _ in 0..<max(1, threads) {
      let thread = Thread { [shared] in shared.work() }
      thread.name = "quasar-images"
      thread.start()
    }
  }

  deinit { shared.stop() }

  /// Batch `index` of a step. Requests in order are cheap; any other order restarts the reading.
  func batch(step: Int, index: Int = 0) throws -> BatchSource.Batch {
    precondition(batches.contains(index), "batch \(index) is not among \(batches)")
    let start = clock.now
    defer { waitingSeconds += start.duration(to: clock.now).seconds }
    return try shared.take(step * batches.count + index - batches.lowerBound)
  }

  /// The state shared by the threads, under one lock.
  private final class Shared: @unchecked Sendable {
    // @unchecked: the variables are read and written only under `condition`. A batch belongs to one thread at a time,
    // first to the one that fills it, then to the one that takes it.
    // A place counts the batches of this loader: step·(batches per step) + number within the step.
    private let source: BatchSource
    private let batches: Range<Int>
    private let places: Int
    private let depth: Int
    private let condition = NSCondition()
    private var ready: [Int: Result<BatchSource.Batch, any Error>] = [:]
    /// The place that is taken next; the places wanted..<wanted + depth may be computed.
    private var wanted: Int?
    private var next = 0
    /// Counts restarts, so that a batch of an abandoned order is dropped.
    private var round = 0
    private var isStopped = false

    init(_ source: BatchSource, batches: Range<Int>, steps: Int, depth: Int) {
      self.source = source
      self.batches = batches
      places = steps * batches.count
      self.depth = depth
    }

    func stop() {
      condition.lock()
      isStopped = true
      condition.broadcast()
      condition.unlock()
    }

    func take(_ place: Int) throws -> BatchSource.Batch {
      condition.lock()
      defer { condition.unlock() }
      if wanted != place {
        ready = [:]
        wanted = place
        next = place
        round += 1
        condition.broadcast()
      }
      while true {
        if let batch = ready.removeValue(forKey: place) {
          wanted = place + 1
          condition.broadcast()
          return try batch.get()
        }
        condition.wait()
      }
    }

    /// Computes batches until the loader ends.
    func work() {
      // On Linux the priority belongs to the thread; 0 means the calling one. If the call is refused, only the priority
      // is lost.
      #if os(Linux)
        _ = setpriority(__priority_which_t(0), 0, 19)
      #endif
      var order: (epoch: Int, images: [Int]) = (-1, [])
      while let (place, round) = nextPlace() {
        let (step, number) = place.quotientAndRemainder(dividingBy: batches.count)
        let epoch = step / source.stepsPerEpoch
        if order.epoch != epoch { order = (epoch, source.order(epoch: epoch)) }
        let batch = Result {
          try source.batch(step: step, index: batches.lowerBound + number, order: order.images)
        }
        condition.lock()
        if round == self.round { ready[place] = batch }
        condition.broadcast()
        condition.unlock()
      }
    }

    private func nextPlace() -> (place: Int, round: Int)? {
      condition.lock()
      defer { condition.unlock() }
      while !isStopped {
        // The place that is waited for is computed even beyond the last one.
        if let wanted, next < wanted + depth, next < max(places, wanted + 1) {
          defer { next += 1 }
          return (next, round)
        }
        condition.wait()
      }
      return nil
    }
  }
}
