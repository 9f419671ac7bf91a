import Foundation
import QuasarInterchange
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarTrain

@Suite struct TrainingOptionsTests {
  @Test func defaultsAreValid() throws { try TrainingOptions().validate() }

  private func refused(_ change: (inout TrainingOptions) -> Void) -> String {
    var options = TrainingOptions()
    change(&options)
    let error = quasarError { try options.validate() }
    return error.map { $0.kind == .usage ? $0.message : "\($0.kind)" } ?? "accepted"
  }

  @Test func everyRangeIsChecked() {
    func noSubnets(_ options: inout TrainingOptions) {
      options.sandwich = false
      options.randomSubnets = 0
    }
    let changes: [(String, (inout TrainingOptions) -> Void)] = [
      ("epochs 0: must be a whole number from 1 to", { $0.epochs = 0 }), ("batch_size 0:", { $0.batchSize = 0 }),
      ("learning_rate 0:", { $0.learningRate = 0 }), ("learning_rate nan:", { $0.learningRate = .nan }),
      ("learning_rate inf:", { $0.learningRate = .infinity }), ("learning_rate 10.5:", { $0.learningRate = 10.5 }),
      ("warm_up 1.5: must be a number from 0 to 1", { $0.warmUp = 1.5 }),
      ("full_precision, exact: ", { $0.exact = 0.7 }), ("exact -0.1:", { $0.exact = -0.1 }),
      ("full_precision nan:", { $0.fullPrecision = .nan }),
      ("label_smoothing 1: must be a number from 0 to below 1", { $0.labelSmoothing = 1 }),
      ("random_erasing -1:", { $0.randomErasing = -1 }), ("drop_path 1:", { $0.dropPath = 1 }),
      ("distillation 2:", { $0.distillation = 2 }), ("shift -1:", { $0.shift = -1 }), ("shift 65:", { $0.shift = 65 }),
      ("random_subnets -1:", { $0.randomSubnets = -1 }), ("sandwich, random_subnets: ", noSubnets),
      ("calibration_percentile 50: must be 0 or a number from 90 to 100", { $0.calibrationPercentile = 50 }),
      ("calibration_percentile 100.5:", { $0.calibrationPercentile = 100.5 }),
      ("calibration_percentile nan:", { $0.calibrationPercentile = .nan }),
      ("oscillation_threshold 1:", { $0.oscillationThreshold = 1 }),
      ("oscillation_threshold -0.1:", { $0.oscillationThreshold = -0.1 }),
      ("oscillation_momentum 0:", { $0.oscillationMomentum = 0 }),
      ("oscillation_momentum nan:", { $0.oscillationMomentum = .nan }),
      ("beta1 1:", { $0.optimizer.beta1 = 1 }), ("clip_norm 0:", { $0.optimizer.clipNorm = 0 }),
    ]
    for (says, change) in changes {
      let message = refused(change)
      #expect(message.hasPrefix(says), "\(says): \(message)")
    }
  }

