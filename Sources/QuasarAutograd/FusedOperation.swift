import QuasarTensor

/// A gradient on its way through a tape.
public struct NodeGradient {
  public var value: Tensor
  /// True when another node's gradient may use the same storage: then it is read, never written or kept.
  public var isShared: Bool

  public init(_ value: Tensor, isShared: Bool = false) {
    self.value = value
    self.isShared = isShared
  }
}

/// A differentiable operation whose forward and backward passes are written in another module.
///
/// The tape's own operations are generic and closed. Whatever a domain needs beyond them (slices of shared weights,
/// attention, whole blocks on integer products) joins by this protocol, in the one case `Operation.fused`.
public protocol FusedOperation {
  /// Parameters whose gradients `backward` adds itself.
  var parameters: [Parameter] { get }

  /// Gradients of the inputs, in the order in which `Tape.append` was given them; nil for those that get none.
  ///
  /// `gradient` is that of the output. Gradients of `parameters` are added to them on the way.
  func backward(_ gradient: NodeGradient) -> [NodeGradient?]
}

extension Tape {
  /// Records an operation of another module with the value that it has computed.
  ///
  /// It is kept for the backward pass only where an input needs a gradient or the operation has parameters.
  public func append(_ operation: some FusedOperation, _ value: Tensor, inputs: [Variable] = []) -> Variable {
    let indices = inputs.map(\.index)
    let needsGradient =
      recording && (!operation.parameters.isEmpty || indices.contains { nodes[$0].needsGradient })
    return append(
      needsGradient ? .fused(operation, inputs: indices) : .constant, value, needsGradient: needsGradient)
  }
}
