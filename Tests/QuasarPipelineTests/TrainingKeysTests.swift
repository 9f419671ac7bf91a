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
