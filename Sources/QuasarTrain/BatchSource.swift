import QuasarData
import QuasarNetwork
import QuasarTensor

/// Training batches as a pure function of (seed, step, index in the step). A resume needs no saved state of them, and
/// any process can compute any batch.
struct BatchSource {
  let data: any ImageSource
  let options: TrainingOptions
  let random: RandomSource
  /// Mean pixel of each channel, rounded to a code.
  let meanCodes: [UInt8]
  /// The random operations, if the options ask for them.
  let operations: RandAugment?

  init(data: any ImageSource, options: TrainingOptions, random: RandomSource) throws {
    self.data = data
    self.options = options
    self.random = random
    meanCodes = try Preprocessing(of: data).mean.map { UInt8(($0 * 255).rounded()) }
    operations =
      options.randAugment == 0
      ? nil
      : RandAugment(operations: options.randAugment, magnitude: options.randAugmentMagnitude, fill: meanCodes)
  }

  /// Number of whole batches in one epoch; the rest of the last one is left out (other images each epoch).
  ///
  /// Repeats do not change it: with r repeats, an epoch holds the first 1/r of its images, each r times.
  var stepsPerEpoch: Int { max(1, data.count / imagesPerStep) }
  var imagesPerStep: Int { options.imagesPerStep }

  /// True if a batch costs little more than copying it: no file is read, nothing is resampled.
  ///
  /// Other batches are worth a thread of their own where many CPUs wait for them.
  var isCheap: Bool { data.isInMemory && operations == nil && options.cropScale == 1 }

  struct Batch {
    let images: NDArray<UInt8>
    let labels: [UInt16]
    /// Labels of the images that were mixed in, and the share of the original images.
    var partners: [UInt16]?
    var share: Float = 1

    /// share·labels + (1 − share)·partners, smoothed.
    func targets(classes: Int, smoothing: Float) -> Tensor {
      let first = Targets.labels(labels, classes: classes, smoothing: smoothing)
      guard let partners else { return first }
      let second = Targets.labels(partners, classes: classes, smoothing: smoothing)
      let mixed = Tensor(uninitialized: first.shape)
      for i in 0..<mixed.count { mixed.pointer[i] = share * first.pointer[i] + (1 - share) * second.pointer[i] }
      return mixed
    }
  }

  /// Batch `index` of those that a step accumulates; the augmented images are u8 pixels.
  ///
  /// With repeats r, slots k·r..<(k + 1)·r of the step hold its k-th image, each augmented separately.
  func batch(step: Int, index: Int = 0, order: [Int]) throws -> Batch {
    let first = step % stepsPerEpoch * imagesPerStep / options.repeats
    let slots = index * options.batchSize..<(index + 1) * options.batchSize
    let chosen = slots.map { order[(first + $0 / options.repeats) % order.count] }
    let number = step * options.accumulation + index
    let images = NDArray<UInt8>(
      uninitialized: [chosen.count, data.channels, data.height, data.width])
    let size = data.bytesPerImage
    let room = UnsafeMutablePointer<UInt8>.allocate(capacity: 2 * size)
    defer { room.deallocate() }
    var streams = Streams(random, batch: number)
    for (slot, image) in chosen.enumerated() {
      if slot == 0 || (slots.lowerBound + slot) % options.repeats == 0 { try data.copyImage(at: image, to: room) }
      augment(room, to: images.pointer + slot * size, scratch: room + size, &streams)
    }
    var batch = Batch(images: images, labels: chosen.map { data.labels[$0] })
    mix(&batch, number: number)
    return batch
  }

  /// The order of images in an epoch.
  func order(epoch: Int) -> [Int] {
    var generator = random.generator("order", epoch)
    return generator.permutation(data.count)
  }
}
