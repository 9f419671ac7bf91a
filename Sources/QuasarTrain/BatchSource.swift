import QuasarData
import QuasarNN
import QuasarSupernet
import QuasarTensor

/// Training batches as a pure function of (seed, step, index in the step): nothing to save for a resume, and any process
/// can compute any batch.
struct BatchSource {
  let data: any ImageSource
  let options: TrainingOptions
  let random: RandomSource
  /// Mean pixel of each channel, rounded to a code.
  let meanCodes: [UInt8]

  init(data: any ImageSource, options: TrainingOptions, random: RandomSource) throws {
    self.data = data
    self.options = options
    self.random = random
    meanCodes = try Preprocessing(of: data).mean.map { UInt8(($0 * 255).rounded()) }
  }

  /// Whole batches of one epoch; the rest of the last one is left out (other images each epoch).
  var stepsPerEpoch: Int { max(1, data.count / imagesPerStep) }
  /// Images of all batches that one update accumulates.
  var imagesPerStep: Int { options.batchSize * options.accumulation }

  struct Batch {
    let images: NDArray<UInt8>
    let labels: [UInt16]
    /// Labels of the images that were mixed in, and the share of the first ones.
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

  /// Batch `index` of those that a step accumulates; augmentation ends in u8 pixels.
  func batch(step: Int, index: Int = 0, order: [Int]) throws -> Batch {
    let first = step % stepsPerEpoch * imagesPerStep + index * options.batchSize
    let chosen = (first..<first + options.batchSize).map { order[$0 % order.count] }
    let number = step * options.accumulation + index
    let images = NDArray<UInt8>(
      uninitialized: [chosen.count, data.channels, data.height, data.width])
    var generator = random.generator("augmentation", number)
    let original = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: data.bytesPerImage)
    defer { original.deallocate() }
    guard let source = original.baseAddress else { return Batch(images: images, labels: []) }
    for (slot, index) in chosen.enumerated() {
      let mirrored = options.flip && generator.below(2) == 1
      let dx = options.shift == 0 ? 0 : generator.below(2 * options.shift + 1) - options.shift
      let dy = options.shift == 0 ? 0 : generator.below(2 * options.shift + 1) - options.shift
      try data.copyImage(at: index, to: source)
      copy(
        UnsafeBufferPointer(original), to: images.pointer + slot * data.bytesPerImage, mirrored: mirrored, dx: dx,
        dy: dy)
      if generator.unit() < options.randomErasing {
        erase(images.pointer + slot * data.bytesPerImage, &generator)
      }
    }
    var batch = Batch(images: images, labels: chosen.map { data.labels[$0] })
    mix(&batch, number: number)
    return batch
  }

  /// Fills a rectangle with sides of 1/7 to 3/7 of the image with the mean pixel of each channel.
  private func erase(_ image: UnsafeMutablePointer<UInt8>, _ generator: inout RandomStream) {
    let (height, width) = (data.height, data.width)
    func side(_ size: Int) -> Int { max(1, size / 7 + generator.below(max(1, size * 2 / 7 + 1))) }
    let (h, w) = (side(height), side(width))
    let (top, left) = (generator.below(height - h + 1), generator.below(width - w + 1))
    for channel in 0..<data.channels {
      for y in top..<top + h {
        (image + (channel * height + y) * width + left).update(repeating: meanCodes[channel], count: w)
      }
    }
  }

  /// The order of images in an epoch.
  func order(epoch: Int) -> [Int] {
    var generator = random.generator("order", epoch)
    return generator.permutation(data.count)
  }

  private func copy(
    _ source: UnsafeBufferPointer<UInt8>, to target: UnsafeMutablePointer<UInt8>, mirrored: Bool, dx: Int,
    dy: Int
  ) {
    let (height, width) = (data.height, data.width)
    var out = target
    for channel in 0..<data.channels {
      for y in 0..<height {
        let row = (channel * height + min(max(y + dy, 0), height - 1)) * width
        for x in 0..<width {
          let column = min(max(x + dx, 0), width - 1)
          out[x] = source[row + (mirrored ? width - 1 - column : column)]
        }
        out += width
      }
    }
  }
}

extension ImageSource {
  /// Images range as a [n, channels, height, width] array; throws where one cannot be read.
  public func array(_ range: Range<Int>) throws -> NDArray<UInt8> {
    let array = NDArray<UInt8>(uninitialized: [range.count, channels, height, width])
    for (slot, index) in range.enumerated() {
      try copyImage(at: index, to: array.pointer + slot * bytesPerImage)
    }
    return array
  }
}

extension ImageSet {
  /// Images range as a [n, channels, height, width] array.
  public func array(_ range: Range<Int>) -> NDArray<UInt8> {
    let array = NDArray<UInt8>(uninitialized: [range.count, channels, height, width])
    images.withUnsafeBufferPointer { source in
      guard let base = source.baseAddress else { return }
      array.pointer.update(from: base + range.lowerBound * bytesPerImage, count: array.count)
    }
    return array
  }
}
