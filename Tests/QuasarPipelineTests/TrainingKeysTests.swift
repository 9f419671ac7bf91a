import QuasarNetwork
import QuasarTensor
import QuasarTrain
import Testing

@testable import QuasarPipeline

/// Keys of `train:` in a pipeline file.
@Suite struct TrainingKeysTests {
  private func options(_ train: String) throws -> TrainingOptions {
    try PipelineConfiguration(
      yaml: """
        name: keys
        data: embedded
        space: fashion-s
        device: pynq-z2
        targets_fps: [1000]
        seed: 1
        train:
          batch_size: 48
        \(train.split(separator: "\n").map { "  " + $0 }.joined(separator: "\n"))
        """, file: "keys.yaml"
    ).train.options
  }

  @Test func scheduleAndAugmentation() throws {
    let found = try options(
      """
      schedule: step
      decay_points: [0.3, 0.6, 0.9]
      decay_factor: 0.2
      crop_scale: 0.08
      rand_augment: 2
      rand_augment_magnitude: 11
      repeats: 3
      """)
    var expected = TrainingOptions()
    expected.batchSize = 48
    expected.schedule = .step
    expected.decayPoints = [0.3, 0.6, 0.9]
    expected.decayFactor = 0.2
    expected.cropScale = 0.08
    expected.randAugment = 2
    expected.randAugmentMagnitude = 11
    expected.repeats = 3
    #expect(found == expected)
    // Without the keys, everything that is new is off.
    let plain = try options("epochs: 20")
    #expect(plain.schedule == .cosine && plain.cropScale == 1 && plain.randAugment == 0 && plain.repeats == 1)
  }

  private func configuration(_ lines: String) throws -> PipelineConfiguration {
    try PipelineConfiguration(
      yaml: """
        name: keys
        data: folder:images
        space: cifar-s
        device: pynq-z2
        targets_fps: [1000]
        seed: 1
        \(lines)
        """, file: "keys.yaml")
  }

  @Test func startWeightsTeacherAndCache() throws {
    let found = try configuration(
      """
      init: {file: deit.safetensors, mean: [0.5, 0.5, 0.5], deviation: [0.25, 0.25, 0.5]}
      teacher: runs/large
      cache: images.cache
      """)
    #expect(found.initial?.file == "deit.safetensors")
    #expect(found.initial?.pixels?.mean == [0.5, 0.5, 0.5] && found.initial?.pixels?.deviation == [0.25, 0.25, 0.5])
    #expect(found.teacher == "runs/large" && found.cache == "images.cache")
    #expect(try configuration("init: {file: deit.safetensors}").initial == InitialWeights(file: "deit.safetensors"))
    let plain = try configuration("")
    #expect(plain.initial == nil && plain.teacher == nil && plain.cache == nil)
  }

  @Test(arguments: [
    ("init: {mean: [0.5]}", "keys.yaml:7: init.file", "missing"),
    ("init: {file: a, mean: [0.5]}", "keys.yaml:7: init.mean", "come together"),
    ("init: {file: a, mean: [0.5], deviation: [0]}", "keys.yaml:7: init.deviation", "from 1e-06 to 1"),
    ("init: deit.safetensors", "keys.yaml:7: init", "nested"),
    ("init: {file: a, scale: 1}", "keys.yaml:7: init.scale", "unknown"),
    ("teacher: [a]", "keys.yaml:7: teacher", "expected a text"),
    ("cache: {a: b}", "keys.yaml:7: cache", "expected a text"),
    ("skip_damaged: true", "keys.yaml:7: skip_damaged", "name its folder"),
    ("skip_damaged: 3", "keys.yaml:7: skip_damaged", "true or false"),
    ("clock_mhz: 0", "keys.yaml:7: clock_mhz", "from 1 to 2000"),
    ("speed: 1", "keys.yaml:7: speed", "unknown key; the keys here are name, data, cache"),
  ])
  func faultsOfSourcesHaveTheirLine(line: String, place: String, says: String) throws {
    let error = quasarError { _ = try configuration(line) }
    #expect(
      error?.message.hasPrefix(place) == true && error?.message.contains(says) == true,
      "\(error?.message ?? "accepted")")
  }

  @Test(arguments: [
    ("schedule: line", 9, "schedule", "one of cosine, step"),
    ("decay_points: [0.5, 1.5]", 9, "decay_points", "from 0 to 1"),
    ("decay_factor: 3", 9, "decay_factor", "from 0 to 1"), ("crop_scale: 0", 9, "crop_scale", "from 0.01 to 1"),
    ("rand_augment: 17", 9, "rand_augment", "from 0 to 16"),
    ("rand_augment_magnitude: 31", 9, "rand_augment_magnitude", "from 0 to 30"),
    ("repeats: 0", 9, "repeats", "from 1 to 65536"), ("shift: 100", 9, "shift", "from 0 to 64"),
    ("keep_last: -1", 9, "keep_last", "from 0 to 100000"),
    // Rules, at the last of their keys in the file.
    ("decay_points: [0.5, 0.2]", 9, "decay_points", "rising order, not [0.5, 0.2]"),
    ("decay_points: [0.5, 0.2]\nepochs: 3", 9, "decay_points", "rising order"),
    ("repeats: 5", 9, "repeats", "48 images are not a multiple of 5 repeats"),
    ("flip: true\nrepeats: 5\nepochs: 3", 10, "repeats", "48 images are not a multiple of 5 repeats"),
    ("exact: 0.5\nflip: true\nfull_precision: 0.7\nepochs: 3", 11, "full_precision", "0.7 + 0.5 is more"),
    ("exact: 0.75\nepochs: 3", 9, "exact", "0.4 + 0.75 is more"),
    ("random_subnets: 0\nsandwich: false\nepochs: 3", 10, "sandwich", "not 0"),
    ("sandwich: false\nrandom_subnets: 0", 10, "random_subnets", "not 0"),
  ])
  func faultsHaveTheirLine(lines: String, line: Int, key: String, says: String) throws {
    let error = quasarError { _ = try options(lines) }
    #expect(
      error?.kind == .badData && error?.message.hasPrefix("keys.yaml:\(line): train.\(key): ") == true
        && error?.message.contains(says) == true, "\(lines): \(error?.message ?? "accepted")")
  }

  @Test func whatASessionDoesHasKeys() throws {
    let found = try configuration(
      """
      train: {keep_best: 1, keep_last: 2, evaluate_subnets: 3, recompute: true}
      finetune: {keep_last: 4}
      """)
    #expect(found.train.session.kept == KeptCheckpoints(best: 1, last: 2))
    #expect(found.train.session.evaluatedSubnets == 3 && found.train.session.recomputes)
    #expect(found.finetune.session.kept == KeptCheckpoints(last: 4) && !found.finetune.session.recomputes)
    let error = quasarError { _ = try configuration("finetune:\n  epochs: 2\n  keep_best: 1\n  flip: true") }
    #expect(error?.message.hasPrefix("keys.yaml:9: finetune.keep_best: no best checkpoints") == true)
  }
}
