import Foundation
import QuasarTensor
import QuasarTrain
import Testing

@Suite struct LearningRateScheduleTests {
  @Test func workedValues() {
    let plain = LearningRateSchedule(peak: 1, warmUpSteps: 0, totalSteps: 100)
    let values: [(Int, Float)] = [
      (0, 1), (25, 0.853_553_4), (50, 0.5), (75, 0.146_446_6), (100, 0), (1000, 0),
    ]
    for (step, rate) in values {
      #expect(abs(plain.rate(at: step) - rate) < 1e-6, "step \(step)")
    }
  }

  @Test func warmUpIsLinearAndMeetsThePeak() {
    let schedule = LearningRateSchedule(peak: 0.8, floor: 0.2, warmUpSteps: 4, totalSteps: 24)
    let rates: [Float] = [0.2, 0.4, 0.6, 0.8, 0.8]
    for (step, rate) in rates.enumerated() { #expect(abs(schedule.rate(at: step) - rate) < 1e-6) }
    // Half of the cosine is the middle of floor and peak.
    #expect(abs(schedule.rate(at: 14) - 0.5) < 1e-6)
    #expect(abs(schedule.rate(at: 24) - 0.2) < 1e-6)
    for step in 4..<24 { #expect(schedule.rate(at: step + 1) < schedule.rate(at: step)) }
  }

  @Test func stepsComeExactlyAtTheirPoints() {
    let schedule = LearningRateSchedule(
      peak: 1, warmUpSteps: 10, totalSteps: 100, decay: .step, factor: 0.5, points: [0.25, 0.6, 0.85])
    let rates: [(Int, Float)] = [
      (0, 0.1), (9, 1), (10, 1), (24, 1), (25, 0.5), (59, 0.5), (60, 0.25), (84, 0.25), (85, 0.125), (99, 0.125),
      (100, 0.125),
    ]
    for (step, rate) in rates { #expect(schedule.rate(at: step) == rate, "step \(step)") }
    // A point k/n is passed at step k for every k and n, whatever k/n is in binary.
    for n in 1...60 {
      for k in 1...n {
        let one = LearningRateSchedule(
          peak: 1, warmUpSteps: 0, totalSteps: n, decay: .step, factor: 0.25, points: [Double(k) / Double(n)])
        #expect(one.rate(at: k - 1) == 1 && one.rate(at: k) == 0.25, "\(k)/\(n)")
      }
    }
    // Points inside the warm-up count from its end on.
    let early = LearningRateSchedule(
      peak: 1, warmUpSteps: 10, totalSteps: 100, decay: .step, factor: 0.1, points: [0.05, 0.5])
    #expect(early.rate(at: 9) == 1 && early.rate(at: 10) == 0.1 && abs(early.rate(at: 50) - 0.01) < 1e-9)
  }

  @Test func onlyWarmUp() {
    let schedule = LearningRateSchedule(peak: 1, warmUpSteps: 5, totalSteps: 5)
    #expect(schedule.rate(at: 4) == 1 && schedule.rate(at: 5) == 1 && schedule.rate(at: 6) == 0)
  }
}

@Suite struct TargetsTests {
  @Test func labelsAreOneHot() {
    #expect(Targets.labels([2, 0], classes: 3).scalars == [0, 0, 1, 1, 0, 0])
    #expect(Targets.labels([Int](), classes: 3).count == 0)
  }

  @Test func smoothingKeepsTheSum() {
    let t = Targets.labels([1, 3], classes: 4, smoothing: 0.2)
    #expect(t.shape == [2, 4])
    for (value, expected) in zip(t.scalars, [Float(0.05), 0.85, 0.05, 0.05, 0.05, 0.05, 0.05, 0.85]) {
      #expect(abs(value - expected) < 1e-7)
    }
  }

  @Test func argMaxTakesTheLowestOfTies() {
    let logits = Tensor([1, 3, 3, -1, -5, -1, 0, 0, 0, 1, 2, 9], shape: [4, 3])
    #expect(logits.largestPerRow() == [1, 0, 0, 2])
    #expect(Tensor([4, 5], shape: [2, 1]).largestPerRow() == [0, 0])
  }
}
