import Foundation
import QuasarAutograd
import QuasarData
import QuasarInterchange
import QuasarNetwork
import QuasarProcesses
import QuasarRuntime
import QuasarSupernet
import QuasarTensor

/// Figures of one training step.
public struct TrainingStep: Codable, Sendable {
  public var step: Int
  public var totalSteps: Int
  public var epoch: Int
  public var mode: ForwardMode
  /// Cross-entropy of the first sub-network of the step.
  public var loss: Double
  public var learningRate: Double
  public var gradientNorm: Double
  /// Shares of the quantised weights that swing between codes and that are frozen; nil where they are not followed.
  public var oscillating: Double?
  public var frozen: Double?
}

/// Trains a supernet, or one network; quantisation is switched on during the run.
///
/// Every step is a function of (weights, seed, step number): the bits do not depend on the number of threads or
/// processes, and a run that resumes from a checkpoint continues as if it had never stopped.
public final class Trainer {
  public let net: Supernet
  public let plan: SubnetPlan
  public let options: TrainingOptions
  public let seed: UInt64
  public let optimizer: AdamW
  /// Averaged weights, if the options ask for them.
  public let average: WeightAverage?
  /// The processes that share the batches of a step.
  public let processes: any ProcessGroup
  /// Codes of the weights over the updates, if the options ask for them.
  public let oscillation: OscillationTracker?
  /// Computes quantised blocks again in the backward pass: less memory, the same bits, about a quarter more time.
  public var recomputes = false
  private let source: BatchSource
  private let gradients: GradientTree
  private let random: RandomSource
  private let teacher: Teacher?
  private var order: (epoch: Int, images: [Int]) = (-1, [])
  /// Computes batches ahead where images are on disk or take long to augment.
  private let loader: BatchLoader?

  public init(
    net: Supernet, plan: SubnetPlan, data: any ImageSource, options: TrainingOptions, seed: UInt64,
    teacher: Teacher? = nil, processes: any ProcessGroup = SingleProcess()
  ) throws {
    try options.validate()
    try data.checkFits(net.size.geometry)
    try teacher?.checkFits(net.size.geometry)
    self.net = net
    self.plan = plan
    self.options = options
    self.seed = seed
    self.teacher = teacher
    random = RandomSource(seed: seed)
    optimizer = AdamW(net.parameters, settings: options.optimizer)
    average = options.average > 0 ? WeightAverage(net.parameters, decay: options.average) : nil
    self.processes = processes
    gradients = try GradientTree(net.parameters, batches: options.accumulation, processes: processes)
    oscillation =
      options.oscillationThreshold > 0
      ? try OscillationTracker(
        net, following: plan.coarsest, threshold: options.oscillationThreshold, momentum: options.oscillationMomentum)
      : nil
    source = try BatchSource(data: data, options: options, random: random)
    loader =
      source.isCheap
      ? nil : BatchLoader(source, batches: gradients.ownBatches, steps: options.epochs * source.stepsPerEpoch)
  }

  /// Seconds that steps have waited for images; 0 for images in memory without random crops and operations.
  public var waitingSeconds: Double { loader?.waitingSeconds ?? 0 }

  /// The images that are trained on.
  public var data: any ImageSource { source.data }
  public var stepsPerEpoch: Int { source.stepsPerEpoch }
  public var imagesPerStep: Int { source.imagesPerStep }
  public var totalSteps: Int { options.epochs * stepsPerEpoch }
  /// Number of steps taken so far; a checkpoint sets it.
  public var step: Int { optimizer.step }

  /// The kind of numbers between the layers at a step.
  public func mode(at step: Int) -> ForwardMode {
    let position = Double(step) / Double(totalSteps)
    if position < options.fullPrecision { return .full }
    return position >= 1 - options.exact ? .exact : .quantized
  }

  /// Runs until the end, or until `shouldStop` of any process returns true; `observe` sees every step.
  ///
  /// Returns true when the last step was taken. Throws `badData` with step and loss when training diverges.
  public func run(
    observe: (TrainingStep) throws -> Void, shouldStop: () -> Bool = { false }
  ) throws -> Bool {
    let schedule = LearningRateSchedule(
      peak: options.learningRate, floor: options.learningRate / 100,
      warmUpSteps: Int(options.warmUp * Double(totalSteps)), totalSteps: totalSteps, decay: options.schedule,
      factor: options.decayFactor, points: options.decayPoints)
    while step < totalSteps {
      if try processes.any(shouldStop()) { return false }
      try observe(Profile.measure("step") { try takeStep(schedule) })
    }
    return true
  }

  private func takeStep(_ schedule: LearningRateSchedule) throws -> TrainingStep {
    let step = self.step
    let epoch = step / stepsPerEpoch
    let mode = mode(at: step)
    if mode != .full, step == 0 || self.mode(at: step - 1) == .full {
      try Profile.measure("calibration") { try startQuantizers() }
    }

    let architectures = plan.architectures(step: step, of: totalSteps, options: options, random: random)
    let loss: Float
    do {
      loss = try gradients.sum { batch, walk in
        let images = try Profile.measure("images") { try self.batch(batch, step: step, epoch: epoch) }
        return try addGradients(of: images, batch, architectures, mode, walk)
      }
    } catch let error as QuasarError {
      throw QuasarError(
        error.kind,
        "training stopped at step \(step): \(error.message); resume from the last checkpoint with a lower learning "
          + "rate than \(options.learningRate)")
    }
    let rate = schedule.rate(at: step)
    oscillation?.clearFrozenGradients()
    if !options.layerScale {
      for parameter in net.layerScales { parameter.clearGradient() }
    }
    let norm = optimizer.update(learningRate: rate)
    guard loss.isFinite, norm.isFinite else {
      throw QuasarError(
        .badData,
        "training diverged at step \(step): loss \(loss), gradient norm \(norm); lower the learning "
          + "rate (\(options.learningRate)) and resume from the last checkpoint")
    }
    if mode != .full { oscillation?.update() }
    average?.update(step: step)
    if let average { oscillation?.holdFrozen(in: average.value(of:)) }
    return TrainingStep(
      step: step, totalSteps: totalSteps, epoch: epoch, mode: mode, loss: Double(loss),
      learningRate: Double(rate), gradientNorm: Double(norm), oscillating: oscillation?.shares.oscillating,
      frozen: oscillation?.shares.frozen)
  }

