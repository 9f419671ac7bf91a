import QuasarTensor

/// A gradient during a backward walk over a tape.
public struct NodeGradient {
  public var value: Tensor
  /// True if another node's gradient may use the same storage; then it is only read, never written or kept.
  public var isShared: Bool

  public init(_ value: Tensor, isShared: Bool = false) {
    self.value = value
    self.isShared = isShared
  }
}

/// A differentiable operation whose forward and backward passes are written in another module.
///
/// The tape's own operations are generic and closed. An operation of a domain (a slice of shared weights, a whole block
/// on integer products) conforms to this protocol and joins as the one case `Operation.fused`.
public protocol FusedOperation {
  /// Parameters whose gradients `backward` adds itself.
  var parameters: [Parameter] { get }

  /// Gradients of the inputs, in the order in which `Tape.append` received them; nil for inputs without a gradient.
  ///
  /// `gradient` is the gradient of the output. The call also adds the gradients of `parameters` to them.
  func backward(_ gradient: NodeGradient) -> [NodeGradient?]
}

extension Tape {
  /// Records an operation of another module with the value that it has computed.
  ///
  /// The operation is kept for the backward pass only if an input needs a gradient or the operation has parameters.
  public func append(_ operation: some FusedOperation, _ value: Tensor, inputs: [Variable] = []) -> Variable {
    let indices = inputs.map(\.index)
    let needsGradient =
      recording && (!operation.parameters.isEmpty || indices.contains { nodes[$0].needsGradient })
    return append(
      needsGradient ? .fused(operation, inputs: indices) : .constant, value, needsGradient: needsGradient)
  }
}