  @Test func valuesOutsideTheirRangeAreNamed() {
    #expect(refused { _ in } == "accepted")
    for points in [[], [0.5, 0.5], [0.8, 0.3]] {
      #expect(refused { $0.decayPoints = points }.hasPrefix("decay_points: decay points are"), "\(points)")
    }
    for points in [[-0.1], [0.5, 1.1], [.nan]] {
      #expect(refused { $0.decayPoints = points }.contains("must be a list with each item"), "\(points)")
    }
    #expect(refused { $0.decayPoints = [0, 1] } == "accepted")
    for factor in [-0.1, 1.5, .nan] as [Float] {
      #expect(refused { $0.decayFactor = factor }.hasPrefix("decay_factor"))
    }
    for scale in [0, 0.009, 1.01, .nan] {
      #expect(refused { $0.cropScale = scale }.hasPrefix("crop_scale"))
    }
    #expect(refused { $0.cropScale = 0.01 } == "accepted")
    for number in [-1, 17] {
      #expect(
        refused { $0.randAugment = number }.hasPrefix("rand_augment \(number): must be a whole number from 0 to 16"))
    }
    for number in [-1, 31] {
      #expect(refused { $0.randAugmentMagnitude = number }.hasSuffix("\(number): must be a whole number from 0 to 30"))
    }
    for number in [0, -2] { #expect(refused { $0.repeats = number }.hasPrefix("repeats \(number):")) }
    for number in [3, 128] {
      #expect(refused { $0.repeats = number }.contains("64 images are not a multiple of \(number) repeats"))
    }
    #expect(refused { $0.repeats = 64 } == "accepted")
    for decay in [-0.1, 1.1, .nan] as [Float] {
      #expect(refused { $0.optimizer.weightDecay = decay }.hasPrefix("weight_decay"), "\(decay)")
    }
    for decay in [0, 1] as [Float] { #expect(refused { $0.optimizer.weightDecay = decay } == "accepted") }
  }

  /// The object in checkpoints and run.json of version 0.1, byte for byte.
  private static let stored =
    #"{"accumulation":1,"average":0,"batchSize":64,"calibrationPercentile":0,"cropScale":1,"cutmix":0,"decayFactor":0.1,"#
    + #""decayPoints":[0.3,0.8],"distillation":0.3,"dropPath":0,"entanglement":"independent-steps","epochs":1,"#
    + #""exact":0,"flip":false,"fullPrecision":0.4,"gptqStart":false,"hardDistillation":false,"labelSmoothing":0.1,"#
    + #""layerScale":true,"learningRate":0.004,"mixup":0,"optimizer":{"beta1":0.9,"beta2":0.999,"clipNorm":1,"#
    + #""epsilon":1e-08,"rule":"adamw","stepFactor":0.5,"weightDecay":0.1},"oscillationMomentum":0.015,"#
    + #""oscillationThreshold":0.02,"products":"integer8","progressive":0,"randAugment":0,"randAugmentMagnitude":9,"#
    + #""randomErasing":0.25,"randomSubnets":1,"repeats":1,"sandwich":true,"schedule":"cosine","shift":3,"warmUp":0.1}"#

  private static var options: TrainingOptions {
    var options = TrainingOptions()
    options.epochs = 1
    options.warmUp = 0.1
    options.decayPoints = [0.3, 0.8]
    options.distillation = 0.3
    options.shift = 3
    options.flip = false
    options.optimizer.weightDecay = 0.1
    options.oscillationThreshold = 0.02
    options.oscillationMomentum = 0.015
    return options
  }

  @Test func theirJSONIsThatOfOldRuns() throws {
    #expect(try JSONText.encode(Self.options, pretty: false) == Self.stored)
    #expect(try JSONDecoder().decode(TrainingOptions.self, from: Data(Self.stored.utf8)) == Self.options)
    // Every stored property has a row, so every difference is seen.
    let properties = Mirror(reflecting: TrainingOptions()).children.compactMap(\.label).filter { $0 != "optimizer" }
    let inner = Mirror(reflecting: TrainingOptions().optimizer).children.compactMap(\.label).map { "optimizer.\($0)" }
    #expect(TrainingOptions.table.descriptions.map(\.stored).sorted() == (properties + inner).sorted())
  }

  @Test func oldOptionsAreCompleted() throws {
    let old = #"{"epochs":9,"optimizer":{"rule":"lamb"},"schedule":"step"}"#
    var expected = TrainingOptions()
    expected.epochs = 9
    expected.schedule = .step
    expected.optimizer.rule = .lamb
    #expect(try JSONDecoder().decode(TrainingOptions.self, from: Data(old.utf8)) == expected)
    for wrong in [#"{"epochs":"nine"}"#, #"{"schedule":"line"}"#, #"{"optimizer":3}"#] {
      #expect(throws: DecodingError.self, "\(wrong)") {
        try JSONDecoder().decode(TrainingOptions.self, from: Data(wrong.utf8))
      }
    }
  }
}
