import Foundation
import QuasarData
import QuasarNetwork
import QuasarSupernet
import QuasarTensor

@testable import QuasarTrain

/// Tiny sets and networks: 8×8 grey images, patches of 4, heads of 8, 3 classes.
enum Tiny {
  static let geometry = ImageGeometry(imageSize: 8, channels: 1, patchSize: 4, classes: 3, headDimension: 8)
  static let classNames = ["left", "right", "bottom"]

  static let architecture = Architecture(
    geometry: geometry, embedDimension: 16, activationBits: 8,
    blocks: [
      BlockGenes(
        heads: 2, mlpRatio: 1, shares: [.qkv: .half, .projection: .half, .expand: .half, .contract: .none])
    ])

  static let space = SearchSpace(
    name: "tiny", geometry: geometry, embedDimensions: [8, 16], depths: [1, 2], heads: [1, 2],
    mlpRatios: [1, 2], shares: RowShare.allCases, activationBits: [8, 6])

  /// Class 0 is bright at the top left, 1 at the top right, 2 at the bottom; noise everywhere.
  static func toySet(_ count: Int, seed: UInt64, channels: Int = 1) throws -> ImageSet {
    var random = RandomSource(seed: seed).generator("toy")
    var images: [UInt8] = []
    for i in 0..<count {
      for _ in 0..<channels {
        for y in 0..<8 {
          for x in 0..<8 {
            let bright = [y < 4 && x < 4, y < 4 && x >= 4, y >= 4][i % 3]
            images.append(UInt8((bright ? 130 : 20) + random.below(90)))
          }
        }
      }
    }
    return try ImageSet(
      name: "toy", split: "train", channels: channels, height: 8, width: 8, images: images,
      labels: (0..<count).map { UInt8($0 % 3) }, classNames: classNames)
  }

  static func options(epochs: Int, batch: Int = 16) -> TrainingOptions {
    var options = TrainingOptions()
    options.epochs = epochs
    options.batchSize = batch
    options.flip = false
    options.randomErasing = 0
    return options
  }

  static func net(_ size: SupernetSize = SupernetSize(architecture), data: ImageSet) -> Supernet {
    Supernet(size: size, preprocessing: Preprocessing(of: data), random: RandomSource(seed: 1))
  }
}

/// Runs `body` with a separate folder, which is removed at the end.
func withTemporaryFolder(_ body: (String) throws -> Void) throws {
  let path = NSTemporaryDirectory() + "quasar-train-\(UUID().uuidString)"
  try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: path) }
  try body(path)
}
