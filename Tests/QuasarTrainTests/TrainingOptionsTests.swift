import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarTrain

@Suite struct TrainingOptionsTests {
  @Test func defaultsAreValid() throws { try TrainingOptions().validate() }

  @Test func everyRangeIsChecked() {
    func noSubnets(_ options: inout TrainingOptions) {
      options.sandwich = false
      options.randomSubnets = 0
    }
    let changes: [(String, (inout TrainingOptions) -> Void)] = [
      ("epochs", { $0.epochs = 0 }), ("batch size", { $0.batchSize = 0 }),
      ("learning rate", { $0.learningRate = 0 }), ("learning rate", { $0.learningRate = .nan }),
      ("learning rate", { $0.learningRate = .infinity }), ("warm-up", { $0.warmUp = 1.5 }),
      ("exact", { $0.exact = 0.7 }), ("exact", { $0.exact = -0.1 }), ("exact", { $0.fullPrecision = .nan }),
      ("label smoothing", { $0.labelSmoothing = 1 }), ("random erasing", { $0.randomErasing = -1 }),
      ("drop-path", { $0.dropPath = 1 }), ("distillation", { $0.distillation = 2 }),
      ("shift", { $0.shift = -1 }), ("random sub-networks", { $0.randomSubnets = -1 }),
      ("sandwich", noSubnets), ("calibration percentile", { $0.calibrationPercentile = 50 }),
      ("calibration percentile", { $0.calibrationPercentile = 100.5 }),
      ("calibration percentile", { $0.calibrationPercentile = .nan }),
      ("oscillation threshold", { $0.oscillationThreshold = 1 }),
      ("oscillation threshold", { $0.oscillationThreshold = -0.1 }),
      ("oscillation momentum", { $0.oscillationMomentum = 0 }),
      ("oscillation momentum", { $0.oscillationMomentum = .nan }),
    ]
    for (says, change) in changes {
      var options = TrainingOptions()
      change(&options)
      let error = quasarError { try options.validate() }
      #expect(error?.kind == .usage, "\(says)")
      #expect(error?.message.contains(says) == true, "\(says): \(error?.message ?? "")")
    }
  }

  private func refused(_ change: (inout TrainingOptions) -> Void) -> String {
    var options = TrainingOptions()
    change(&options)
    let error = quasarError { try options.validate() }
    return error.map { $0.kind == .usage ? $0.message : "\($0.kind)" } ?? "accepted"
  }

  @Test func valuesOutsideTheirRangeAreNamed() {
    #expect(refused { _ in } == "accepted")
    for points in [[], [0.5, 0.5], [0.8, 0.3], [-0.1], [0.5, 1.1], [.nan]] {
      #expect(refused { $0.decayPoints = points }.contains("decay points"), "\(points)")
    }
    #expect(refused { $0.decayPoints = [0, 1] } == "accepted")
    for factor in [-0.1, 1.5, .nan] as [Float] {
      #expect(refused { $0.decayFactor = factor }.contains("decay factor"))
    }
    for scale in [0, 0.009, 1.01, .nan] {
      #expect(refused { $0.cropScale = scale }.contains("crop scale"))
    }
    #expect(refused { $0.cropScale = 0.01 } == "accepted")
    for number in [-1, 17] {
      #expect(refused { $0.randAugment = number }.contains("0 to 16 operations, not \(number)"))
    }
    for number in [-1, 31] { #expect(refused { $0.randAugmentMagnitude = number }.contains("0 to 30, not \(number)")) }
    for number in [0, -2, 3, 128] {
      #expect(refused { $0.repeats = number }.contains("64 is no multiple of \(number)"))
    }
    #expect(refused { $0.repeats = 64 } == "accepted")
    for decay in [-0.1, 1.1, .nan] as [Float] {
      #expect(refused { $0.optimizer.weightDecay = decay }.contains("weight decay"), "\(decay)")
    }
    for decay in [0, 1] as [Float] { #expect(refused { $0.optimizer.weightDecay = decay } == "accepted") }
  }
}
