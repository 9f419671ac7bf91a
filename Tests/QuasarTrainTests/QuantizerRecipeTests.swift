import CKernels
import Foundation
import QuasarAutograd
import QuasarData
import QuasarInterchange
import QuasarSupernet
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarTrain

/// Percentiles, compensated start and frozen weights in whole runs. The number of threads is process-wide.
@Suite(.serialized) struct QuantizerRecipeTests {
  private func train(
    _ plan: SubnetPlan, _ data: ImageSet, _ options: TrainingOptions, folder: String, stopAfter: Int? = nil,
    resume: Bool = false
  ) throws {
    let directory = RunDirectory(folder)
    let checkpoint = resume ? try Checkpoint(contentsOf: directory.checkpointPath) : nil
    let size: SupernetSize
    switch plan {
    case .space(let space): size = SupernetSize(space)
    case .fixed(let architecture): size = SupernetSize(architecture)
    }
    let trainer = try Trainer(
      net: checkpoint?.net ?? Tiny.net(size, data: data), plan: plan, data: data, options: options, seed: 5)
    try checkpoint?.restore(trainer)
    let session = try TrainingSession(trainer: trainer, directory: directory, classNames: data.classNames, heldOut: nil)
    try session.run(shouldStop: { stopAfter.map { trainer.step >= $0 } ?? false })
  }

