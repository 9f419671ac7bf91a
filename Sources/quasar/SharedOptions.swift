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
