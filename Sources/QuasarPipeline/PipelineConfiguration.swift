import Foundation
import QuasarInterchange
import QuasarSearch
import QuasarTensor
import QuasarTrain

/// Everything `quasar run` needs: data, space, device, targets and the options of each step.
///
/// The values of `init()` are those of commands that do one step of the flow.
public struct PipelineConfiguration: Codable, Sendable, Equatable {
  public var name = ""
  public var data = "embedded"
  /// Folder of an image cache of `data`; nil: images in memory.
  public var cache: String?
  /// Nil as well as false, so that only a record that needs it has it.
  private var skipsDamaged: Bool?
  public var space = "fashion-s"
  public var device = "pynq-z2"
  public var clockMHz: Double?
  public var targets: [Double] = []
  public var seed: UInt64 = 1
  /// Start weights of the supernet; nil: random ones.
  public var initial: InitialWeights?
  /// Run folder of the network that teaches supernet and fine-tuning; nil: the largest sub-network.
  public var teacher: String?
  public var train = TrainingSetup()
  public var search = SearchOptions()
  public var finetune = TrainingSetup.finetuneDefaults

  public init() {}

  /// Leave out images that the cache cannot decode.
  public var skipDamaged: Bool {
    get { skipsDamaged ?? false }
    set { skipsDamaged = newValue ? true : nil }
  }

  /// The same run: another session changes no result.
  func decidesTheSame(as other: PipelineConfiguration) -> Bool {
    var (a, b) = (self, other)
    (a.train.session, a.finetune.session) = (SessionOptions(), SessionOptions())
    (b.train.session, b.finetune.session) = (SessionOptions(), SessionOptions())
    return a == b
  }
}

// MARK: The table

extension PipelineConfiguration {
  /// Keys, flags, ranges, units and help of what belongs to no single step: the one place that names them.
  public static let table = OptionTable<PipelineConfiguration>(
    [
      OptionEntry("name", \.name, .text, isRequired: true, "Name of the run, for its report."),
      OptionEntry(
        "data", \.data, .text, isRequired: true,
        "Images: embedded, fashion-mnist:DIR, mnist:DIR, cifar10:DIR, folder:DIR or cache:DIR."),
      OptionEntry(
        "cache", \.cache, .optional(.text),
        "Folder of an image cache: folder:DIR is decoded into it once and read from disk, so it may exceed the memory."),
      OptionEntry(
        "skip_damaged", \.skipDamaged, .flag,
        "With a cache: leave out images that cannot be decoded instead of stopping."),
      OptionEntry(
        "space", \.space, .text, isRequired: true,
        "fashion-s, cifar-xs, cifar-s, autoformer-t, -s, -b, deit-t, -s, -b, or a YAML file."),
      OptionEntry(
        "device", \.device, .text, isRequired: true, "Board by name (see 'quasar estimate --list') or a YAML file."),
      OptionEntry(
        "clock_mhz", \.clockMHz, .optional(.number(1...2000)), unit: "MHz", flag: "clock",
        "Clock of the engine; without, the board's own."),
      OptionEntry(
        "targets_fps", \.targets, .numbers(0.001...1e9), unit: "images/s", flag: "fps", isRequired: true,
        "Speed targets, one image after another; each gets a sub-network of its own."),
      OptionEntry(
        "seed", \.seed, .integer(), isRequired: true, "Seed of everything random; equal seeds give equal bytes."),
      OptionEntry(
        "teacher", \.teacher, .optional(.text),
        "Run folder of a trained network, in fp32 or quantised, whose outputs are targets."),
    ],
    rules: [
      OptionRule(["cache", "skip_damaged"]) { options in
        options.skipDamaged && options.cache == nil
          ? "damaged images are left out of a cache; name its folder (--cache DIR)" : nil
      }
    ])
}

/// What a command line says about a pipeline: what the file says, in other words.
public struct PipelineFlags: Sendable {
  public var run = OptionFlagValues()
  public var initial = OptionFlagValues()
  public var train = OptionFlagValues()
  public var search = OptionFlagValues()
  public var finetune = OptionFlagValues()

  public init() {}
}

// MARK: Reading

extension PipelineConfiguration {
  /// A pipeline file; unknown keys and impossible values are refused with their line. Flags win over the file.
  public init(contentsOf path: String, flags: PipelineFlags = PipelineFlags()) throws {
    guard FileManager.default.fileExists(atPath: path) else {
      throw QuasarError(.missing, "\(path): no such pipeline file")
    }
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw QuasarError(.badData, "\(path): not readable as UTF-8 text")
    }
    try self.init(yaml: text, file: path, flags: flags)
  }

  public init(yaml: String, file: String, flags: PipelineFlags = PipelineFlags()) throws {
    self.init()
    let root = try StrictYAML(text: yaml, file: file)
    func nested(_ key: String) throws -> StrictYAML? { root.has(key) ? try root.nested(key) : nil }
    try Self.table.read(&self, from: root, flags: flags.run, others: ["init", "train", "search", "finetune"])
    var initial = InitialWeightsOptions()
    try InitialWeightsOptions.table.read(&initial, from: nested("init"), flags: flags.initial)
    self.initial = initial.weights
    try TrainingSetup.table.read(&train, from: nested("train"), flags: flags.train)
    try SearchOptions.table.read(&search, from: nested("search"), flags: flags.search)
    try TrainingSetup.finetuneTable.read(&finetune, from: nested("finetune"), flags: flags.finetune)
  }
}
