import Foundation
import QuasarInterchange
import QuasarSearch
import QuasarTensor
import QuasarTrain

/// Everything `quasar run` needs: data, space, device, targets and the options of each step.
public struct PipelineConfiguration: Codable, Sendable, Equatable {
  public var name: String
  public var data: String
  /// Folder of an image cache of `data`; nil: images in memory.
  public var cache: String?
  public var space: String
  public var device: String
  public var clockMHz: Double?
  public var targets: [Double]
  public var seed: UInt64
  /// Start weights of the supernet; nil: random ones.
  public var initial: InitialWeights?
  /// Run folder of the network that teaches supernet and fine-tuning; nil: the largest sub-network.
  public var teacher: String?
  public var train: TrainingOptions
  public var search: SearchOptions
  public var finetune: TrainingOptions

  /// A pipeline file; unknown keys and impossible values are refused with their line.
  public init(contentsOf path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else {
      throw QuasarError(.missing, "\(path): no such pipeline file")
    }
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw QuasarError(.badData, "\(path): not readable as UTF-8 text")
    }
    try self.init(yaml: text, file: path)
  }

  public init(yaml: String, file: String) throws {
    let root = try StrictYAML(text: yaml, file: file)
    try root.allowOnly([
      "name", "data", "cache", "space", "device", "clock_mhz", "targets_fps", "seed", "init", "teacher", "train",
      "search", "finetune",
    ])
    name = try root.string("name")
    data = try root.string("data")
    cache = root.has("cache") ? try root.string("cache") : nil
    space = try root.string("space")
    device = try root.string("device")
    clockMHz = root.has("clock_mhz") ? try root.number("clock_mhz", 1...2000) : nil
    targets = try root.numbers("targets_fps", 0.001...1e9)
    seed = UInt64(try root.integer("seed", 0...Int.max))
    initial = root.has("init") ? try InitialWeights(root.nested("init")) : nil
    teacher = root.has("teacher") ? try root.string("teacher") : nil
    var train = TrainingOptions()
    if root.has("train") { try train.read(root.nested("train")) }
    self.train = train
    var search = SearchOptions()
    if root.has("search") { try search.read(root.nested("search")) }
    self.search = search
    var finetune = PipelineConfiguration.finetuneDefaults
    if root.has("finetune") { try finetune.read(root.nested("finetune")) }
    self.finetune = finetune
  }

  /// Fine-tuning starts quantised and ends in exact integers.
  public static var finetuneDefaults: TrainingOptions {
    var options = TrainingOptions()
    options.epochs = 5
    options.learningRate = 1e-3
    options.fullPrecision = 0
    options.exact = 0.25
    options.sandwich = false
    options.randomSubnets = 1
    return options
  }
}

