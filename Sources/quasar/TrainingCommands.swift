import ArgumentParser
import Foundation
import Quasar
import QuasarConsole

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "The whole flow of a pipeline file; resumes after the last finished step.",
    discussion: """
      Every key of the file has a flag of the same meaning, which wins over it. Those of train, search and finetune begin
      with the name of the step, as --train-epochs does; --help-hidden lists them, 'quasar options' explains them.

      Example: quasar run tools/quickstart.yaml --out runs/quickstart
      Example: quasar run tools/cifar10.yaml --data folder:DIR --train-epochs 6 --out runs/cifar10
      """)

  @OptionGroup var common: CommonOptions
  @Argument(help: "Pipeline file (YAML).") var pipeline: String
  @Option(name: .long, help: "Folder for everything that is made.") var out: String
  @OptionGroup(title: "In place of keys of the file") var keys: OptionFlags<RunFlags>
  @OptionGroup(title: "In place of keys of the file") var initial: OptionFlags<InitialWeightsFlags>
  @OptionGroup var memory: MemoryOption
  @OptionGroup(title: "In place of keys of train", visibility: .hidden) var train: OptionFlags<RunTrainFlags>
  @OptionGroup(title: "In place of keys of search", visibility: .hidden) var search: OptionFlags<RunSearchFlags>
  @OptionGroup(title: "In place of keys of finetune", visibility: .hidden) var finetune: OptionFlags<RunFinetuneFlags>

  func run() throws {
    try common.apply()
    var flags = PipelineFlags()
    (flags.run, flags.initial) = (keys.given, initial.given)
    (flags.train, flags.search, flags.finetune) = (train.given, search.given, finetune.given)
    var configuration = try PipelineConfiguration(contentsOf: pipeline, flags: flags)
    if memory.recompute {
      (configuration.train.session.recomputes, configuration.finetune.session.recomputes) = (true, true)
    }
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

struct TrainCommand: ParsableCommand, SharedCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Train the supernet of a space.",
    discussion: "Example: quasar train --space fashion-s --data embedded --out runs/supernet --epochs 20")

  @OptionGroup var common: CommonOptions
  @OptionGroup var seed: SeedOption
  @OptionGroup var data: TrainingDataOptions
  @OptionGroup var space: OptionFlags<SpaceKey>
  @OptionGroup var training: OptionFlags<TrainFlags>
  @OptionGroup var initial: InitialWeightsOption
  @OptionGroup var teacher: TeacherOption
  @OptionGroup var profile: ProfileOption
  @Option(name: .long, help: "Run folder.") var out: String
  @Flag(name: .long, help: "Go on from the checkpoint in the run folder.") var resume = false

  func run() throws {
    try common.apply()
    let (setup, seed) = (try training.read(onto: TrainingSetup()), try seed.seed)
    let space = try SearchSpace.load(space.read(onto: PipelineConfiguration()).space)
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
    _ = try profile.record(imagesPerStep: setup.options.imagesPerStep / processes.size) { recording in
      try Workflow.trainSupernet(
        space: space, data: images, options: setup.options, seed: seed, directory: directory,
        resume: resume, initial: weights, teacher: teacher.load(), session: setup.session,
        sources: teacher.sources(["init": initial.weights?.file]), processes: processes,
        progress: Launch.progress("supernet", recording: recording))
    }
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

struct SearchCommand: ParsableCommand, SharedCommand {
  static let configuration = CommandConfiguration(
    commandName: "search", abstract: "Find one sub-network for each speed target.",
    discussion:
      "Example: quasar search --run runs/supernet --device pynq-z2 --fps 4000,8000 --out runs/search")

  @OptionGroup var common: CommonOptions
  @OptionGroup var seed: SeedOption
  @OptionGroup var data: DataOption
  @OptionGroup var device: DeviceOptions
  @Option(name: .customLong("run"), help: "Run folder of a trained supernet.") var runFolder: String
  @OptionGroup var targets: OptionFlags<TargetsKey>
  @Option(name: .long, help: "Folder for search.json, lineage.jsonl and the sub-networks.") var out: String
  @OptionGroup var options: OptionFlags<SearchFlags>

  func run() throws {
    try common.apply()
    let (options, seed, hardware) = (try options.read(onto: SearchOptions()), try seed.seed, try device.model())
    let targets = try targets.read(onto: PipelineConfiguration()).targets
    guard !targets.isEmpty else {
      throw QuasarError(.usage, "--fps: missing; name at least one speed target, such as --fps 4000,8000")
    }
    let processes = Launch.processes
    let supernet = try RunDirectory(runFolder).load()
    let result = try Workflow.search(
      supernet: supernet, data: data.open(for: supernet.net.size.geometry), hardware: hardware, targets: targets,
      options: options, seed: seed, directory: out, processes: processes, progress: Launch.progress("search"))
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

struct FinetuneCommand: ParsableCommand, SharedCommand {
  static let configuration = CommandConfiguration(
    commandName: "finetune", abstract: "Train one sub-network on, ending in exact integers.",
    discussion:
      "Example: quasar finetune --run runs/supernet --subnet runs/search/subnet-4000.json --out runs/fast")

  @OptionGroup var common: CommonOptions
  @OptionGroup var seed: SeedOption
  @OptionGroup var data: TrainingDataOptions
  @OptionGroup var training: OptionFlags<FinetuneFlags>
  @OptionGroup var teacher: TeacherOption
  @OptionGroup var profile: ProfileOption
  @Option(name: .customLong("run"), help: "Run folder of the supernet.") var runFolder: String
  @Option(name: .long, help: "Sub-network file from 'quasar search'.") var subnet: String
  @Option(name: .long, help: "Run folder of the fine-tuned network.") var out: String
  @Flag(name: .long, help: "Go on from the checkpoint in the run folder.") var resume = false

  func run() throws {
    try common.apply()
    let (setup, seed) = (try training.read(onto: .finetuneDefaults), try seed.seed)
    let directory = RunDirectory(out)
    if !resume, directory.hasCheckpoint {
      throw QuasarError(.cannotWrite, "\(out): holds a run; add --resume, or choose another --out")
    }
    let processes = Launch.processes
    let supernet = try RunDirectory(runFolder).load()
    let architecture = try Workflow.architecture(contentsOf: subnet)
    let images = try data.open(for: architecture.geometry)
    _ = try profile.record(imagesPerStep: setup.options.imagesPerStep / processes.size) { recording in
      try Workflow.finetune(
        supernet: supernet, architecture: architecture, data: images, options: setup.options, seed: seed,
        directory: directory, resume: resume, teacher: teacher.load(), session: setup.session,
        sources: teacher.sources(["supernet": runFolder, "subnet": subnet]), processes: processes,
        progress: Launch.progress("finetune", recording: recording))
    }
    guard processes.isFirst else { return }
    if common.json {
      try Console.json(["run": out])
    } else {
      print("checkpoint: \(directory.checkpointPath)")
    }
  }
}
