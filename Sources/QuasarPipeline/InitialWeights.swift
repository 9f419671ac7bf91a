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
}

/// Start weights as a pipeline file and a command line name them: `init: {file, mean, deviation}`, `--init FILE`.
public struct InitialWeightsOptions: Sendable, Equatable {
  /// safetensors of a timm vision transformer.
  public var file: String?
  /// Mean of the pixels of each channel in its training, 0…1.
  public var mean: [Double]?
  /// Deviation of the pixels of each channel in its training.
  public var deviation: [Double]?

  /// No start weights.
  public init() {}

  /// The start weights; nil without a file.
  public var weights: InitialWeights? {
    guard let file else { return nil }
    guard let mean, let deviation else { return InitialWeights(file: file) }
    return InitialWeights(
      file: file, pixels: Preprocessing(mean: mean.map { Float($0) }, deviation: deviation.map { Float($0) }))
  }

  /// Keys, flags, ranges and help of every option: the one place that names them.
  public static let table = OptionTable<InitialWeightsOptions>(
    [
      OptionEntry(
        "file", \.file, .optional(.text), flag: "init", isRequired: true,
        "Start with the weights of a timm vision transformer (safetensors) of the space's largest sizes."),
      OptionEntry(
        "mean", \.mean, .optional(.numbers(0...1, repeating: true)), flag: "init-mean",
        "Mean pixel of each channel in the training of those weights; without, ImageNet's."),
      OptionEntry(
        "deviation", \.deviation, .optional(.numbers(1e-6...1, repeating: true)), flag: "init-deviation",
        "Deviation of the pixels of each channel in that training; without, ImageNet's."),
    ],
    rules: [
      OptionRule(["mean", "deviation"]) { options in
        (options.mean == nil) == (options.deviation == nil)
          ? nil : "mean and deviation of the pixels come together; give both or neither"
      },
      OptionRule(["file", "mean", "deviation"]) { options in
        options.file != nil || options.mean == nil
          ? nil : "pixels belong to the weights of a file; name it (--init FILE)"
      },
    ])
}
