import QuasarTensor

/// A named tensor that training changes, with the gradient of the current step.
public final class Parameter {
  /// How the optimiser treats the values.
  public enum Role: String, Sendable {
    /// Matrices: decayed.
    case weight
    /// Vectors (biases, norms, layer scales, embeddings): not decayed.
    case vector
    /// Positive quantiser steps: updated relative to their size, never decayed.
    case scale
  }

  public let name: String
  public let role: Role
  public var value: Tensor
  /// Zero between steps; backward passes add to it.
  public private(set) lazy var gradient = Tensor(zeros: value.shape)

  public init(name: String, role: Role, value: Tensor) {
    self.name = name
    self.role = role
    self.value = value
  }

  public func clearGradient() {
    gradient.fill(0)
  }

  /// The gradient so far; the parameter starts again at zero.
  public func takeGradient() -> Tensor {
    defer { gradient = Tensor(zeros: value.shape) }
    return gradient
  }

  /// Adds a gradient that was computed elsewhere.
  public func addGradient(_ other: Tensor) {
    precondition(other.count == gradient.count, "\(name): gradient \(other.shape) for \(gradient.shape)")
    gradient.accumulate(other)
  }
}
