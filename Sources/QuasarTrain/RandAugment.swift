import QuasarTensor

/// N operations of one magnitude, drawn again for each image: RandAugment (Cubuk et al. 2020).
///
/// Each draw takes one of the 14 operations with equal chance, and a sign with equal chance where there is one. M
/// ranges from 0 to 30. At 0 every image stays as it is except under auto-contrast and equalise; 30 is the largest
/// magnitudes of that paper. All results are whole numbers computed from whole numbers, so the bytes are the same on
/// every CPU.
public struct RandAugment: Sendable {
  /// The largest M.
  public static let largestMagnitude = 30

  let operations: Int
  let magnitude: Int
  /// The colour of points that come from outside the image, one byte per channel.
  let fill: [UInt8]

  /// Changes an image in place; `scratch` holds as many bytes as the image.
  func apply(to image: PlanarImage, scratch: UnsafeMutablePointer<UInt8>, _ generator: inout RandomStream) {
    for _ in 0..<operations {
      let operation = Operation.allCases[generator.below(Operation.allCases.count)]
      let isNegative = generator.below(2) == 1
      operation.apply(magnitude, isNegative: isNegative, to: image, fill: fill, scratch: scratch)
    }
  }

  /// The operations, each with its strength at magnitude M.
  enum Operation: CaseIterable {
    /// No change.
    case identity
    /// Each channel stretched to 0…255.
    case autoContrast
    /// Each channel with all values equally frequent, as far as a table of 256 entries allows.
    case equalize
    /// A turn by ±M degrees about the middle.
    case rotate
    /// Values from 256 − round(256·M/30) on are inverted.
    case solarize
    /// Distance from the grey image times 1 ± 3M/100; a grey image does not change.
    case color
    /// Only the upper 8 − round(4·M/30) bits stay.
    case posterize
    /// Distance from the mean brightness times 1 ± 3M/100.
    case contrast
    /// Values times 1 ± 3M/100.
    case brightness
    /// Distance from the smoothed image times 1 ± 3M/100.
    case sharpness
    /// A shift by ±M/100 columns per row of distance from the middle.
    case shearX
    /// A shift by ±M/100 rows per column of distance from the middle.
    case shearY
    /// A shift by ±round(150/331·width·M/30) columns.
    case translateX
    /// A shift by ±round(150/331·height·M/30) rows.
    case translateY

    func apply(
      _ magnitude: Int, isNegative: Bool, to image: PlanarImage, fill: [UInt8], scratch: UnsafeMutablePointer<UInt8>
    ) {
      let sign = isNegative ? -1 : 1
      let percent = 100 + sign * 3 * magnitude
      let slope = sign * ((65_536 * magnitude + 50) / 100)
      func pixels(_ side: Int) -> Int { sign * ((10 * side * magnitude + 331) / 662) }
      func move(_ map: AffineMap) { map.apply(to: image, fill: fill, scratch: scratch) }
      switch self {
      case .identity: break
      case .autoContrast: image.stretch()
      case .equalize: image.equalize()
      case .rotate: move(.rotation(degrees: sign * magnitude))
      case .solarize: image.solarize(from: 256 - (512 * magnitude + 30) / 60)
      case .color: image.saturate(percent: percent)
      case .posterize: image.keepBits(8 - (8 * magnitude + 30) / 60)
      case .contrast: image.contrast(percent: percent)
      case .brightness: image.brighten(percent: percent)
      case .sharpness: image.sharpen(percent: percent, scratch: scratch)
      case .shearX: move(AffineMap(xy: slope))
      case .shearY: move(AffineMap(yx: slope))
      case .translateX: move(AffineMap(right: pixels(image.width)))
      case .translateY: move(AffineMap(down: pixels(image.height)))
      }
    }
  }
}

/// The bytes [channels, height, width] of one image, to be changed in place.
struct PlanarImage {
  let pixels: UnsafeMutablePointer<UInt8>
  let channels: Int
  let height: Int
  let width: Int

  var area: Int { height * width }
  var count: Int { channels * area }
}
