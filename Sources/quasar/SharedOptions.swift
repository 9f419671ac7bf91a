import ArgumentParser
import Quasar
import QuasarConsole

// Options that several commands share, and the values that they make of them.

/// The seed of everything random.
struct SeedOption: ParsableArguments {
  @OptionGroup private var flags: OptionFlags<SeedKey>

  var seed: UInt64 { get throws { try flags.read(onto: PipelineConfiguration()).seed } }
}

struct DataOption: ParsableArguments {
  @OptionGroup private var flags: OptionFlags<DataKey>

  var specification: DataSpecification {
    get throws { try DataSpecification(parsing: flags.read(onto: PipelineConfiguration()).data) }
  }

  /// The images, those of class folders scaled to the geometry.
  func open(for geometry: ImageGeometry) throws -> ImageSources { try specification.open(size: geometry.imageSize) }
}

struct DeviceOptions: ParsableArguments {
  @OptionGroup private var flags: OptionFlags<DeviceKeys>

  func model() throws -> HardwareModel {
    let values = try flags.read(onto: PipelineConfiguration())
    return try HardwareModel(device: Device.load(values.device), clockMHz: values.clockMHz)
  }
}

/// A network without weights: by name, with its bits, or from a file.
struct ArchitectureOptions: ParsableArguments {
  @Option(name: .long, help: "Architecture by name (see 'quasar estimate --list').") var arch: String?
  @Option(name: .long, help: "Sub-network file from 'quasar search'.") var subnet: String?
  @Option(name: .long, help: "8, 4 or mixed:R, R the share of 8-bit rows; for --arch (default mixed:0.5).")
  var weightBits: String?
  @Option(name: .long, help: "8 or 6; for --arch (default 8).") var activationBits: Int?

  var isNamed: Bool { arch != nil || subnet != nil }

  func architecture() throws -> Architecture {
    switch (arch, subnet) {
    case (let name?, nil):
      let named = try Architecture.named(name)
      return try named.with(
        weightBits: WeightBits(weightBits ?? "mixed:0.5"), activationBits: activationBits ?? 8)
    case (nil, let path?):
      guard weightBits == nil, activationBits == nil else {
        throw QuasarError(
          .usage, "a sub-network file fixes its bits; leave out --weight-bits and --activation-bits")
      }
      return try Workflow.architecture(contentsOf: path)
    default:
      throw QuasarError(.usage, "name either --arch NAME or --subnet FILE")
    }
  }
}

// MARK: Trainings

/// Where the images of a training come from.
struct TrainingDataOptions: ParsableArguments {
  @OptionGroup private var data: DataOption
  @OptionGroup private var flags: OptionFlags<CacheKeys>

  /// The images; of several processes the first one makes the cache.
  func open(for geometry: ImageGeometry) throws -> ImageSources {
    let values = try flags.read(onto: PipelineConfiguration())
    guard let cache = values.cache else { return try data.open(for: geometry) }
    return try Launch.inTurn {
      try Workflow.cached(
        data.specification, for: geometry, in: cache, workers: Machine.threads, skipsDamaged: values.skipDamaged,
        progress: Launch.progress())
    }
  }
}

/// The network that teaches.
struct TeacherOption: ParsableArguments {
  @OptionGroup private var flags: OptionFlags<TeacherKey>

  private var folder: String? { get throws { try flags.read(onto: PipelineConfiguration()).teacher } }

  func load() throws -> Teacher? { try folder.map { try Teacher(folder: $0) } }

  /// Sources of a run for `run.json`.
  func sources(_ others: [String: String?]) throws -> [String: String] {
    var sources = others.compactMapValues { $0 }
    sources["teacher"] = try folder
    return sources
  }
}

/// Where the first weights of a training come from.
struct InitialWeightsOption: ParsableArguments {
  @OptionGroup private var flags: OptionFlags<InitialWeightsFlags>

  var weights: InitialWeights? { get throws { try flags.read(onto: InitialWeightsOptions()).weights } }

  /// The weights in the file, with a line that says where the head comes from; nil without --init.
  func load(_ space: SearchSpace, resume: Bool) throws -> TimmWeights? {
    guard let initial = try weights else { return nil }
    guard !resume else {
      throw QuasarError(
        .usage,
        "--init \(initial.file): --resume goes on with the weights of the checkpoint; leave one of them out")
    }
    let (weights, note) = try initial.load(for: space)
    Console.note(note)
    return weights
  }
}
