import Foundation
import QuasarAutograd
import QuasarTensor
import QuasarTestSupport
import QuasarTrain
import Testing

/// AdamW of one parameter in double precision, from Algorithm 2 of Loshchilov & Hutter.
private struct AdamWOracle {
  var role: Parameter.Role
  var value: [Double]
  var first: [Double]
  var second: [Double]

  init(_ parameter: Parameter) {
    role = parameter.role
    value = parameter.value.doubles
    first = value.map { _ in 0 }
    second = value.map { _ in 0 }
  }

  /// Gradient of ln s for quantiser steps, g·s; others unchanged.
  func effective(_ gradient: [Double]) -> [Double] {
    role == .scale ? zip(gradient, value).map { $0 * $1 } : gradient
  }

  mutating func update(_ gradient: [Double], _ s: AdamW.Settings, rate: Double, step: Int, factor: Double) {
    let (b1, b2) = (Double(s.beta1), Double(s.beta2))
    for (i, raw) in effective(gradient).enumerated() {
      let g = raw * factor
      first[i] = b1 * first[i] + (1 - b1) * g
      second[i] = b2 * second[i] + (1 - b2) * g * g
      let m = first[i] / (1 - pow(b1, Double(step)))
      let v = second[i] / (1 - pow(b2, Double(step)))
      let direction = m / (v.squareRoot() + Double(s.epsilon))
      switch role {
      case .weight: value[i] -= rate * (direction + Double(s.weightDecay) * value[i])
      case .vector: value[i] -= rate * direction
      case .scale: value[i] *= 1 - rate * Double(s.stepFactor) * direction
      }
    }
  }
}

@Suite struct AdamWTests {
  /// Makes eight steps with the given clip norm and compares every value after every step.
  ///
  /// Tolerance: a step rounds about ten times (relative 2^−24) a move of at most rate·√(1/(1 − β2)), and the bias
  /// corrections 1 − β^t lose up to 2^−24/(1 − β2) = 6e-5 of the move; the moves sum to 8·0.1.
  private func run(clip: Float, gradientSize: Float, scaleCount: Int) {
    var random = AwkwardValues(3)
    let parameters = [
      Parameter(name: "matrix", role: .weight, value: random.tensor([7, 13])),
      Parameter(name: "vector", role: .vector, value: random.tensor([5])),
      Parameter(name: "step", role: .scale, value: random.tensor([scaleCount], in: 0.2...0.3)),
    ]
    var settings = AdamW.Settings()
    settings.clipNorm = clip
    settings.weightDecay = 0.2
    let optimizer = AdamW(parameters, settings: settings)
    var oracles = parameters.map(AdamWOracle.init)
    for step in 1...8 {
      let gradients = parameters.map { random.tensor($0.value.shape, limit: gradientSize) }
      for (parameter, gradient) in zip(parameters, gradients) { parameter.gradient.assign(gradient) }
      let norm = zip(oracles, gradients)
        .reduce(0) { $0 + $1.0.effective($1.1.doubles).reduce(0) { $0 + $1 * $1 } }.squareRoot()
      let factor = norm > Double(clip) ? Double(clip) / norm : 1
      let reported = optimizer.update(learningRate: 0.1)
      #expect(abs(Double(reported) - norm) < 1e-4 * norm, "norm of step \(step)")
      for i in oracles.indices {
        oracles[i].update(gradients[i].doubles, settings, rate: 0.1, step: step, factor: factor)
        let wrong = difference(parameters[i].value.scalars, oracles[i].value, tolerance: 1e-4)
        #expect(wrong == nil, "\(parameters[i].name) after step \(step): \(wrong ?? "")")
        #expect(parameters[i].gradient.scalars.allSatisfy { $0 == 0 }, "the gradient is cleared")
      }
    }
    #expect(optimizer.step == 8)
  }

  /// A parameter without a gradient moves by its moments, with the bits of a gradient of zeros.
  @Test(arguments: [OptimizerRule.adamw, .lamb])
  func missingGradientsAreZero(rule: OptimizerRule) {
    var random = AwkwardValues(7)
    let values = [random.tensor([9, 11]), random.tensor([13]), random.tensor([3], in: 0.2...0.3)]
    let gradients = values.map { random.tensor($0.shape, limit: 1) }
    func moved(writingZeros: Bool) -> [[UInt32]] {
      let parameters = zip(values, [Parameter.Role.weight, .vector, .scale])
        .map { Parameter(name: "p", role: $1, value: $0.copied()) }
      var settings = AdamW.Settings()
      settings.rule = rule
      let optimizer = AdamW(parameters, settings: settings)
      for step in 0..<3 {
        for (parameter, gradient) in zip(parameters, gradients) where step == 0 { parameter.gradient.assign(gradient) }
        if writingZeros { for parameter in parameters { _ = parameter.gradient } }
        optimizer.update(learningRate: 0.1)
        #expect(parameters.allSatisfy { $0.gradientSoFar == nil })
      }
      return parameters.map { $0.value.scalars.map(\.bitPattern) }
    }
    #expect(moved(writingZeros: false) == moved(writingZeros: true))
  }

