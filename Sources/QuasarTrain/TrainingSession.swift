import Foundation
import QuasarData
import QuasarInterchange
import QuasarNetwork
import QuasarProcesses
import QuasarSupernet
import QuasarTensor

/// A training run on disk: `checkpoint.safetensors`, `log.jsonl` and TensorBoard's event file in one folder.
public struct RunDirectory: Sendable {
  public let path: String

  public init(_ path: String) {
    self.path = path
  }

  public var checkpointPath: String { path + "/checkpoint.safetensors" }
  public var log: TrainingLog { TrainingLog(path: path + "/log.jsonl") }
  var events: EventFile { EventFile(path: path + "/" + EventFile.name) }
  public var hasCheckpoint: Bool { FileManager.default.fileExists(atPath: checkpointPath) }

  public func create() throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw QuasarError(
        .cannotWrite, "\(path): the run folder cannot be made (\(error.localizedDescription))")
    }
  }

  /// The checkpoint of the run, with averaged weights where it has them: for everything but resuming.
  public func load() throws -> Checkpoint {
    guard hasCheckpoint else {
      throw QuasarError(.missing, "\(path): no run with a checkpoint; train one with 'quasar train'")
    }
    let checkpoint = try Checkpoint(contentsOf: checkpointPath)
    try checkpoint.applyAverage()
    return checkpoint
  }
}

/// Runs a trainer with checkpoints, a log and evaluations; of several processes the first one writes.
public struct TrainingSession {
  /// What a caller sees after every step.
  public typealias Observer = (TrainingStep, _ imagesPerSecond: Double) -> Void

  private let trainer: Trainer
  private let directory: RunDirectory
  private let classNames: [String]
  private let heldOut: (any ImageSource)?
  private let options: SessionOptions
  /// The networks of the accuracy curves; the first one decides which checkpoints are the best.
  private let evaluated: [(String, Architecture)]
  private let configuration: RunConfiguration
  /// Steps between two lines of the log.
  private let logInterval = 20
  private static let evaluationImages = 500

  /// `heldOut`: training images kept aside, for the accuracy curve; nil for none. `sources`: where weights and teacher
  /// came from, for `run.json`.
  public init(
    trainer: Trainer, directory: RunDirectory, classNames: [String], heldOut: (any ImageSource)?,
    options: SessionOptions = SessionOptions(), sources: [String: String] = [:]
  ) throws {
    let table = SessionOptions.table
    try (heldOut == nil ? table.adding(SessionOptions.withoutAccuracy) : table).validate(options)
    self.options = options
    evaluated = TrainingSession.evaluated(trainer, random: options.evaluatedSubnets)
    configuration = RunConfiguration(trainer: trainer, heldOut: heldOut, evaluated: evaluated, sources: sources)
    trainer.recomputes = options.recomputes
    self.trainer = trainer
    self.directory = directory
    self.classNames = classNames
    self.heldOut = try heldOut.map { set in
      let count = min(TrainingSession.evaluationImages, set.count)
      return try set.selecting((0..<count).map { $0 * set.count / count })
    }
  }

  /// Trains to the end. Writes a checkpoint after every epoch and at the end.
  ///
  /// Throws `interrupted` after a checkpoint when `shouldStop` turns true.
  public func run(observe: Observer = { _, _ in }, shouldStop: () -> Bool = { false }) throws {
    if writes {
      try directory.create()
      if trainer.step > 0, let known = RunConfiguration.read(directory) {
        try configuration.requireSame(as: known, directory)
      }
      try configuration.write(directory)
      try options.kept.restart(after: trainer.step, in: directory)
      try directory.log.restart(before: trainer.step)
      try directory.events.restart(keeping: directory.log.read())
    }
    var sums = (loss: 0.0, steps: 0)
    let clock = ContinuousClock()
    let start = clock.now
    let firstStep = trainer.step
    var lastLog = start
    let finished = try trainer.run(
      observe: { step in
        sums.loss += step.loss
        sums.steps += 1
        let done = Double(step.step + 1 - firstStep) * Double(trainer.imagesPerStep)
        observe(step, done / start.duration(to: clock.now).seconds)
        guard writes else { return }
        if (step.step + 1) % logInterval == 0 || step.step + 1 == step.totalSteps {
          let elapsed = lastLog.duration(to: clock.now).seconds
          lastLog = clock.now
          try record(
            LogEntry(
              event: .training, step: step.step, epoch: step.epoch, mode: step.mode,
              loss: sums.loss / Double(sums.steps), learningRate: step.learningRate,
              imagesPerSecond: Double(sums.steps * trainer.imagesPerStep) / max(elapsed, 1e-9),
              oscillating: step.oscillating, frozen: step.frozen))
          sums = (0, 0)
        }
        if (step.step + 1) % trainer.stepsPerEpoch == 0 {
          try writeCheckpoint()
          let accuracy = try evaluate(step)
          try options.kept.add(step: trainer.step, accuracy: accuracy, in: directory)
        }
      }, shouldStop: shouldStop)
    if writes { try writeCheckpoint() }
    guard finished else {
      throw QuasarError(
        .interrupted,
        "stopped at step \(trainer.step) of \(trainer.totalSteps); the checkpoint is in \(directory.path), "
          + "go on with --resume")
    }
  }

  private var writes: Bool { trainer.processes.isFirst }

  /// Largest, smallest and some random networks of a space, drawn from the seed; or the one network.
  private static func evaluated(_ trainer: Trainer, random count: Int) -> [(String, Architecture)] {
    switch trainer.plan {
    case .fixed(let architecture): return [("network", architecture)]
    case .space(let space):
      var generator = RandomSource(seed: trainer.seed).generator("evaluated-subnet")
      return [("largest", space.largest), ("smallest", space.smallest)]
        + (0..<count).map { ("random-\($0 + 1)", space.sample(&generator)) }
    }
  }

  /// Records the accuracies and returns the first one.
  private func evaluate(_ step: TrainingStep) throws -> Double? {
    guard let heldOut else { return nil }
    // Averaged weights are what a search and a packed model will use.
    if let average = trainer.average { return try average.whileApplied { try evaluate(step, heldOut) } }
    return try evaluate(step, heldOut)
  }

  private func evaluate(_ step: TrainingStep, _ heldOut: any ImageSource) throws -> Double? {
    var first: Double?
    for (name, architecture) in evaluated {
      let evaluation = try Evaluation(trainer.net, architecture: architecture, mode: step.mode, data: heldOut)
      first = first ?? evaluation.accuracy
      try record(
        LogEntry(
          event: .evaluation, step: step.step, epoch: step.epoch, mode: step.mode, subnet: name,
          accuracy: evaluation.accuracy))
    }
    return first
  }

  private func record(_ entry: LogEntry) throws {
    try directory.log.append(entry)
    try directory.events.append(entry)
  }

  private func writeCheckpoint() throws {
    try Checkpoint.write(
      Checkpoint.Description(
        net: trainer.net, classNames: classNames, plan: trainer.plan, options: trainer.options,
        seed: trainer.seed, step: trainer.step, totalSteps: trainer.totalSteps),
      net: trainer.net, optimizer: trainer.optimizer, average: trainer.average, oscillation: trainer.oscillation,
      to: directory.checkpointPath)
  }
}