  /// The work done once, before the first quantised step.
  private func startQuantizers() throws {
    let batches = try Trainer.calibrationBatches(source.data, geometry: net.size.geometry)
    try calibrate(batches, weights: true)
    if options.gptqStart { try net.startFromCompensatedCodes(batches, architecture: plan.largest) }
    oscillation?.start()
  }

  /// Adds the gradients of batch `index` of the step, and returns its part of the loss of the first sub-network.
  ///
  /// `walk` is the backward pass that is the last one of the step in this process.
  private func addGradients(
    of batch: BatchSource.Batch, _ index: Int, _ architectures: [Architecture], _ mode: ForwardMode,
    _ walk: GradientTree.LastWalk?
  ) throws -> Float {
    let patches = PatchBatch(images: batch.images, geometry: net.size.geometry)
    let labels = batch.targets(classes: net.size.geometry.classes, smoothing: options.labelSmoothing)
    var targets = try targetsOfTeacher(batch.images, patches, labels)
    // The mean is taken over all images of the step.
    let share = 1 / Float(options.accumulation)
    var firstLoss: Float = 0
    for (i, architecture) in architectures.enumerated() {
      let tape = Tape()
      let result = try net.forward(
        tape, patches, architecture: architecture, mode: mode, products: options.products, recomputed: recomputes,
        dropPath: dropPath(step * options.accumulation + index, i, batch.labels.count))
      let loss = tape.scale(tape.crossEntropy(result.logits, targets: targets), by: share)
      if let walk, i == architectures.count - 1 {
        try walk(tape, loss)
      } else {
        tape.backward(from: loss)
      }
      if i == 0 {
        firstLoss = loss.value.pointer[0]
        if options.sandwich, architectures.count > 1 { targets = tape.softmax(result.logits).value }
      }
    }
    return firstLoss
  }

  private func batch(_ index: Int, step: Int, epoch: Int) throws -> BatchSource.Batch {
    if let loader { return try loader.batch(step: step, index: index) }
    if order.epoch != epoch { order = (epoch, source.order(epoch: epoch)) }
    return try source.batch(step: step, index: index, order: order.images)
  }

  /// Labels mixed with the teacher's output: (1 − d)·labels + d·(its softmax, or 1 for its best class).
  private func targetsOfTeacher(_ images: NDArray<UInt8>, _ own: PatchBatch, _ labels: Tensor) throws -> Tensor {
    guard let teacher, options.distillation > 0 else { return labels }
    let geometry = teacher.net.size.geometry
    let patches = geometry == net.size.geometry ? own : PatchBatch(images: images, geometry: geometry)
    let tape = Tape(recording: false)
    let result = try teacher.net.forward(
      tape, patches, architecture: teacher.architecture, mode: teacher.mode, products: options.products)
    let output =
      options.hardDistillation
      ? tape.constant(
        Targets.labels(
          result.logits.value.largestPerRow(), classes: result.logits.value.width, smoothing: options.labelSmoothing))
      : tape.softmax(result.logits)
    let mixed = tape.add(
      tape.scale(output, by: options.distillation),
      tape.scale(tape.constant(labels), by: 1 - options.distillation))
    return mixed.value
  }

  private func dropPath(_ step: Int, _ subnet: Int, _ batch: Int) -> DropPath? {
    guard options.dropPath > 0 else { return nil }
    let depth = net.size.attentionWidths.count
    return { branch in
      let rate = self.options.dropPath * Float(branch / 2 + 1) / Float(depth)
      var generator = self.random.generator("drop-path", (step * 64 + subnet) * 256 + branch)
      return Tensor(
        (0..<batch).map { _ in Float(generator.unit()) < rate ? 0 : 1 / (1 - rate) }, shape: [batch])
    }
  }

  /// Sets all quantisers from 512 training images.
  public func calibrate(weights: Bool = true) throws {
    try calibrate(Trainer.calibrationBatches(source.data, geometry: net.size.geometry), weights: weights)
  }

  private func calibrate(_ batches: [PatchBatch], weights: Bool) throws {
    try net.calibrate(
      batches, architecture: plan.largest, weights: weights, rankRows: weights,
      percentile: options.calibrationPercentile)
  }

  /// Evenly spaced images in eight batches of 64 (fewer for small sets).
  public static func calibrationBatches(_ data: any ImageSource, geometry: ImageGeometry) throws -> [PatchBatch] {
    let count = min(512, data.count)
    let chosen = (0..<count).map { $0 * data.count / count }
    return try stride(from: 0, to: count, by: 64).map { first in
      let part = try data.selecting(Array(chosen[first..<min(first + 64, count)]))
      return PatchBatch(images: try part.array(0..<part.count), geometry: geometry)
    }
  }
}