  @Test func withoutClipping() { run(clip: 1e6, gradientSize: 2, scaleCount: 1) }
  @Test func withClipping() { run(clip: 0.5, gradientSize: 20, scaleCount: 1) }

  /// The norm for clipping must be the norm of the gradients in use: √Σ (g·s)² for steps.
  @Test func normOfStepsOfOneSize() {
    let step = Parameter(name: "step", role: .scale, value: Tensor([0.5, 0.5], shape: [2]))
    step.gradient.assign(Tensor([6, 8], shape: [2]))
    let weight = Parameter(name: "weight", role: .weight, value: Tensor([1], shape: [1]))
    weight.gradient.assign(Tensor([12], shape: [1]))
    #expect(AdamW([step, weight]).gradientNorm() == 13)
  }

  @Test func onlyWeightsDecay() {
    for (role, expected) in [(Parameter.Role.weight, Float(0.9)), (.vector, 1), (.scale, 1)] {
      let p = Parameter(name: "p", role: role, value: Tensor([1], shape: [1]))
      var settings = AdamW.Settings()
      settings.weightDecay = 1
      AdamW([p], settings: settings).update(learningRate: 0.1)
      #expect(abs(p.value[flat: 0] - expected) < 1e-7, "\(role)")
    }
  }

  @Test func stepsStayPositive() {
    let p = Parameter(name: "p", role: .scale, value: Tensor([1e-3], shape: [1]))
    let optimizer = AdamW([p])
    for _ in 0..<200 {
      p.gradient.fill(1e6)
      optimizer.update(learningRate: 3)
      #expect(p.value[flat: 0] > 0 && p.value[flat: 0].isFinite)
    }
  }

  @Test func relativeUpdateDoesNotDependOnTheSize() {
    let ratios = [Float(1e-4), 1].map { size -> Float in
      let p = Parameter(name: "p", role: .scale, value: Tensor([size], shape: [1]))
      p.gradient.fill(1 / size)
      AdamW([p]).update(learningRate: 0.1)
      return p.value[flat: 0] / size
    }
    // 1 − 0.1·0.5
    #expect(abs(ratios[0] - 0.95) < 1e-5 && abs(ratios[1] - 0.95) < 1e-5)
  }
}

@Suite struct LAMBTests {
  /// First step: m̂ = g, v̂ = g², so the direction is sign(g) + decay·p; its length is scaled to that of the weights.
  @Test func firstStepMovesByTheTrustRatio() {
    let weight = Parameter(name: "w", role: .weight, value: Tensor([3, -4], shape: [1, 2]))
    let bias = Parameter(name: "b", role: .vector, value: Tensor([1], shape: [1]))
    var settings = AdamW.Settings()
    settings.rule = .lamb
    settings.weightDecay = 0
    settings.clipNorm = 1e9
    let optimizer = AdamW([weight, bias], settings: settings)
    weight.gradient.assign(Tensor([0.5, 2], shape: [1, 2]))
    bias.gradient.assign(Tensor([2], shape: [1]))
    optimizer.update(learningRate: 0.1)
    // ‖p‖ = 5, direction (1, 1): ratio 5/√2.
    let move = Float(0.1 * 5 / 2.0.squareRoot())
    for (found, expected) in zip(weight.value.scalars, [3 - move, -4 - move]) {
      #expect(abs(found - expected) < 1e-5)
    }
    #expect(abs(bias.value.scalars[0] - 0.9) < 1e-5 && weight.gradient.scalars == [0, 0])
  }

  @Test func averageFollowsItsRule() {
    let p = Parameter(name: "p", role: .vector, value: Tensor([1], shape: [1]))
    let average = WeightAverage([p], decay: 0.9)
    p.value.fill(2)
    average.update(step: 0)  // d = 1/10: 0.1·1 + 0.9·2
    #expect(abs(average.values[0].scalars[0] - 1.9) < 1e-6)
    average.update(step: 1000)  // d = 0.9: 0.9·1.9 + 0.1·2
    #expect(abs(average.values[0].scalars[0] - 1.91) < 1e-6)
    average.whileApplied { #expect(abs(p.value.scalars[0] - 1.91) < 1e-6) }
    #expect(p.value.scalars == [2])
  }
}
