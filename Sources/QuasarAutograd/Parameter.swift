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
}
