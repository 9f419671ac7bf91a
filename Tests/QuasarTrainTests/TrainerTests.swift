import CKernels
import Foundation
import QuasarAutograd
import QuasarData
import QuasarNetwork
import QuasarProcesses
import QuasarSupernet
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarTrain

/// The number of threads is process-wide, so these tests run one after the other and restore it.
@Suite(.serialized) struct TrainerTests {
  private func train(
    _ plan: SubnetPlan, _ size: SupernetSize, _ data: ImageSet, _ options: TrainingOptions, folder: String,
    stopAfter: Int? = nil, resume: Bool = false, processes: any ProcessGroup = SingleProcess()
  ) throws {
    let directory = RunDirectory(folder)
    let checkpoint = resume ? try Checkpoint(contentsOf: directory.checkpointPath) : nil
    let net = checkpoint?.net ?? Tiny.net(size, data: data)
    let trainer = try Trainer(net: net, plan: plan, data: data, options: options, seed: 5, processes: processes)
    try checkpoint?.restore(trainer)
    let session = try TrainingSession(
      trainer: trainer, directory: directory, classNames: data.classNames, heldOut: data)
    try session.run(shouldStop: { stopAfter.map { trainer.step >= $0 } ?? false })
  }

  private func bytes(_ folder: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: RunDirectory(folder).checkpointPath))
  }

  /// fp32, fake quantisation and exact integers all occur in the run.
  private func threePhases(epochs: Int) -> TrainingOptions {
    var options = Tiny.options(epochs: epochs)
    options.fullPrecision = 0.3
    options.exact = 0.3
    options.flip = true
    options.shift = 1
    options.randomErasing = 0.5
    options.dropPath = 0.2
    options.mixup = 0.8
    options.cutmix = 1
    options.average = 0.9
    options.batchSize = 8
    options.accumulation = 2
    options.progressive = 0.5
    options.cropScale = 0.5
    options.randAugment = 2
    options.repeats = 2
    options.schedule = .step
    options.decayPoints = [0.4, 0.7]
    options.optimizer.rule = .lamb
    return options
  }

  @Test func threadsDoNotChangeTheCheckpoint() throws {
    let before = qk_thread_count()
    defer { qk_set_thread_count(Int32(before)) }
    let data = try Tiny.toySet(48, seed: 1)
    let runs: [(SubnetPlan, SupernetSize)] = [
      (.fixed(Tiny.architecture), SupernetSize(Tiny.architecture)),
      (.space(Tiny.space), SupernetSize(Tiny.space)),
    ]
    for (plan, size) in runs {
      try withTemporaryFolder { folder in
        for threads in [1, 2] {
          qk_set_thread_count(Int32(threads))
          // 3 steps per epoch: 6 steps.
          try train(plan, size, data, threePhases(epochs: 2), folder: "\(folder)/\(threads)")
        }
        #expect(try bytes("\(folder)/1") == bytes("\(folder)/2"))
      }
    }
  }

  /// One process, two and four; stopped by one of them and resumed with another number: the same bytes.
  @Test func processesDoNotChangeTheCheckpoint() throws {
    let data = try Tiny.toySet(48, seed: 1)
    var options = threePhases(epochs: 2)
    options.batchSize = 2
    options.accumulation = 8
    let plans: [(SubnetPlan, SupernetSize)] = [
      (.fixed(Tiny.architecture), SupernetSize(Tiny.architecture)),
      (.space(Tiny.space), SupernetSize(Tiny.space)),
    ]
    for (plan, size) in plans {
      try withTemporaryFolder { folder in
        let test = self
        try test.train(plan, size, data, options, folder: "\(folder)/1")
        for count in [2, 4] {
          _ = try ThreadProcesses.run(count) { [options] processes in
            try test.train(plan, size, data, options, folder: "\(folder)/\(count)", processes: processes)
          }
          #expect(try bytes("\(folder)/1") == bytes("\(folder)/\(count)"), "\(count) processes")
        }
        let error = quasarError {
          _ = try ThreadProcesses.run(2) { [options] processes in
            // Only the second process is told to stop.
            try test.train(
              plan, size, data, options, folder: "\(folder)/parts", stopAfter: processes.isFirst ? nil : 3,
              processes: processes)
          }
        }
        #expect(error?.kind == .interrupted && error?.message.contains("stopped at step 3 of 6") == true)
        _ = try ThreadProcesses.run(4) { [options] processes in
          try test.train(
            plan, size, data, options, folder: "\(folder)/parts", resume: true, processes: processes)
        }
        #expect(try bytes("\(folder)/1") == bytes("\(folder)/parts"))
      }
    }
  }

  @Test func batchesThatCannotBeSharedAreNamed() throws {
    let data = try Tiny.toySet(48, seed: 1)
    var options = Tiny.options(epochs: 1)
    options.accumulation = 3
    let error = quasarError {
      _ = try ThreadProcesses.run(2) { [options] processes in
        _ = try Trainer(
          net: Tiny.net(data: data), plan: .fixed(Tiny.architecture), data: data, options: options, seed: 1,
          processes: processes)
      }
    }
    #expect(error?.kind == .usage)
    #expect(error?.message.contains("2 processes cannot share 3 batches a step") == true, "\(error?.message ?? "")")
  }

  /// Stopped at any step and resumed in a new process's state: the same bytes as one run.
  @Test(arguments: [2, 3, 4, 5])
  func resumedRunEqualsOneRun(stop: Int) throws {
    let data = try Tiny.toySet(48, seed: 2)
    let size = SupernetSize(Tiny.space)
    try withTemporaryFolder { folder in
      let options = threePhases(epochs: 2)
      try train(.space(Tiny.space), size, data, options, folder: "\(folder)/whole")
      let error = quasarError {
        try train(.space(Tiny.space), size, data, options, folder: "\(folder)/parts", stopAfter: stop)
      }
      #expect(error?.kind == .interrupted)
      #expect(error?.message.contains("stopped at step \(stop) of 6") == true, "\(error?.message ?? "none")")
      #expect(try RunDirectory("\(folder)/parts").load().description.step == stop)
      try train(.space(Tiny.space), size, data, options, folder: "\(folder)/parts", resume: true)
      #expect(try bytes("\(folder)/whole") == bytes("\(folder)/parts"))
      let logs = ["whole", "parts"].map { RunDirectory("\(folder)/\($0)").log.read() }
      func evaluations(_ log: [LogEntry]) -> [String] {
        log.filter { $0.event == .evaluation }
          .map { "\($0.step) \($0.subnet ?? "") \($0.accuracy ?? -1)" }
      }
      // Largest, smallest and two random ones, twice.
      #expect(evaluations(logs[0]) == evaluations(logs[1]) && evaluations(logs[0]).count == 8)
    }
  }

  @Test func lossFallsAndTheToySetIsLearned() throws {
    let data = try Tiny.toySet(256, seed: 3)
    var options = Tiny.options(epochs: 30, batch: 32)
    options.learningRate = 0.01
    options.exact = 0.2
    options.labelSmoothing = 0
    let net = Tiny.net(data: data)
    let trainer = try Trainer(
      net: net, plan: .fixed(Tiny.architecture), data: data, options: options, seed: 1)
    var losses: [Double] = []
    var modes: [ForwardMode] = []
    let finished = try trainer.run(observe: {
      losses.append($0.loss)
      modes.append($0.mode)
    })
    #expect(finished && trainer.step == 240 && losses.count == 240)
    // 240 steps: the first 0.4·240 = 96 in fp32, from 0.8·240 = 192 on exact.
    let expected: [ForwardMode] =
      Array(repeating: .full, count: 96) + Array(repeating: .quantized, count: 96)
      + Array(repeating: .exact, count: 48)
    #expect(modes == expected)
    let (first, last) = (losses.prefix(3).reduce(0, +) / 3, losses.suffix(3).reduce(0, +) / 3)
    #expect(first > 0.7 && last < 0.2 * first, "loss \(first) → \(last)")
    let test = try Tiny.toySet(60, seed: 77)
    for mode in ForwardMode.allCases {
      let evaluation = try Evaluation(net, architecture: Tiny.architecture, mode: mode, data: test)
      #expect(evaluation.accuracy > 0.9, "\(mode): \(evaluation.accuracy)")
    }
  }

  /// Two batches of 8 give the gradient of one of 16; sums are added in another order, so only nearly the same bits.
  @Test func accumulationIsTheLargerBatch() throws {
    let data = try Tiny.toySet(48, seed: 4)
    var steps: [[TrainingStep]] = []
    for (batch, accumulation) in [(16, 1), (8, 2)] {
      var options = Tiny.options(epochs: 2, batch: batch)
      options.accumulation = accumulation
      options.fullPrecision = 1
      let trainer = try Trainer(
        net: Tiny.net(data: data), plan: .fixed(Tiny.architecture), data: data, options: options, seed: 1)
      var seen: [TrainingStep] = []
      _ = try trainer.run(observe: { seen.append($0) })
      steps.append(seen)
    }
    #expect(steps[0].count == 6 && steps[1].count == 6)
    for (a, b) in zip(steps[0], steps[1]) {
      #expect(abs(a.loss - b.loss) < 1e-4 * abs(a.loss), "step \(a.step): \(a.loss), \(b.loss)")
      #expect(abs(a.gradientNorm - b.gradientNorm) < 1e-3 * a.gradientNorm)
    }
  }

  @Test func learningRateFollowsTheStepsOfTheSchedule() throws {
    let data = try Tiny.toySet(32, seed: 1)
    var options = Tiny.options(epochs: 10)
    options.fullPrecision = 1
    options.warmUp = 0.1
    options.schedule = .step
    options.decayPoints = [0.5, 0.75]
    options.decayFactor = 0.25
    options.learningRate = 0.008
    let trainer = try Trainer(
      net: Tiny.net(data: data), plan: .fixed(Tiny.architecture), data: data, options: options, seed: 1)
    var rates: [Double] = []
    _ = try trainer.run(observe: { rates.append($0.learningRate) })
    let expected = [0.004] + Array(repeating: 0.008, count: 9) + Array(repeating: 0.002, count: 5)
    #expect(rates.count == 20)
    for (rate, value) in zip(rates, expected + Array(repeating: 0.0005, count: 5)) { #expect(abs(rate - value) < 1e-9) }
  }

  /// A run with averaged weights gives both: raw ones for resuming, averaged ones for everything else.
  @Test func averagedWeightsAreWhatARunGives() throws {
    let data = try Tiny.toySet(48, seed: 1)
    try withTemporaryFolder { folder in
      var options = Tiny.options(epochs: 2)
      options.average = 0.5
      try train(.fixed(Tiny.architecture), SupernetSize(Tiny.architecture), data, options, folder: folder)
      let raw = try Checkpoint(contentsOf: RunDirectory(folder).checkpointPath).net.parameters
      let averaged = try RunDirectory(folder).load().net.parameters
      for (a, b) in zip(raw, averaged) where a.role == .weight {
        let (x, y) = (a.value.scalars, b.value.scalars)
        #expect(x != y, "\(a.name)")
        let distance = zip(x, y).map { abs($0 - $1) }.max() ?? 0
        #expect(distance < 0.1, "\(a.name)")
      }
    }
  }

  @Test(arguments: Entanglement.allCases)
  func everyEntanglementLearns(entanglement: Entanglement) throws {
    let data = try Tiny.toySet(96, seed: 3)
    var options = Tiny.options(epochs: 20, batch: 32)
    options.learningRate = 0.01
    options.fullPrecision = 0.2
    options.entanglement = entanglement
    let net = Supernet(
      size: SupernetSize(Tiny.space), preprocessing: Preprocessing(of: data), random: RandomSource(seed: 1),
      entanglement: entanglement)
    let trainer = try Trainer(net: net, plan: .space(Tiny.space), data: data, options: options, seed: 1)
    var losses: [Double] = []
    _ = try trainer.run(observe: { losses.append($0.loss) })
    let (first, last) = (losses.prefix(5).reduce(0, +), losses.suffix(5).reduce(0, +))
    #expect(last < 0.7 * first, "\(first) → \(last)")
    #expect(net.parameters.contains { $0.name.hasSuffix("step4") } == (entanglement == .independentSteps))
  }

  /// With only the counts of a teacher that always says class 299 of 300 as targets, the network learns to say so.
  @Test func hardDistillationTeachesTheBestClass() throws {
    let few = try Tiny.toySet(32, seed: 1)
    let data = try ImageSet(
      name: "many", split: "train", channels: 1, height: 8, width: 8, images: few.images,
      labels: few.labels.map { Int($0) }, classNames: (0..<300).map { "\($0)" })
    var architecture = Tiny.architecture
    architecture.geometry.classes = 300
    let teacher = Tiny.net(SupernetSize(architecture), data: data)
    let bias = try #require(teacher.parameters.first { $0.name == "head.bias" })
    bias.value.pointer[299] = 100
    var options = Tiny.options(epochs: 20)
    options.learningRate = 0.01
    options.fullPrecision = 1
    options.distillation = 1
    options.hardDistillation = true
    let net = Tiny.net(SupernetSize(architecture), data: data)
    let trainer = try Trainer(
      net: net, plan: .fixed(architecture), data: data, options: options, seed: 1,
      teacher: Teacher(net: teacher, architecture: architecture, mode: .full))
    _ = try trainer.run(observe: { _ in })
    let result = try Evaluation(net, architecture: architecture, mode: .full, data: data)
    #expect(result.logits.largestPerRow().allSatisfy { $0 == 299 })
  }

  @Test func spaceOpensFromItsLargest() {
    let space = Tiny.space
    #expect(space.opened(0).largest == space.largest && space.opened(0).smallest == space.largest)
    #expect(space.opened(1) == space && space.opened(7) == space)
    #expect(space.opened(0.5).smallest.depth >= space.smallest.depth)
  }

  @Test func divergenceStopsWithItsStep() throws {
    let data = try Tiny.toySet(48, seed: 1)
    var options = Tiny.options(epochs: 20)
    options.warmUp = 0
    let net = Tiny.net(data: data)
    let trainer = try Trainer(net: net, plan: .fixed(Tiny.architecture), data: data, options: options, seed: 1)
    var seen = 0
    let error = try #require(
      quasarError {
        _ = try trainer.run(observe: { step in
          seen = step.step + 1
          guard seen == 4 else { return }
          // Weights that no learning rate in range leads to.
          for parameter in net.parameters where parameter.role != .scale {
            parameter.value.assign(
              Tensor([Float](repeating: 1e38, count: parameter.value.count), shape: parameter.value.shape))
          }
        })
      })
    #expect(error.kind == .badData && seen == 4)
    #expect(error.message.hasPrefix("training diverged at step \(seen): loss"), "\(error.message)")
    #expect(error.message.contains("lower the learning rate"))
  }

  @Test func refusesDataOfAnotherShape() throws {
    let colour = try Tiny.toySet(12, seed: 1, channels: 3)
    let net = Tiny.net(data: try Tiny.toySet(12, seed: 1))
    let error = try #require(
      quasarError {
        _ = try Trainer(
          net: net, plan: .fixed(Tiny.architecture), data: colour, options: Tiny.options(epochs: 1), seed: 1)
      })
    #expect(error.kind == .badData && error.message.contains("3×8×8"), "\(error.message)")
    #expect(throws: QuasarError.self) {
      try Evaluation(net, architecture: Tiny.architecture, mode: .full, data: colour)
    }
  }

  @Test func softmaxRegressionBeatsChance() throws {
    let (train, test) = (try Tiny.toySet(90, seed: 1), try Tiny.toySet(60, seed: 2))
    let accuracy = try SoftmaxRegression.accuracy(train: train, test: test, epochs: 30, seed: 1)
    #expect(accuracy > 0.8, "\(accuracy)")
    #expect(try SoftmaxRegression.accuracy(train: train, test: test, epochs: 30, seed: 1) == accuracy)
  }
}