  private func bytes(_ folder: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: RunDirectory(folder).checkpointPath))
  }

  /// 21 steps, the first 4 in fp32; one oscillation in ten updates freezes a weight.
  private func options(_ rule: OptimizerRule) -> TrainingOptions {
    var options = Tiny.options(epochs: 7)
    options.fullPrecision = 0.2
    options.exact = 0.2
    options.learningRate = 0.02
    options.average = 0.8
    options.optimizer.rule = rule
    options.calibrationPercentile = 99.5
    options.gptqStart = true
    options.oscillationThreshold = 0.09
    options.oscillationMomentum = 0.1
    return options
  }

  private static var plans: [SubnetPlan] { [.fixed(Tiny.architecture), .space(Tiny.space)] }

  /// Any number of threads; stopped before, at and after the switch, with weights frozen: the bytes of one run.
  @Test(arguments: [0, 1], [OptimizerRule.adamw, .lamb])
  func resumedRunsOnAnyNumberOfThreadsAreOneRun(plan: Int, rule: OptimizerRule) throws {
    let before = qk_thread_count()
    defer { qk_set_thread_count(Int32(before)) }
    let data = try Tiny.toySet(48, seed: 2)
    let (plan, options) = (Self.plans[plan], options(rule))
    try withTemporaryFolder { folder in
      qk_set_thread_count(1)
      try train(plan, data, options, folder: "\(folder)/whole")
      qk_set_thread_count(2)
      for (run, stop) in [3, 5, 6, 17].enumerated() {
        let part = "\(folder)/part\(stop)"
        let error = quasarError { try train(plan, data, options, folder: part, stopAfter: stop) }
        #expect(error?.kind == .interrupted)
        if run > 0 { #expect(try bytes(part) != bytes("\(folder)/whole")) }
        try train(plan, data, options, folder: part, resume: true)
        #expect(try bytes(part) == bytes("\(folder)/whole"), "stopped at \(stop)")
      }
      let entries = RunDirectory("\(folder)/whole").log.read()
      let last = try #require(entries.last)
      #expect(last.frozen.map { $0 > 0 && $0 < 0.9 } == true && last.oscillating != nil, "\(last)")
      try expectFrozenCodes(folder + "/whole", rule)
    }
  }

  /// Frozen weights, raw and averaged, have the code given in the checkpoint, in the precision of their row.
  private func expectFrozenCodes(_ folder: String, _ rule: OptimizerRule) throws {
    let file = try SafetensorsFile.read(RunDirectory(folder).checkpointPath)
    for prefix in ["", "average."] {
      var frozen = 0
      for layer in ["blocks.0.qkv", "blocks.0.projection", "blocks.0.expand", "blocks.0.contract", "head"] {
        let states: [Int8] = try file.values("oscillation.state.\(layer)")
        let codes: [Int8] = try file.values("oscillation.code.\(layer)")
        let weights: [Float] = try file.values("\(prefix)\(layer).weight")
        let steps: [[Float]] = try (layer == "head" ? ["step8"] : ["step4", "step8"])
          .map { try file.values("\(prefix)\(layer).\($0)") }
        let width = weights.count / steps[0].count
        for i in states.indices where states[i] == 2 {
          frozen += 1
          #expect(steps.contains { $0[i / width] * Float(codes[i]) == weights[i] }, "\(prefix)\(layer) \(i)")
        }
      }
      #expect(frozen > 0, "\(prefix) \(rule)")
    }
  }

  @Test func nothingIsKeptWhereNothingIsFollowed() throws {
    let data = try Tiny.toySet(48, seed: 2)
    try withTemporaryFolder { folder in
      try train(.fixed(Tiny.architecture), data, Tiny.options(epochs: 2), folder: folder)
      let file = try SafetensorsFile.read(RunDirectory(folder).checkpointPath)
      #expect(!file.names.contains { $0.hasPrefix("oscillation") })
      #expect(RunDirectory(folder).log.read().allSatisfy { $0.frozen == nil && $0.oscillating == nil })
    }
  }

  /// A step that moves nothing, so only calibration and the compensated codes remain.
  @Test func theSwitchStartsTheQuantisers() throws {
    let data = try Tiny.toySet(48, seed: 2)
    for (percentile, gptq) in [(0.0, false), (99.0, false), (0, true), (99, true)] {
      var options = Tiny.options(epochs: 1, batch: 48)
      options.fullPrecision = 0
      options.learningRate = 1e-9
      options.calibrationPercentile = percentile
      options.gptqStart = gptq
      let net = Tiny.net(data: data)
      let trainer = try Trainer(net: net, plan: .fixed(Tiny.architecture), data: data, options: options, seed: 1)
      _ = try trainer.run(observe: { _ in })
      let expected = Tiny.net(data: data)
      let batches = try Trainer.calibrationBatches(data, geometry: Tiny.geometry)
      try expected.calibrate(batches, architecture: Tiny.architecture, percentile: percentile)
      if gptq { try expected.startFromCompensatedCodes(batches, architecture: Tiny.architecture) }
      for (a, b) in zip(net.parameters, expected.parameters) {
        // One step moves w by at most δ = rate·(1 + |w|): Adam's first direction is at most 1, and decay adds less than
        // |w|. Rounding to the nearest float, of which w is one, adds at most another δ. The factor covers the
        // rounding of the step itself.
        for (i, (w, start)) in zip(a.value.scalars, b.value.scalars).enumerated() {
          let bound = 2 * Double(options.learningRate) * (1 + Double(abs(start))) * (1 + 1e-5)
          #expect(abs(Double(w) - Double(start)) <= bound, "\(a.name)[\(i)], \(percentile), \(gptq): \(w), \(start)")
        }
      }
    }
  }

  @Test func damagedStateIsNamed() throws {
    let data = try Tiny.toySet(48, seed: 2)
    var options = options(.adamw)
    options.epochs = 1
    try withTemporaryFolder { folder in
      try train(.fixed(Tiny.architecture), data, options, folder: folder)
      let path = RunDirectory(folder).checkpointPath
      let file = try SafetensorsFile.read(path)
      func error(_ name: String, _ tensor: RawTensor?) throws -> String {
        var copy = SafetensorsFile(metadata: file.metadata)
        for other in file.names where other != name { try copy.add(file.tensor(named: other), named: other) }
        if let tensor { try copy.add(tensor, named: name) }
        try copy.write(to: path)
        return quasarError { try train(.fixed(Tiny.architecture), data, options, folder: folder, resume: true) }?
          .message
          ?? "none"
      }
      let shape = [3, 16]
      func codes(_ value: Int8) throws -> RawTensor {
        try RawTensor([Int8](repeating: value, count: 48), shape: shape, name: "codes")
      }
      #expect(try error("oscillation.mean.head", nil).contains("“oscillation.mean.head”"))
      #expect(
        try error("oscillation.state.head", codes(3)).contains("oscillation.state.head holds a number outside -1…2"))
      #expect(try error("oscillation.code.head", codes(-128)).contains("oscillation.code.head holds a number outside"))
      let infinite = try RawTensor([Float](repeating: .infinity, count: 48), shape: shape, name: "frequency")
      #expect(try error("oscillation.frequency.head", infinite).contains("not finite"))
      #expect(try error("oscillation.code.head", codes(7)) == "none")
    }
  }
}
