import Quasar

// MARK: The steps of the flow

/// Options of `quasar train`.
enum TrainFlags: OptionFlagGroup {
  static var table: OptionTable<TrainingSetup> { TrainingSetup.table }
  static var defaults: TrainingSetup? { TrainingSetup() }
}

/// Options of `quasar finetune`.
enum FinetuneFlags: OptionFlagGroup {
  static var table: OptionTable<TrainingSetup> { TrainingSetup.finetuneTable }
  static var defaults: TrainingSetup? { .finetuneDefaults }
}

/// Options of `quasar search`.
enum SearchFlags: OptionFlagGroup {
  static var table: OptionTable<SearchOptions> { SearchOptions.table }
  static var defaults: SearchOptions? { SearchOptions() }
}

/// The augmentation of single images.
enum AugmentationFlags: OptionFlagGroup {
  static let table = TrainingOptions.table.only(TrainingOptions.augmentationKeys)
  static var defaults: TrainingOptions? { TrainingOptions() }
}

/// Start weights.
enum InitialWeightsFlags: OptionFlagGroup {
  static var table: OptionTable<InitialWeightsOptions> { InitialWeightsOptions.table }
  static var defaults: InitialWeightsOptions? { nil }
}

// MARK: Keys of a pipeline, for commands that do one step of it

protocol PipelineKeys: OptionFlagGroup where Root == PipelineConfiguration {
  static var keys: [String] { get }
}

extension PipelineKeys {
  static var table: OptionTable<PipelineConfiguration> { PipelineConfiguration.table.only(keys) }
  static var defaults: PipelineConfiguration? { PipelineConfiguration() }
}

enum SeedKey: PipelineKeys { static let keys = ["seed"] }
enum DataKey: PipelineKeys { static let keys = ["data"] }
enum CacheKeys: PipelineKeys { static let keys = ["cache", "skip_damaged"] }
enum SpaceKey: PipelineKeys { static let keys = ["space"] }
enum DeviceKeys: PipelineKeys { static let keys = ["device", "clock_mhz"] }
enum TargetsKey: PipelineKeys { static let keys = ["targets_fps"] }
enum TeacherKey: PipelineKeys { static let keys = ["teacher"] }

// MARK: What `quasar run` takes in place of its file

enum RunFlags: OptionFlagGroup {
  static var table: OptionTable<PipelineConfiguration> { PipelineConfiguration.table }
  static var defaults: PipelineConfiguration? { nil }
}

enum RunTrainFlags: OptionFlagGroup {
  static var table: OptionTable<TrainingSetup> { TrainingSetup.table }
  static var defaults: TrainingSetup? { nil }
  static var prefix: String { "train-" }
}

enum RunSearchFlags: OptionFlagGroup {
  static var table: OptionTable<SearchOptions> { SearchOptions.table }
  static var defaults: SearchOptions? { nil }
  static var prefix: String { "search-" }
}

enum RunFinetuneFlags: OptionFlagGroup {
  static var table: OptionTable<TrainingSetup> { TrainingSetup.finetuneTable }
  static var defaults: TrainingSetup? { nil }
  static var prefix: String { "finetune-" }
}
