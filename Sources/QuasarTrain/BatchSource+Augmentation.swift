import QuasarData
import QuasarInterchange
import QuasarTensor

/// The steps of one image on its way into a batch: crop, mirror and shift, random operations, erasing, each if switched
/// on.
extension BatchSource {
  /// Random numbers of the images of one step. Crops and operations have their own streams, so switching them on
  /// changes neither mirrors and shifts nor erasing.
  struct Streams {
    var placement: RandomStream
    var crop: RandomStream
    var operations: RandomStream

    /// The streams of the batch with this number, counted over all steps.
    init(_ random: RandomSource, batch: Int) {
      placement = random.generator("augmentation", batch)
      crop = random.generator("crop", batch)
      operations = random.generator("rand-augment", batch)
    }
  }

  /// target ← the augmented `source`; `scratch` holds as many bytes as the image.
  func augment(
    _ source: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<UInt8>,
    scratch: UnsafeMutablePointer<UInt8>, _ streams: inout Streams
  ) {
    var cropped = source
    if options.cropScale < 1 {
      let crop = BatchSource.crop(
        height: data.height, width: data.width, smallest: options.cropScale, &streams.crop)
      crop.write(from: source, to: scratch, channels: data.channels, rows: data.height, columns: data.width)
      cropped = UnsafePointer(scratch)
    }
    let mirrored = options.flip && streams.placement.below(2) == 1
    let dx = options.shift == 0 ? 0 : streams.placement.below(2 * options.shift + 1) - options.shift
    let dy = options.shift == 0 ? 0 : streams.placement.below(2 * options.shift + 1) - options.shift
    copy(cropped, to: target, mirrored: mirrored, dx: dx, dy: dy)
    operations?.apply(
      to: PlanarImage(pixels: target, channels: data.channels, height: data.height, width: data.width),
      scratch: scratch, &streams.operations)
    if streams.placement.unit() < options.randomErasing { erase(target, &streams.placement) }
  }

  /// A rectangle of s·area with width/height = r: s uniform in smallest…1, ln r uniform in ln ¾…ln 4/3.
  ///
  /// The sides √(s·area·r) and √(s·area/r) are rounded to whole points. They are drawn again up to ten times until they
  /// fit; after that the rectangle is the whole image (Szegedy et al. 2015, with the bounds in common use today).
  /// Square roots, products and quotients are exactly rounded, so the rectangle is the same on every CPU.
  static func crop(height: Int, width: Int, smallest: Double, _ generator: inout RandomStream) -> ImageCrop {
    for _ in 0..<10 {
      let area = Double(height * width) * (smallest + (1 - smallest) * generator.unit())
      let ratio = ratio(generator.below(65_536))
      let w = Int((area * ratio).squareRoot().rounded())
      let h = Int((area / ratio).squareRoot().rounded())
      guard (1...width).contains(w), (1...height).contains(h) else { continue }
      return ImageCrop(
        left: generator.below(width - w + 1), top: generator.below(height - h + 1), width: w, height: h)
    }
    return ImageCrop(left: 0, top: 0, width: width, height: height)
  }

  /// ¾·(16/9)^(u/2¹⁶), 0 ≤ u < 2¹⁶, from ¾ to 4/3: the product of one square root for each bit set in u.
  static func ratio(_ u: Int) -> Double {
    var (ratio, power) = (0.75, 16.0 / 9)
    for bit in (0..<16).reversed() {
      power = power.squareRoot()
      if u >> bit & 1 == 1 { ratio *= power }
    }
    return ratio
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

  private func copy(
    _ source: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<UInt8>, mirrored: Bool, dx: Int, dy: Int
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

extension ImageSet {
  /// Every image once, as a training with these options may show it before any mixing, for people to look at.
  ///
  /// The mean pixel that fills gaps is the mean of this set. Throws `usage` for options out of range.
  public func augmented(_ options: TrainingOptions, seed: UInt64) throws -> ImageSet {
    try options.validate()
    var single = options
    (single.batchSize, single.accumulation, single.repeats) = (count, 1, 1)
    (single.mixup, single.cutmix) = (0, 0)
    let source = try BatchSource(data: self, options: single, random: RandomSource(seed: seed))
    let images = try source.batch(step: 0, order: Array(0..<count)).images.scalars
    return try ImageSet(
      name: name, split: split, channels: channels, height: height, width: width, images: images, labels: labels,
      classNames: classNames)
  }
}
