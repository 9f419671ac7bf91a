import ArgumentParser
import Foundation
import Quasar
import QuasarConsole

extension Entanglement: ExpressibleByArgument {}
extension OptimizerRule: ExpressibleByArgument {}
extension LearningRateDecay: ExpressibleByArgument {}

/// Options of how a training changes its images.
struct AugmentationArguments: ParsableArguments {
  @Flag(inversion: .prefixedNo, help: "Mirror images at random.") var flip: Bool?
  @Option(name: .long, help: "Largest shift of an image in pixels, edge pixels repeated; 0 is off.") var shift: Int?
  @Option(name: .long, help: "Chance that a rectangle of an image is filled with the mean pixel, 0…1.")
  var randomErasing: Double?
  @Option(name: .long, help: "Smallest part of an image's area that a random crop takes, 0.01…1; 1 is off.")
  var cropScale: Double?
  @Option(name: .long, help: "Random operations on each image (RandAugment), 0…16; 0 is off.") var randAugment: Int?
  @Option(name: .long, help: "Magnitude of the random operations, 0…\(RandAugment.largestMagnitude).")
  var randAugmentMagnitude: Int?

  func apply(to options: inout TrainingOptions) {
    if let flip { options.flip = flip }
    if let shift { options.shift = shift }
    if let randomErasing { options.randomErasing = randomErasing }
    if let cropScale { options.cropScale = cropScale }
    if let randAugment { options.randAugment = randAugment }
    if let randAugmentMagnitude { options.randAugmentMagnitude = randAugmentMagnitude }
  }
}

/// Where the images of a training come from.
struct TrainingDataOptions: ParsableArguments {
  @OptionGroup var data: DataOption
  @Option(
    name: .long,
    help:
      "Folder of an image cache: folder:DIR is decoded into it once and read from disk, so it may exceed the memory.")
  var cache: String?
  @Flag(name: .long, help: "With --cache: leave out images that cannot be decoded instead of stopping.")
  var skipDamaged = false

  /// The images; of several processes the first one makes the cache.
  func open(for geometry: ImageGeometry) throws -> ImageSources {
    guard let cache else {
      guard !skipDamaged else { throw QuasarError(.usage, "--skip-damaged belongs to --cache DIR; add one") }
      return try data.open(for: geometry)
    }
    return try Launch.inTurn {
      try Workflow.cached(
        DataSpecification(parsing: data.data), for: geometry, in: cache, workers: Machine.threads,
        skipsDamaged: skipDamaged, progress: Launch.progress())
    }
  }
}

/// Options of a training that a command line may change.
struct TrainingArguments: ParsableArguments {
  @Option(name: .long, help: "Passes over the training images.") var epochs: Int?
  @Option(name: .long, help: "Images a step.") var batchSize: Int?
  @Option(name: .long, help: "Peak learning rate.") var learningRate: Float?
  @Option(name: .long, help: "Part of the run over which the learning rate rises to its peak, 0…1.")
  var warmUp: Double?
  @Option(name: .long, help: "How the learning rate falls: cosine or step.") var schedule: LearningRateDecay?
  @Option(name: .long, help: "Parts of the run at which a step schedule takes a step, 0…1, e.g. 0.6,0.85.")
  var decayPoints: String?
  @Option(name: .long, help: "What multiplies the learning rate at each decay point.") var decayFactor: Float?
  @Option(name: .long, help: "Part of the run in fp32 before quantisation is switched on, 0…1.")
  var fullPrecision: Double?
  @Option(name: .long, help: "Part at the end of the run in exact integers, 0…1.") var exact: Double?
  @Option(name: .long, help: "Part of the targets that is spread over all classes, 0..<1.") var labelSmoothing: Float?
  @Option(name: .long, help: "Weight decay; vectors and quantiser steps have none.") var weightDecay: Float?
  @Option(name: .long, help: "Chance that the last block's branches are left out, less in those before, 0..<1.")
  var dropPath: Float?
  @OptionGroup var augmentation: AugmentationArguments
  @Option(name: .long, help: "Times that an image comes in a batch, each time augmented anew.") var repeats: Int?
  @Option(name: .long, help: "Beta parameter of mixup; 0 is off.") var mixup: Double?
  @Option(name: .long, help: "Beta parameter of cutmix; 0 is off.") var cutmix: Double?
  @Option(name: .long, help: "Decay of averaged weights; 0 is off.") var average: Float?
  @Option(name: .long, help: "Batches that one update averages.") var accumulation: Int?
  @Flag(
    inversion: .prefixedNo,
    help: "Train the largest and the smallest sub-network in every step; the largest teaches the others.")
  var sandwich: Bool?
  @Option(name: .long, help: "Random sub-networks in every step; without sandwich at least 1.") var randomSubnets: Int?
  @Option(name: .long, help: "Part of the run over which sub-networks grow from the largest to the space, 0…1.")
  var progressive: Double?
  @Option(
    name: .long, help: "\(Entanglement.allCases.map(\.rawValue).joined(separator: ", ")).")
  var entanglement: Entanglement?
  @Flag(inversion: .prefixedNo, help: "Learn the factors of the residual branches; without, they are 1.")
  var layerScale: Bool?
  @Option(name: .long, help: TrainingProducts.help) var products: TrainingProducts?
  @Option(name: .long, help: "adamw or lamb.") var optimizer: OptimizerRule?
  @Option(
    name: .long, help: "Percentage of activations that codes cover at the start, 90…100; 0: least squared error.")
  var calibrationPercentile: Double?
  @Flag(
    inversion: .prefixedNo,
    help: "Start quantised weights from codes with compensated errors (GPTQ); for single networks.")
  var gptqStart: Bool?
  @Option(name: .long, help: "Frequency of swings between codes above which a weight is frozen; 0 is off.")
  var oscillationThreshold: Float?
  @Option(name: .long, help: "Share of the newest update in that frequency.") var oscillationMomentum: Float?

