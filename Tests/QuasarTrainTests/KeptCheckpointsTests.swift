import Foundation
import QuasarData
import QuasarNetwork
import QuasarSupernet
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarTrain

@Suite struct KeptCheckpointsTests {
  private func entry(_ step: Int, _ accuracy: Double?) -> KeptCheckpoints.Entry {
    KeptCheckpoints.Entry(step: step, accuracy: accuracy, isBest: false, isLast: false)
  }

  @Test func bestAndLastAreChosen() {
    let entries = [entry(30, 0.5), entry(10, 0.7), entry(20, 0.9), entry(40, 0.7), entry(50, nil)]
    let chosen = KeptCheckpoints(best: 2, last: 2).chosen(entries)
    // The earlier of the equal accuracies at steps 10 and 40 is better; 50 has none.
    #expect(chosen.map(\.step) == [10, 20, 40, 50])
    #expect(chosen.map(\.isBest) == [true, true, false, false])
    #expect(chosen.map(\.isLast) == [false, false, true, true])
    #expect(KeptCheckpoints(best: 0, last: 0).chosen(entries).isEmpty)
  }

  private func train(
    _ data: ImageSet, folder: String, kept: KeptCheckpoints, stopAfter: Int? = nil, resume: Bool = false,
    teacher: Teacher? = nil, sources: [String: String] = [:]
  ) throws {
    let directory = RunDirectory(folder)
    let checkpoint = resume ? try Checkpoint(contentsOf: directory.checkpointPath) : nil
    let net = checkpoint?.net ?? Tiny.net(SupernetSize(Tiny.space), data: data)
    let trainer = try Trainer(
      net: net, plan: .space(Tiny.space), data: data, options: Tiny.options(epochs: 5), seed: 5, teacher: teacher)
    try checkpoint?.restore(trainer)
    var options = SessionOptions()
    options.kept = kept
    options.evaluatedSubnets = 1
    let session = try TrainingSession(
      trainer: trainer, directory: directory, classNames: data.classNames, heldOut: data, options: options,
      sources: sources)
    try session.run(shouldStop: { stopAfter.map { trainer.step >= $0 } ?? false })
  }

  /// A stopped and resumed run keeps the same checkpoints as an uninterrupted one, and each is a run that can be
  /// loaded.
  @Test func aRunKeepsItsCheckpoints() throws {
    let data = try Tiny.toySet(48, seed: 1)
    try withTemporaryFolder { folder in
      let kept = KeptCheckpoints(best: 1, last: 2)
      try train(data, folder: "\(folder)/whole", kept: kept)
      let error = quasarError { try train(data, folder: "\(folder)/parts", kept: kept, stopAfter: 8) }
      #expect(error?.kind == .interrupted)
      try train(data, folder: "\(folder)/parts", kept: kept, resume: true)
      let whole = RunDirectory("\(folder)/whole")
      let entries = KeptCheckpoints.entries(in: whole)
      #expect(entries == KeptCheckpoints.entries(in: RunDirectory("\(folder)/parts")))
      // 3 steps per epoch, 5 epochs.
      #expect(entries.filter(\.isLast).map(\.step) == [12, 15] && entries.filter(\.isBest).count == 1)
      for entry in entries {
        #expect(try KeptCheckpoints.run(entry.step, in: whole).load().description.step == entry.step)
        let (a, b) = (
          try Data(contentsOf: URL(fileURLWithPath: "\(folder)/whole/kept/step-\(entry.step)/checkpoint.safetensors")),
          try Data(contentsOf: URL(fileURLWithPath: "\(folder)/parts/kept/step-\(entry.step)/checkpoint.safetensors"))
        )
        #expect(a == b, "step \(entry.step)")
      }
      let found = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/whole/kept").sorted()
      #expect(found == (["index.json"] + entries.map { "step-\($0.step)" }).sorted())
      #expect(Set(whole.log.read().compactMap(\.subnet)) == ["largest", "smallest", "random-1"])
    }
  }

  @Test func theConfigurationIsWrittenAndAnotherSetIsRefused() throws {
    let data = try Tiny.toySet(48, seed: 1)
    try withTemporaryFolder { folder in
      let run = "\(folder)/run"
      _ = quasarError {
        try train(data, folder: run, kept: KeptCheckpoints(), stopAfter: 4, sources: ["init": "weights.safetensors"])
      }
      let configuration = try #require(RunConfiguration.read(RunDirectory(run)))
      #expect(configuration.images.count == 48 && configuration.space == Tiny.space && configuration.seed == 5)
      #expect(configuration.sources == ["init": "weights.safetensors"])
      #expect(configuration.evaluated["random-1"].map(Tiny.space.contains) == true)
      let fewer = quasarError {
        try train(Tiny.toySet(45, seed: 1), folder: run, kept: KeptCheckpoints(), resume: true)
      }
      #expect(fewer?.kind == .usage && fewer?.message.contains("48 images") == true, "\(fewer?.message ?? "none")")
      let taught = quasarError {
        try train(data, folder: run, kept: KeptCheckpoints(), resume: true, sources: ["teacher": "other"])
      }
      #expect(taught?.message.contains("no teacher") == true, "\(taught?.message ?? "none")")
      try train(data, folder: run, kept: KeptCheckpoints(), resume: true)
    }
  }

  /// A teacher in fp32 changes the weights; a teacher with other classes is refused.
  @Test func aRunTeachesAnother() throws {
    let data = try Tiny.toySet(48, seed: 1)
    try withTemporaryFolder { folder in
      try train(data, folder: "\(folder)/teacher", kept: KeptCheckpoints())
      let teacher = try Teacher(RunDirectory("\(folder)/teacher").load())
      #expect(teacher.architecture == Tiny.space.largest && teacher.mode == .quantized)
      try train(data, folder: "\(folder)/taught", kept: KeptCheckpoints(), teacher: teacher)
      let runs = try ["teacher", "taught"].map {
        try Data(contentsOf: URL(fileURLWithPath: RunDirectory("\(folder)/\($0)").checkpointPath))
      }
      #expect(runs[0] != runs[1])
      var geometry = Tiny.geometry
      geometry.classes = 4
      let error = quasarError { try teacher.checkFits(geometry) }
      #expect(error?.kind == .badData && error?.message.contains("in 4 classes") == true)
    }
  }

  @Test func impossibleNumbersAreRefused() throws {
    func session(_ kept: KeptCheckpoints, hasAccuracy: Bool) throws -> QuasarError? {
      let data = try Tiny.toySet(12, seed: 1)
      let trainer = try Trainer(
        net: Tiny.net(SupernetSize(Tiny.space), data: data), plan: .space(Tiny.space), data: data,
        options: Tiny.options(epochs: 1, batch: 4), seed: 1)
      var options = SessionOptions()
      options.kept = kept
      return quasarError {
        _ = try TrainingSession(
          trainer: trainer, directory: RunDirectory("none"), classNames: data.classNames,
          heldOut: hasAccuracy ? data : nil, options: options)
      }
    }
    let best = try session(KeptCheckpoints(best: 1), hasAccuracy: false)
    #expect(best?.kind == .usage && best?.message.contains("keep_best: no best checkpoints can be kept") == true)
    let last = try session(KeptCheckpoints(last: -1), hasAccuracy: true)
    #expect(last?.kind == .usage && last?.message.hasPrefix("keep_last -1: must be a whole number from 0") == true)
    #expect(try session(KeptCheckpoints(last: 1), hasAccuracy: false) == nil)
    #expect(try session(KeptCheckpoints(best: 1), hasAccuracy: true) == nil)
  }
}
