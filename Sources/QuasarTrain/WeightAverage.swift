import CKernels
import QuasarAutograd
import QuasarTensor

/// An exponential moving average of all parameters: a ← d·a + (1 − d)·p after every update (Polyak & Juditsky 1992).
///
/// Early in a run d is (1 + t)/(10 + t) where that is smaller, so that the start is forgotten.
public final class WeightAverage {
  public let parameters: [Parameter]
  public let decay: Float
  /// Averages in the order of `parameters`.
  public let values: [Tensor]
  private let places: [ObjectIdentifier: Int]

  public init(_ parameters: [Parameter], decay: Float) {
    self.parameters = parameters
    self.decay = decay
    values = parameters.map { $0.value.copied() }
    places = Dictionary(uniqueKeysWithValues: parameters.enumerated().map { (ObjectIdentifier($1), $0) })
  }

  /// The average after update `step` (counted from 0). Example: decay 0.9, step 0 → d = 0.1.
  public func update(step: Int) {
    let d = min(decay, Float(1 + step) / Float(10 + step))
    for (parameter, value) in zip(parameters, values) {
      qk_average_step(value.count, d, parameter.value.pointer, value.pointer)
    }
  }

  /// The average of one of the parameters.
  public func value(of parameter: Parameter) -> Tensor {
    guard let place = places[ObjectIdentifier(parameter)] else {
      preconditionFailure("\(parameter.name) is not averaged here")
    }
    return values[place]
  }

  /// Runs `body` while the parameters hold their averages.
  public func whileApplied<Result>(_ body: () throws -> Result) rethrows -> Result {
    exchange()
    defer { exchange() }
    return try body()
  }

  private func exchange() {
    for (parameter, value) in zip(parameters, values) {
      let current = parameter.value.copied()
      parameter.value.assign(value)
      value.assign(current)
    }
  }
}
