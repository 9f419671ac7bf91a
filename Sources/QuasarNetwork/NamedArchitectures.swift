import QuasarTensor

extension Architecture {
  /// Names that `named(_:)` knows.
  public static let knownNames = [
    "deit-t", "deit-s", "deit-b", "autoformer-t", "autoformer-s", "autoformer-b", "vit-cifar",
  ]

  /// A published or project architecture by name, with 8-bit rows only and 8-bit activations.
  ///
  /// DeiT: depth 12, head width 64, MLP ratio 4. AutoFormer: the released sub-networks (files
  /// `experiments/subnet/AutoFormer-{T,S,B}.yaml`). All of these have 224 × 224 images, patch 16, 1000 classes and 197
  /// tokens.
  /// vit-cifar: 32 × 32, patch 4, width 192, depth 9, 3 heads, ratio 2, 10 classes.
  /// Throws a `QuasarError` that lists the known names.
  public static func named(_ name: String) throws -> Architecture {
    let imageNet = ImageGeometry(imageSize: 224, channels: 3, patchSize: 16, classes: 1000, headDimension: 64)
    let cifar = ImageGeometry(imageSize: 32, channels: 3, patchSize: 4, classes: 10, headDimension: 64)
    func uniform(_ geometry: ImageGeometry, width: Int, depth: Int, ratio: Double) -> Architecture {
      plain(
        geometry, width: width, heads: Array(repeating: width / 64, count: depth),
        ratios: Array(repeating: ratio, count: depth))
    }
    switch name {
    case "deit-t": return uniform(imageNet, width: 192, depth: 12, ratio: 4)
    case "deit-s": return uniform(imageNet, width: 384, depth: 12, ratio: 4)
    case "deit-b": return uniform(imageNet, width: 768, depth: 12, ratio: 4)
    case "autoformer-t":
      return plain(
        imageNet, width: 192, heads: [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 3, 3],
        ratios: [3.5, 3.5, 3, 3.5, 3, 3, 4, 4, 3.5, 4, 3.5, 4, 3.5])
    case "autoformer-s":
      return plain(
        imageNet, width: 384, heads: [6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7],
        ratios: [3, 3.5, 3, 3.5, 4, 4, 4, 4, 4, 4, 4, 3.5, 4])
    case "autoformer-b":
      return plain(
        imageNet, width: 576, heads: [9, 9, 9, 9, 9, 10, 9, 9, 10, 9, 10, 9, 9, 10],
        ratios: [3.5, 3.5, 4, 3.5, 4, 3.5, 3.5, 3, 4, 4, 3, 4, 3, 3.5])
    case "vit-cifar": return uniform(cifar, width: 192, depth: 9, ratio: 2)
    default:
      throw QuasarError(
        .usage, "unknown architecture '\(name)': use one of \(knownNames.joined(separator: ", "))")
    }
  }

  private static func plain(
    _ geometry: ImageGeometry, width: Int, heads: [Int], ratios: [Double]
  ) -> Architecture {
    Architecture(
      geometry: geometry, embedDimension: width, activationBits: 8,
      blocks: zip(heads, ratios).map { heads, ratio in
        BlockGenes(heads: heads, mlpRatio: ratio, shares: .all)
      })
  }

  /// The same shape with the weight bits and activation bits given on a command line.
  public func with(weightBits: WeightBits, activationBits: Int) throws -> Architecture {
    guard [4, 6, 8].contains(activationBits) else {
      throw QuasarError(.usage, "activation bits \(activationBits): use 8 or 6 (4 is allowed)")
    }
    return uniform(share: weightBits.share, activationBits: activationBits)
  }
}

/// Weight bits of all blocks as written on a command line: 8, 4 or mixed:R with R the share of 8-bit rows.
public struct WeightBits: Codable, Hashable, Sendable, CustomStringConvertible {
  public var share: RowShare

  public init(share: RowShare) { self.share = share }

  /// "8", "4", "mixed:R" with R one of 0, 0.25, 0.5, 0.75, 1; throws `QuasarError` otherwise.
  public init(_ text: String) throws {
    if text == "8" {
      share = .all
    } else if text == "4" {
      share = .none
    } else if text.hasPrefix("mixed:"), let value = Double(text.dropFirst(6)),
      let known = RowShare(value: value)
    {
      share = known
    } else {
      throw QuasarError(
        .usage, "weight bits '\(text)': use 8, 4 or mixed:R with R one of 0, 0.25, 0.5, 0.75, 1")
    }
  }

  public var description: String {
    switch share {
    case .all: "8"
    case .none: "4"
    default: "mixed:\(share.value)"
    }
  }
}