extension TrainingOptions {
  /// Takes the keys that a mapping has; refuses keys it does not know.
  public mutating func read(_ yaml: StrictYAML) throws {
    try yaml.allowOnly([
      "epochs", "batch_size", "learning_rate", "warm_up", "schedule", "decay_points", "decay_factor",
      "full_precision", "exact", "label_smoothing", "flip", "crop_scale", "shift", "random_erasing", "rand_augment",
      "rand_augment_magnitude", "repeats", "drop_path", "random_subnets", "sandwich", "distillation", "weight_decay",
      "hard_distillation", "progressive", "mixup", "cutmix", "average", "accumulation", "entanglement", "layer_scale",
      "products", "optimizer", "calibration_percentile", "gptq_start", "oscillation_threshold", "oscillation_momentum",
    ])
    if yaml.has("epochs") { epochs = try yaml.integer("epochs", 1...100_000) }
    if yaml.has("batch_size") { batchSize = try yaml.integer("batch_size", 1...65_536) }
    if yaml.has("learning_rate") { learningRate = Float(try yaml.number("learning_rate", 1e-9...10)) }
    if yaml.has("warm_up") { warmUp = try yaml.number("warm_up", 0...1) }
    if yaml.has("schedule") { schedule = try yaml.choice("schedule") }
    if yaml.has("decay_points") { decayPoints = try yaml.numbers("decay_points", 0...1) }
    if yaml.has("decay_factor") { decayFactor = Float(try yaml.number("decay_factor", 0...1)) }
    if yaml.has("full_precision") { fullPrecision = try yaml.number("full_precision", 0...1) }
    if yaml.has("exact") { exact = try yaml.number("exact", 0...1) }
    if yaml.has("label_smoothing") { labelSmoothing = Float(try yaml.number("label_smoothing", 0...0.99)) }
    if yaml.has("flip") { flip = try yaml.bool("flip") }
    if yaml.has("crop_scale") { cropScale = try yaml.number("crop_scale", 0.01...1) }
    if yaml.has("shift") { shift = try yaml.integer("shift", 0...64) }
    if yaml.has("random_erasing") { randomErasing = try yaml.number("random_erasing", 0...1) }
    if yaml.has("rand_augment") { randAugment = try yaml.integer("rand_augment", 0...16) }
    if yaml.has("rand_augment_magnitude") {
      randAugmentMagnitude = try yaml.integer("rand_augment_magnitude", 0...RandAugment.largestMagnitude)
    }
    if yaml.has("repeats") { repeats = try yaml.integer("repeats", 1...65_536) }
    if yaml.has("drop_path") { dropPath = Float(try yaml.number("drop_path", 0...0.99)) }
    if yaml.has("random_subnets") { randomSubnets = try yaml.integer("random_subnets", 0...64) }
    if yaml.has("sandwich") { sandwich = try yaml.bool("sandwich") }
    if yaml.has("distillation") { distillation = Float(try yaml.number("distillation", 0...1)) }
    if yaml.has("hard_distillation") { hardDistillation = try yaml.bool("hard_distillation") }
    if yaml.has("progressive") { progressive = try yaml.number("progressive", 0...1) }
    if yaml.has("mixup") { mixup = try yaml.number("mixup", 0...100) }
    if yaml.has("cutmix") { cutmix = try yaml.number("cutmix", 0...100) }
    if yaml.has("average") { average = Float(try yaml.number("average", 0...0.999999)) }
    if yaml.has("accumulation") { accumulation = try yaml.integer("accumulation", 1...65_536) }
    if yaml.has("entanglement") { entanglement = try yaml.choice("entanglement") }
    if yaml.has("layer_scale") { layerScale = try yaml.bool("layer_scale") }
    if yaml.has("products") { products = try yaml.choice("products") }
    if yaml.has("calibration_percentile") { calibrationPercentile = try yaml.number("calibration_percentile", 0...100) }
    if yaml.has("gptq_start") { gptqStart = try yaml.bool("gptq_start") }
    if yaml.has("oscillation_threshold") {
      oscillationThreshold = Float(try yaml.number("oscillation_threshold", 0...0.999))
    }
    if yaml.has("oscillation_momentum") {
      oscillationMomentum = Float(try yaml.number("oscillation_momentum", 1e-6...1))
    }
    if yaml.has("optimizer") { optimizer.rule = try yaml.choice("optimizer") }
    if yaml.has("weight_decay") { optimizer.weightDecay = Float(try yaml.number("weight_decay", 0...1)) }
    do {
      try validate()
    } catch let error as QuasarError {
      throw yaml.error("epochs", error.message)
    }
  }
}

extension SearchOptions {
  /// Takes the keys that a mapping has; refuses keys it does not know.
  public mutating func read(_ yaml: StrictYAML) throws {
    try yaml.allowOnly([
      "population", "generations", "children", "elites", "crossover", "block_mutation", "network_mutation",
      "attempts", "images",
    ])
    if yaml.has("population") { population = try yaml.integer("population", 2...100_000) }
    if yaml.has("generations") { generations = try yaml.integer("generations", 0...100_000) }
    if yaml.has("children") { children = try yaml.integer("children", 1...100_000) }
    if yaml.has("elites") { elites = try yaml.integer("elites", 2...100_000) }
    if yaml.has("crossover") { crossover = try yaml.number("crossover", 0...1) }
    if yaml.has("block_mutation") { blockMutation = try yaml.number("block_mutation", 0...1) }
    if yaml.has("network_mutation") { networkMutation = try yaml.number("network_mutation", 0...1) }
    if yaml.has("attempts") { attempts = try yaml.integer("attempts", 1...1_000_000) }
    if yaml.has("images") { images = try yaml.integer("images", 1...10_000_000) }
    do {
      try validate()
    } catch let error as QuasarError {
      throw yaml.error("population", error.message)
    }
  }
}
