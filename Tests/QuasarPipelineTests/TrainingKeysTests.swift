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
    ).train
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
    ("init: {file: a, mean: [0.5], deviation: [0]}", "keys.yaml:7: init.deviation", "1e-06"),
    ("init: deit.safetensors", "keys.yaml:7: init", "nested"),
    ("init: {file: a, scale: 1}", "keys.yaml:7: init.scale", "unknown"),
    ("teacher: [a]", "keys.yaml:7: teacher", "expected a text"),
    ("cache: {a: b}", "keys.yaml:7: cache", "expected a text"),
  ])
  func faultsOfSourcesHaveTheirLine(line: String, place: String, says: String) throws {
    do {
      _ = try configuration(line)
      Issue.record("\(line) is accepted")
    } catch let error as QuasarError {
      #expect(error.message.hasPrefix(place) && error.message.contains(says), "\(error.message)")
    }
  }

  @Test(arguments: [
    ("schedule: line", "keys.yaml:9: train.schedule", "cosine, step"),
    ("decay_points: [0.5, 1.5]", "keys.yaml:9: train.decay_points", "0.0 to 1.0"),
    ("decay_points: [0.5, 0.2]", "keys.yaml:", "rising order"),
    ("decay_factor: 3", "keys.yaml:9: train.decay_factor", "0.0 to 1.0"),
    ("crop_scale: 0", "keys.yaml:9: train.crop_scale", "0.01 to 1.0"),
    ("rand_augment: 17", "keys.yaml:9: train.rand_augment", "0 to 16"),
    ("rand_augment_magnitude: 31", "keys.yaml:9: train.rand_augment_magnitude", "0 to 30"),
    ("repeats: 0", "keys.yaml:9: train.repeats", "1 to 65536"), ("repeats: 5", "keys.yaml:", "48 is no multiple of 5"),
  ])
  func faultsHaveTheirLine(line: String, place: String, says: String) throws {
    do {
      _ = try options(line)
      Issue.record("\(line) is accepted")
    } catch let error as QuasarError {
      #expect(error.message.hasPrefix(place) && error.message.contains(says), "\(error.message)")
    }
  }
}
