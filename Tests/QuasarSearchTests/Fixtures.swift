import QuasarAutograd
import QuasarData
import QuasarHardware
import QuasarNetwork
import QuasarProcesses
import QuasarSupernet
import QuasarTensor
import QuasarTrain

@testable import QuasarSearch

/// A tiny space on a small board: 8×8 grey images, 5 tokens, 3 classes.
enum Tiny {
  static let space = SearchSpace(
    name: "tiny",
    geometry: ImageGeometry(imageSize: 8, channels: 1, patchSize: 4, classes: 3, headDimension: 8),
    embedDimensions: [8, 16, 24], depths: [1, 2, 3], heads: [1, 2], mlpRatios: [1, 2],
    shares: RowShare.allCases, activationBits: [8, 6])

  static func images(_ count: Int) throws -> ImageSet {
    var random = RandomSource(seed: 3).generator("images")
    return try ImageSet(
      name: "toy", split: "held out", channels: 1, height: 8, width: 8,
      images: (0..<count * 64).map { _ in UInt8(random.below(256)) },
      labels: (0..<count).map { UInt8($0 % 3) }, classNames: ["a", "b", "c"])
  }

  /// An untrained supernet: accuracies differ from slice to slice, which is all that a search needs.
  static func net() throws -> Supernet {
    let images = try images(32)
    let net = Supernet(
      size: SupernetSize(space), preprocessing: Preprocessing(of: images), random: RandomSource(seed: 1))
    var random = RandomSource(seed: 1).generator("vectors")
    for parameter in net.parameters where parameter.role == .vector {
      for i in 0..<parameter.value.count { parameter.value.pointer[i] += Float(random.unit() - 0.5) / 2 }
    }
    try net.calibrate(
      Trainer.calibrationBatches(images, geometry: space.geometry), architecture: space.largest)
    return net
  }

  static func hardware() throws -> HardwareModel { try HardwareModel(device: Device.named("pynq-z2")) }

  static let options: SearchOptions = {
    var options = SearchOptions()
    options.population = 5
    options.generations = 2
    options.children = 3
    options.elites = 3
    options.attempts = 25
    options.images = 40
    return options
  }()

  static func search(
    seed: UInt64 = 1, options: SearchOptions = options, processes: any ProcessGroup = SingleProcess()
  ) throws -> EvolutionarySearch {
    try EvolutionarySearch(
      net: net(), space: space, hardware: hardware(), heldOut: images(60), options: options, seed: seed,
      processes: processes)
  }

  /// Targets between the speeds of the largest and the smallest network, at these fractions of the range.
  static func targets(_ parts: [Double]) throws -> [Double] {
    let model = try hardware()
    let slow = try model.estimate(space.largest).fps
    let fast = try model.estimate(space.smallest).fps
    return parts.map { (slow + $0 * (fast - slow)).rounded() }
  }
}
