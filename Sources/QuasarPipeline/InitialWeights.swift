import QuasarExchange
import QuasarInterchange
import QuasarNetwork
import QuasarSupernet
import QuasarTensor

/// A file of start weights, and how its network saw pixels.
public struct InitialWeights: Codable, Sendable, Equatable {
  /// safetensors of a timm vision transformer.
  public var file: String
  /// Mean and deviation of the pixels of each channel in its training, 0…1; nil: ImageNet's.
  public var pixels: Preprocessing?

  public init(file: String, pixels: Preprocessing? = nil) {
    self.file = file
    self.pixels = pixels
  }

  /// The weights, which have to fit the largest sizes of the space, and a line that says what they start.
  ///
  /// Throws `usage` without pixels for images that do not have ImageNet's three channels, and as `TimmWeights`.
  public func load(for space: SearchSpace) throws -> (weights: TimmWeights, note: String) {
    let geometry = space.geometry
    guard pixels != nil || geometry.channels == 3 else {
      throw QuasarError(
        .usage,
        "\(file): ImageNet's pixels have 3 channels, the images of the space \(geometry.channels); give mean and deviation "
          + "of its pixels (--init-mean and --init-deviation, or mean and deviation under init)")
    }
    let weights = try TimmWeights(contentsOf: file, preprocessing: pixels ?? TimmWeights.imageNet)
    try weights.check(SupernetSize(space).graph)
    return (weights, "\(file): \(text(weights.head(classes: geometry.classes), classes: geometry.classes))")
  }

  private func text(_ head: TimmWeights.Head, classes: Int) -> String {
    switch head {
    case .taken: "weights and head of \(classes) classes are taken"
    case .random(let found?):
      "its head has \(found) classes, the space \(classes): the head stays random, all other weights are taken"
    case .random(nil): "it has no head: the head stays random, all other weights are taken"
    }
  }

  /// From `init: {file, mean, deviation}`.
  init(_ yaml: StrictYAML) throws {
    try yaml.allowOnly(["file", "mean", "deviation"])
    file = try yaml.string("file")
    guard yaml.has("mean") == yaml.has("deviation") else {
      throw yaml.error(
        yaml.has("mean") ? "mean" : "deviation", "mean and deviation come together; give both or neither")
    }
    if yaml.has("mean") {
      pixels = Preprocessing(
        mean: try yaml.numbers("mean", 0...1, repeating: true).map { Float($0) },
        deviation: try yaml.numbers("deviation", 1e-6...1, repeating: true).map { Float($0) })
    }
  }
}
