import QuasarAutograd
import QuasarData
import QuasarNetwork
import QuasarSupernet
import QuasarTensor
import QuasarTestSupport
import QuasarTrain

/// Tiny networks and images for packing: 8×8 pixels, patches of 4 (5 tokens), heads of 16, 3 classes.
public enum Tiny {
  public static func geometry(channels: Int = 1) -> ImageGeometry {
    ImageGeometry(imageSize: 8, channels: channels, patchSize: 4, classes: 3, headDimension: 16)
  }

  public static let classNames = ["cat", "dog", "“owl”\n"]

  /// Every row at one share; heads of 16 rows, so that a quarter of them are 8.
  public static func uniform(_ share: RowShare, bits: Int, embed: Int = 16, depth: Int = 1) -> Architecture {
    Architecture(
      geometry: geometry(), embedDimension: embed, activationBits: bits,
      blocks: Array(
        repeating: BlockGenes(heads: 2, mlpRatio: 1.5, shares: RowShares(share)),
        count: depth))
  }

  /// Two blocks with a different share in every matrix; odd widths test the panels of 16.
  public static func mixed(bits: Int, channels: Int = 1) -> Architecture {
    Architecture(
      geometry: geometry(channels: channels), embedDimension: 24, activationBits: bits,
      blocks: [
        BlockGenes(
          heads: 2, mlpRatio: 1,
          shares: [.qkv: .quarter, .projection: .half, .expand: .threeQuarters, .contract: .none]),
        BlockGenes(
          heads: 1, mlpRatio: 2, shares: [.qkv: .none, .projection: .all, .expand: .quarter, .contract: .threeQuarters]),
      ])
  }

  public static func images(_ count: Int, channels: Int = 1, seed: UInt64 = 3) throws -> ImageSet {
    var random = RandomSource(seed: seed).generator("images")
    return try ImageSet(
      name: "noise", split: "test", channels: channels, height: 8, width: 8,
      images: (0..<count * channels * 64).map { i in
        // Includes black and white images, for the corners of the pixel codes.
        i < 64 ? 0 : (i < 128 ? 255 : UInt8(random.below(256)))
      },
      labels: (0..<count).map { UInt8($0 % 3) }, classNames: classNames)
  }

  /// A network with vectors away from their neutral start; `stress` makes codes and stream saturate.
  public static func net(_ architecture: Architecture, seed: UInt64 = 1, stress: Bool = false) throws -> Supernet {
    let channels = architecture.geometry.channels
    let net = Supernet(
      size: SupernetSize(architecture),
      preprocessing: Preprocessing(
        mean: (0..<channels).map { 0.4 + Float($0) / 20 }, deviation: Array(repeating: 0.3, count: channels)),
      random: RandomSource(seed: seed))
    var random = RandomSource(seed: seed).generator("vectors")
    for parameter in net.parameters where parameter.role == .vector {
      for i in 0..<parameter.value.count { parameter.value.pointer[i] += Float(random.unit() - 0.5) / 2 }
    }
    let images = try images(16, channels: channels, seed: 8)
    try net.calibrate(
      Trainer.calibrationBatches(images, geometry: architecture.geometry), architecture: architecture)
    if stress {
      net.residualStep /= 5
      for parameter in net.parameters where parameter.role == .scale && parameter.name.contains(".step.a") {
        for i in 0..<parameter.value.count { parameter.value.pointer[i] /= 4 }
      }
    }
    return net
  }

  public static func pack(_ net: Supernet, _ architecture: Architecture) throws -> IntegerModel {
    try IntegerModel(packing: net, architecture: architecture, classNames: classNames)
  }
}
