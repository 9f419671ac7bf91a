import CKernels
import Foundation
import QuasarAutograd
import QuasarTensor

/// The rule by which a step follows from the moments of the gradient.
public enum OptimizerRule: String, Codable, CaseIterable, Sendable {
  /// AdamW: Loshchilov & Hutter 2019.
  case adamw
  /// LAMB: the direction of AdamW scaled to the size of each weight matrix, ‖p‖/‖direction‖ (You et al. 2020), for
  /// large batches. Vectors and quantiser steps move as with AdamW.
  case lamb
}

/// AdamW (Loshchilov & Hutter 2019) or LAMB over a fixed list of parameters.
///
/// Weights are decayed, vectors are not. Quantiser steps move relative to their size (the gradient of ln s is used), so
/// one learning rate serves steps of any magnitude and they stay positive.
public final class AdamW {
  public struct Settings: Codable, Sendable, Equatable {
    public var rule = OptimizerRule.adamw
    public var beta1: Float = 0.9
    public var beta2: Float = 0.999
    public var epsilon: Float = 1e-8
    public var weightDecay: Float = 0.05
    /// Learning rate of quantiser steps relative to that of the weights.
    public var stepFactor: Float = 0.5
    /// Largest norm of the whole gradient; larger ones are scaled down.
    public var clipNorm: Float = 1

    public init() {}
  }

  public let parameters: [Parameter]
  public let settings: Settings
  /// First and second moments, in the order of `parameters`.
  public private(set) var moments: [(first: Tensor, second: Tensor)]
  /// Number of steps taken.
  public var step = 0

  public init(_ parameters: [Parameter], settings: Settings = Settings()) {
    self.parameters = parameters
    self.settings = settings
    moments = parameters.map { (Tensor(zeros: $0.value.shape), Tensor(zeros: $0.value.shape)) }
  }

  /// ‖all gradients‖₂, summed in parameter order; steps enter with the gradient of ln s, g·s, as in the update.
  public func gradientNorm() -> Float {
    var total = 0.0
    for parameter in parameters {
      guard var gradient = parameter.gradientSoFar else { continue }
      let count = parameter.value.count
      if parameter.role == .scale {
        let relative = Tensor(uninitialized: [count])
        qk_multiply(count, gradient.pointer, parameter.value.pointer, relative.pointer)
        gradient = relative
      }
      let scratch = Tensor(uninitialized: [max(1, qk_scratch_floats(count, 1))])
      withExtendedLifetime((gradient, scratch)) {
        total += Double(qk_sum_of_squares(count, gradient.pointer, scratch.pointer))
      }
    }
    return Float(total.squareRoot())
  }

  /// Makes one update with the gradients of all parameters, clears the gradients and returns their norm.
  @discardableResult
  public func update(learningRate: Float) -> Float {
    // The gradient is read twice; value and both moments are read and written.
    let bytes = 32 * parameters.reduce(0) { $0 + Double($1.value.count) }
    return Profile.measure("optimiser", .memory, work: bytes) { step(learningRate) }
  }

  private func step(_ learningRate: Float) -> Float {
    step += 1
    let norm = gradientNorm()
    var kernel = qk_adamw_settings()
    kernel.beta1 = settings.beta1
    kernel.beta2 = settings.beta2
    kernel.epsilon = settings.epsilon
    kernel.correction1 = 1 - Float(pow(Double(settings.beta1), Double(step)))
    kernel.correction2 = 1 - Float(pow(Double(settings.beta2), Double(step)))
    kernel.gradient_factor = norm > settings.clipNorm ? settings.clipNorm / norm : 1
    for (parameter, moment) in zip(parameters, moments) {
      let isStep = parameter.role == .scale
      kernel.learning_rate = isStep ? learningRate * settings.stepFactor : learningRate
      kernel.decay = parameter.role == .weight ? settings.weightDecay : 0
      kernel.relative = isStep ? 1 : 0
      defer { parameter.clearGradient() }
      if settings.rule == .lamb, parameter.role == .weight {
        lambStep(parameter, moment, &kernel)
        continue
      }
      qk_adamw_step(
        parameter.value.count, &kernel, parameter.gradientSoFar?.pointer, parameter.value.pointer,
        moment.first.pointer, moment.second.pointer)
    }
    return norm
  }

  /// p ← p − lr·‖p‖/‖u‖·u with u the direction; the ratio is 1 where either norm is 0.
  private func lambStep(
    _ parameter: Parameter, _ moment: (first: Tensor, second: Tensor), _ kernel: inout qk_adamw_settings
  ) {
    let count = parameter.value.count
    let direction = Tensor(uninitialized: [count])
    let scratch = Tensor(uninitialized: [max(1, qk_scratch_floats(count, 1))])
    withExtendedLifetime((direction, scratch)) {
      qk_lamb_direction(
        count, &kernel, parameter.gradientSoFar?.pointer, parameter.value.pointer, moment.first.pointer,
        moment.second.pointer, direction.pointer)
      let size = qk_sum_of_squares(count, parameter.value.pointer, scratch.pointer).squareRoot()
      let length = qk_sum_of_squares(count, direction.pointer, scratch.pointer).squareRoot()
      let ratio = size > 0 && length > 0 ? size / length : 1
      qk_accumulate(count, -kernel.learning_rate * ratio, direction.pointer, parameter.value.pointer)
    }
  }
}