  func apply(to options: inout TrainingOptions) throws {
    if let epochs { options.epochs = epochs }
    if let batchSize { options.batchSize = batchSize }
    if let learningRate { options.learningRate = learningRate }
    if let warmUp { options.warmUp = warmUp }
    if let schedule { options.schedule = schedule }
    if let decayPoints { options.decayPoints = try TrainingArguments.numbers(decayPoints, of: "--decay-points") }
    if let decayFactor { options.decayFactor = decayFactor }
    if let fullPrecision { options.fullPrecision = fullPrecision }
    if let exact { options.exact = exact }
    if let labelSmoothing { options.labelSmoothing = labelSmoothing }
    if let weightDecay { options.optimizer.weightDecay = weightDecay }
    if let dropPath { options.dropPath = dropPath }
    augmentation.apply(to: &options)
    if let repeats { options.repeats = repeats }
    if let mixup { options.mixup = mixup }
    if let cutmix { options.cutmix = cutmix }
    if let average { options.average = average }
    if let accumulation { options.accumulation = accumulation }
    if let sandwich { options.sandwich = sandwich }
    if let randomSubnets { options.randomSubnets = randomSubnets }
    if let progressive { options.progressive = progressive }
    if let entanglement { options.entanglement = entanglement }
    if let layerScale { options.layerScale = layerScale }
    if let products { options.products = products }
    if let optimizer { options.optimizer.rule = optimizer }
    if let calibrationPercentile { options.calibrationPercentile = calibrationPercentile }
    if let gptqStart { options.gptqStart = gptqStart }
    if let oscillationThreshold { options.oscillationThreshold = oscillationThreshold }
    if let oscillationMomentum { options.oscillationMomentum = oscillationMomentum }
    try options.validate()
  }

  /// "0.6,0.85" → [0.6, 0.85]
  private static func numbers(_ text: String, of option: String) throws -> [Double] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      guard let value = Double(part.trimmingCharacters(in: .whitespaces)) else {
        throw QuasarError(.usage, "\(option) \(text): '\(part)' is no number; write e.g. 0.6,0.85")
      }
      return value
    }
  }
}

/// What a training does beside training, and who teaches it.
struct SessionArguments: ParsableArguments {
  @Option(name: .long, help: "Run folder of a trained network, in fp32 or quantised, whose outputs are targets.")
  var teacher: String?
  @Option(name: .long, help: "Share of the teacher's outputs in the targets, 0…1.") var distillation: Float?
  @Option(name: .long, help: "Checkpoints of the best epochs to keep in kept/, by held-out accuracy.") var keepBest = 0
  @Option(name: .long, help: "Checkpoints of the last epochs to keep in kept/.") var keepLast = 0
  @Option(name: .long, help: "Random sub-networks whose held-out accuracy is followed.") var evaluateSubnets = 2
  @OptionGroup var memory: MemoryOption

  var options: SessionOptions {
    var options = SessionOptions()
    options.evaluatedSubnets = evaluateSubnets
    options.kept = KeptCheckpoints(best: keepBest, last: keepLast)
    options.recomputes = memory.recompute
    return options
  }

  func apply(to options: inout TrainingOptions) throws {
    if let distillation { options.distillation = distillation }
    try options.validate()
  }

  func loadTeacher() throws -> Teacher? {
    try teacher.map { try Teacher(folder: $0) }
  }

  /// Sources of a run for `run.json`.
  func sources(_ others: [String: String?]) -> [String: String] {
    var sources = others.compactMapValues { $0 }
    sources["teacher"] = teacher
    return sources
  }
}
