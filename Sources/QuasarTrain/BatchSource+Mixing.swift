import Foundation
import QuasarData
import QuasarTensor

extension BatchSource {
  /// Mixes every image of a batch with its mirror in the batch (first with last, …), by mixup or cutmix.
  func mix(_ batch: inout Batch, number: Int) {
    guard options.mixup > 0 || options.cutmix > 0 else { return }
    var generator = random.generator("mixing", number)
    let isCut = options.mixup == 0 || (options.cutmix > 0 && generator.below(2) == 1)
    let share = BatchSource.beta(isCut ? options.cutmix : options.mixup, &generator)
    let original = batch.images.copied()
    batch.partners = batch.labels.reversed()
    batch.share = isCut ? cut(batch.images, original, share, &generator) : blend(batch.images, original, share)
  }

  /// x ← (w·x + (256 − w)·partner + 128) >> 8 with w = round(256·share); returns w/256.
  private func blend(_ images: NDArray<UInt8>, _ original: NDArray<UInt8>, _ share: Double) -> Float {
    let weight = Int((256 * share).rounded())
    let (count, bytes) = (images.shape[0], data.bytesPerImage)
    for i in 0..<count {
      let (out, partner) = (images.pointer + i * bytes, original.pointer + (count - 1 - i) * bytes)
      for b in 0..<bytes {
        out[b] = UInt8((weight * Int(out[b]) + (256 - weight) * Int(partner[b]) + 128) >> 8)
      }
    }
    return Float(weight) / 256
  }

  /// Copies one rectangle of about (1 − share) of the area from the partners; returns the share that remains.
  private func cut(
    _ images: NDArray<UInt8>, _ original: NDArray<UInt8>, _ share: Double, _ generator: inout RandomStream
  ) -> Float {
    let (height, width) = (data.height, data.width)
    let side = (1 - share).squareRoot()
    let (h, w) = (Int((side * Double(height)).rounded()), Int((side * Double(width)).rounded()))
    let (centreY, centreX) = (generator.below(height), generator.below(width))
    let (top, bottom) = (max(0, centreY - h / 2), min(height, centreY - h / 2 + h))
    let (left, right) = (max(0, centreX - w / 2), min(width, centreX - w / 2 + w))
    guard top < bottom, left < right else { return 1 }
    let (count, bytes) = (images.shape[0], data.bytesPerImage)
    for i in 0..<count {
      for channel in 0..<data.channels {
        for y in top..<bottom {
          let offset = (channel * height + y) * width + left
          (images.pointer + i * bytes + offset)
            .update(from: original.pointer + (count - 1 - i) * bytes + offset, count: right - left)
        }
      }
    }
    return 1 - Float((bottom - top) * (right - left)) / Float(height * width)
  }

  /// A number from the symmetric Beta(a, a): Jöhnk's method for a ≤ 1, rejection under the peak at ½ for larger a.
  static func beta(_ a: Double, _ generator: inout RandomStream) -> Double {
    while true {
      if a <= 1 {
        let (x, y) = (pow(generator.unit(), 1 / a), pow(generator.unit(), 1 / a))
        if x + y <= 1, x + y > 0 { return x / (x + y) }
      } else {
        let x = generator.unit()
        if generator.unit() <= pow(4 * x * (1 - x), a - 1) { return x }
      }
    }
  }
}
