import Foundation
import QuasarAutograd
import QuasarData
import QuasarSupernet
import QuasarTensor
import QuasarTestSupport
import Synchronization
import Testing

@testable import QuasarTrain

/// A set whose images take time to read, one of which fails.
private struct SlowImages: ImageSource {
  let images: ImageSet
  var failing: Int?
  let reads: Reads

  final class Reads: Sendable {
    let count = Mutex(0)
  }

  var name: String { images.name }
  var split: String { images.split }
  var channels: Int { images.channels }
  var height: Int { images.height }
  var width: Int { images.width }
  var labels: [UInt16] { images.labels }
  var classNames: [String] { images.classNames }
  var isInMemory: Bool { false }

  func copyImage(at index: Int, to target: UnsafeMutablePointer<UInt8>) throws(QuasarError) {
    reads.count.withLock { $0 += 1 }
    if index == failing { throw QuasarError(.badData, "image \(index): planted damage") }
    images.copyImage(at: index, to: target)
  }

  func channelSums() -> [ChannelSums] { images.channelSums() }

  func selecting(_ indices: [Int]) throws(QuasarError) -> SlowImages {
    SlowImages(images: try images.selecting(indices), failing: failing, reads: reads)
  }
}

@Suite struct BatchLoaderTests {
  private func sources(
    _ count: Int, failing: Int? = nil, batch: Int = 8, accumulation: Int = 1
  ) throws -> (memory: BatchSource, slow: BatchSource, SlowImages) {
    var options = Tiny.options(epochs: 3, batch: batch)
    options.accumulation = accumulation
    options.flip = true
    options.shift = 1
    options.randomErasing = 0.5
    options.cropScale = 0.3
    options.randAugment = 2
    options.repeats = 2
    options.mixup = 0.5
    let data = try Tiny.toySet(count, seed: 1)
    let slow = SlowImages(images: data, failing: failing, reads: SlowImages.Reads())
    return (
      try BatchSource(data: data, options: options, random: RandomSource(seed: 5)),
      try BatchSource(data: slow, options: options, random: RandomSource(seed: 5)), slow
    )
  }

  @Test(arguments: [(1, 1), (1, 4), (3, 2), (4, 9)])
  func theSameBatchesForAnyNumberOfThreads(threads: Int, depth: Int) throws {
    let (memory, slow, _) = try sources(30)
    let loader = BatchLoader(slow, steps: 9, depth: depth, threads: threads)
    // From the start, back to a resumed step, and beyond the last one.
    for step in [0, 1, 2, 3, 4, 7, 8, 2, 3, 3, 8, 9, 10] {
      let found = try loader.batch(step: step)
      let expected = try memory.batch(step: step, order: memory.order(epoch: step / 3))
      #expect(found.images.scalars == expected.images.scalars && found.labels == expected.labels, "step \(step)")
    }
    #expect(loader.waitingSeconds > 0)
  }

  /// A process that owns the last two of a step's four batches reads these two, in order.
  @Test func readsTheBatchesOfItsProcess() throws {
    let (memory, slow, _) = try sources(32, batch: 2, accumulation: 4)
    let loader = BatchLoader(slow, batches: 2..<4, steps: 8, depth: 3, threads: 2)
    for (step, index) in [(0, 2), (0, 3), (1, 2), (1, 3), (2, 2), (5, 3), (6, 2)] {
      let found = try loader.batch(step: step, index: index)
      let expected = try memory.batch(step: step, index: index, order: memory.order(epoch: step / 4))
      #expect(found.images.scalars == expected.images.scalars && found.labels == expected.labels, "\(step), \(index)")
      #expect(found.labels.count == 2)
    }
  }

  @Test func readsNoFurtherAheadThanItsDepth() throws {
    let (_, slow, images) = try sources(30)
    let loader = BatchLoader(slow, steps: 100, depth: 2, threads: 3)
    _ = try loader.batch(step: 0)
    // Steps 1 and 2 have been computed by now; the thread gets a second to do something wrong.
    for _ in 0..<100 where images.reads.count.withLock({ $0 }) < 12 { Thread.sleep(forTimeInterval: 0.01) }
    Thread.sleep(forTimeInterval: 0.1)
    // Four images per batch, each twice.
    #expect(images.reads.count.withLock { $0 } == 12)
  }

  @Test func anErrorComesWithItsStepAndNoOther() throws {
    // Eight slots per step hold four images twice.
    let failing = try sources(30).memory.order(epoch: 0)[9]
    let (_, slow, _) = try sources(30, failing: failing)
    let loader = BatchLoader(slow, steps: 9)
    for step in 0..<3 {
      let error = quasarError { _ = try loader.batch(step: step) }
      #expect((error != nil) == (step == 2), "step \(step)")
      if let error { #expect(error.kind == .badData && error.message.contains("planted")) }
    }
  }

  @Test func trainingFromDiskIsTrainingFromMemory() throws {
    let data = try Tiny.toySet(40, seed: 2)
    func weights(_ source: any ImageSource, _ change: (inout TrainingOptions) -> Void = { _ in }) throws -> (
      [[Float]], Double
    ) {
      let net = Tiny.net(data: data)
      var options = Tiny.options(epochs: 2, batch: 8)
      change(&options)
      let trainer = try Trainer(
        net: net, plan: .fixed(Tiny.architecture), data: source, options: options, seed: 3)
      _ = try trainer.run(observe: { _ in })
      return (net.parameters.map { $0.value.scalars }, trainer.waitingSeconds)
    }
    let (memory, none) = try weights(data)
    let (disk, some) = try weights(SlowImages(images: data, reads: SlowImages.Reads()))
    #expect(memory == disk && none == 0 && some > 0)
    // Slow operations are computed ahead even with images in memory.
    #expect(try weights(data) { $0.randAugment = 1 }.1 > 0 && weights(data) { $0.cropScale = 0.5 }.1 > 0)
    let evaluation = try Evaluation(
      Tiny.net(data: data), architecture: Tiny.architecture, mode: .full, data: data)
    let again = try Evaluation(
      Tiny.net(data: data), architecture: Tiny.architecture, mode: .full,
      data: SlowImages(images: data, reads: SlowImages.Reads()))
    #expect(evaluation.logits.scalars == again.logits.scalars)
  }
}
