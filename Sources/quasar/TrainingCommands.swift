import ArgumentParser
import Foundation
import Quasar

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "The whole flow of a pipeline file; resumes after the last finished step.",
    discussion: "Example: quasar run tools/quickstart.yaml --out runs/quickstart")

  @OptionGroup var common: CommonOptions
  @Argument(help: "Pipeline file (YAML).") var pipeline: String
  @Option(name: .long, help: "Folder for everything that is made.") var out: String

  func run() throws {
    try common.apply()
    let configuration = try PipelineConfiguration(contentsOf: pipeline)
    let summary = try Pipeline(configuration, output: out, progress: ConsoleProgress()).run()
    if common.json, let object = try Console.object(summary) as? [String: Any] {
      try Console.json(object)
    } else {
      print(RunCommand.text(summary))
    }
  }

  static func text(_ summary: Summary) -> String {
    let header = [
      "target FPS", "FPS", "board", "A bits", "8-bit rows", "W bits", "DSP", "LUT", "BRAM18", "float",
      "integer",
    ]
    let rows = summary.subnets.map { subnet in
      [
        Workflow.label(subnet.fpsTarget), String(Int(subnet.fps)), subnet.device,
        String(subnet.activationBits), Workflow.fixed(100 * subnet.share8bit, 0) + " %",
        Workflow.fixed(subnet.averageWeightBits, 2), String(subnet.dsp), String(subnet.lut),
        String(subnet.bram18), Workflow.fixed(100 * subnet.accuracyFloat, 2) + " %",
        Workflow.fixed(100 * subnet.accuracyInteger, 2) + " %",
      ]
    }
    return """

      \(Console.table(header, rows))

      baseline (softmax regression): \(Workflow.fixed(100 * summary.baseline, 2)) %
      time: \(ConsoleProgress.time(summary.seconds))
      report: \(summary.report)
      """
  }
}

extension Entanglement: ExpressibleByArgument {}
extension TrainingProducts: ExpressibleByArgument {}
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
  @Option(name: .long, help: "integer, or float for fp32 products of dequantised values.") var products:
    TrainingProducts?
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

  var options: SessionOptions {
    var options = SessionOptions()
    options.evaluatedSubnets = evaluateSubnets
    options.kept = KeptCheckpoints(best: keepBest, last: keepLast)
    return options
  }

  func apply(to options: inout TrainingOptions) throws {
    if let distillation { options.distillation = distillation }
    try options.validate()
  }

  func loadTeacher() throws -> Teacher? {
    try teacher.map { try Teacher(RunDirectory($0).load()) }
  }

  /// Sources of a run for `run.json`.
  func sources(_ others: [String: String?]) -> [String: String] {
    var sources = others.compactMapValues { $0 }
    sources["teacher"] = teacher
    return sources
  }
}

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train the supernet of a space.",
    discussion: "Example: quasar train --space fashion-s --data embedded --out runs/supernet --epochs 20")

  @OptionGroup var common: CommonOptions
  @OptionGroup var seed: SeedOption
  @OptionGroup var data: TrainingDataOptions
  @OptionGroup var training: TrainingArguments
  @OptionGroup var initial: InitialWeightsOptions
  @OptionGroup var session: SessionArguments
  @Option(name: .long, help: "fashion-s, cifar-s, autoformer-t, -s, -b, deit-t, -s, -b, or a YAML file.")
  var space = "fashion-s"
  @Option(name: .long, help: "Run folder.") var out: String
  @Flag(name: .long, help: "Go on from the checkpoint in the run folder.") var resume = false

  func run() throws {
    try common.apply()
    let space = try SearchSpace.load(space)
    var options = TrainingOptions()
    try training.apply(to: &options)
    try session.apply(to: &options)
    let directory = RunDirectory(out)
    if resume, !directory.hasCheckpoint {
      throw QuasarError(.missing, "\(out): nothing to resume, there is no checkpoint")
    }
    if !resume, directory.hasCheckpoint {
      throw QuasarError(.cannotWrite, "\(out): holds a run; add --resume, or choose another --out")
    }
    let weights = try initial.load(space, resume: resume)
    let processes = Launch.processes
    let images = try data.open(for: space.geometry)
    try Workflow.trainSupernet(
      space: space, data: images, options: options, seed: seed.seed, directory: directory,
      resume: resume, initial: weights, teacher: session.loadTeacher(), session: session.options,
      sources: session.sources(["init": initial.file]), processes: processes, progress: Launch.progress("supernet"))
    guard processes.isFirst else { return }
    let entries = directory.log.read().filter { $0.event == .evaluation }
    let last = Dictionary(entries.map { ($0.subnet ?? "", $0.accuracy ?? 0) }, uniquingKeysWith: { $1 })
    if common.json {
      try Console.json(["run": out, "held_out_accuracy": last])
    } else {
      for (subnet, accuracy) in last.sorted(by: { $0.key < $1.key }) {
        print("\(subnet): \(Workflow.fixed(100 * accuracy, 2)) % on held-out training images")
      }
      print("checkpoint: \(directory.checkpointPath)")
    }
  }
}

