import QuasarTensor

/// A named tensor that training changes, with the gradient of the current step.
public final class Parameter {
  /// The way in which the optimiser treats the values.
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
  /// Nil means zero: a gradient has memory from the first backward pass that adds to it until the update.
  private var sum: Tensor?
  /// Zero between steps; backward passes add to it.
  public var gradient: Tensor {
    if let sum { return sum }
    let zeros = Tensor(zeros: value.shape)
    sum = zeros
    return zeros
  }
  /// The gradient; nil if it is zero because nothing has been added to it.
  public var gradientSoFar: Tensor? { sum }

  /// Memory for a gradient that is still zero; the caller writes all of it.
  package func startGradient() -> Tensor {
    precondition(sum == nil, "\(name): has a gradient already")
    let fresh = Tensor(uninitialized: value.shape)
    sum = fresh
    return fresh
  }

  public init(name: String, role: Role, value: Tensor) {
    self.name = name
    self.role = role
    self.value = value
  }

  public func clearGradient() {
    sum = nil
  }

  /// The gradient so far, nil for zero; the parameter starts at zero again.
  public func takeGradient() -> Tensor? {
    defer { sum = nil }
    return sum
  }

  /// Adds a gradient that was computed elsewhere and that nothing else uses; the first one is kept as it is.
  public func addGradient(consuming other: Tensor) {
    precondition(other.count == value.count, "\(name): gradient \(other.shape) for \(value.shape)")
    if let sum { sum.accumulate(other) } else { sum = other.reshaped(value.shape) }
  }
}