struct SearchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "search", abstract: "Find one sub-network for each speed target.",
    discussion:
      "Example: quasar search --run runs/supernet --device pynq-z2 --fps 4000,8000 --out runs/search")

  @OptionGroup var common: CommonOptions
  @OptionGroup var seed: SeedOption
  @OptionGroup var data: DataOption
  @OptionGroup var device: DeviceOptions
  @Option(name: .customLong("run"), help: "Run folder of a trained supernet.") var runFolder: String
  @Option(name: .long, help: "Speed targets in images per second, one image after another.") var fps: String
  @Option(name: .long, help: "Folder for search.json, lineage.jsonl and the sub-networks.") var out: String
  @Option(name: .long, help: "Generations of the evolution.") var generations: Int?
  @Option(name: .long, help: "Candidates before the first generation.") var population: Int?

  func run() throws {
    try common.apply()
    let targets = try fps.split(separator: ",").map { part in
      guard let value = Double(part.trimmingCharacters(in: .whitespaces)), value > 0 else {
        throw QuasarError(.usage, "--fps \(fps): '\(part)' is no positive number; write e.g. 100,160,250")
      }
      return value
    }
    var options = SearchOptions()
    if let generations { options.generations = generations }
    if let population {
      options.population = population
      options.elites = min(options.elites, population)
    }
    let processes = Launch.processes
    let supernet = try RunDirectory(runFolder).load()
    let result = try Workflow.search(
      supernet: supernet, data: data.open(for: supernet.net.size.geometry), hardware: device.model(), targets: targets,
      options: options, seed: seed.seed, directory: out, processes: processes, progress: Launch.progress("search"))
    guard processes.isFirst else { return }
    if common.json {
      try Console.json([
        "out": out, "candidates": result.candidates.count, "refused": result.refused,
        "results": try result.results.map { try Console.object($0) },
      ])
    } else {
      let rows = result.results.map { found in
        [
          Workflow.label(found.target), String(Int(found.candidate.fps)),
          String(found.candidate.architecture.activationBits),
          Workflow.fixed(found.candidate.averageWeightBits, 2), String(found.candidate.dsp),
          Workflow.fixed(100 * found.candidate.accuracy, 2) + " %",
        ]
      }
      print(Console.table(["target FPS", "FPS", "A bits", "W bits", "DSP", "held-out accuracy"], rows))
      print(
        "\(result.candidates.count) candidates scored, \(result.refused) refused by the constraints: \(out)")
    }
  }
}

struct FinetuneCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "finetune", abstract: "Train one sub-network on, ending in exact integers.",
    discussion:
      "Example: quasar finetune --run runs/supernet --subnet runs/search/subnet-4000.json --out runs/fast")

  @OptionGroup var common: CommonOptions
  @OptionGroup var seed: SeedOption
  @OptionGroup var data: TrainingDataOptions
  @OptionGroup var training: TrainingArguments
  @OptionGroup var session: SessionArguments
  @Option(name: .customLong("run"), help: "Run folder of the supernet.") var runFolder: String
  @Option(name: .long, help: "Sub-network file from 'quasar search'.") var subnet: String
  @Option(name: .long, help: "Run folder of the fine-tuned network.") var out: String
  @Flag(name: .long, help: "Go on from the checkpoint in the run folder.") var resume = false

  func run() throws {
    try common.apply()
    var options = PipelineConfiguration.finetuneDefaults
    try training.apply(to: &options)
    try session.apply(to: &options)
    let directory = RunDirectory(out)
    if !resume, directory.hasCheckpoint {
      throw QuasarError(.cannotWrite, "\(out): holds a run; add --resume, or choose another --out")
    }
    let processes = Launch.processes
    let supernet = try RunDirectory(runFolder).load()
    let architecture = try Workflow.architecture(contentsOf: subnet)
    let images = try data.open(for: architecture.geometry)
    try Workflow.finetune(
      supernet: supernet, architecture: architecture, data: images, options: options, seed: seed.seed,
      directory: directory, resume: resume, teacher: session.loadTeacher(), session: session.options,
      sources: session.sources(["supernet": runFolder, "subnet": subnet]), processes: processes,
      progress: Launch.progress("finetune"))
    guard processes.isFirst else { return }
    if common.json {
      try Console.json(["run": out])
    } else {
      print("checkpoint: \(directory.checkpointPath)")
    }
  }
}
