import QuasarTensor

/// Index of a node on its tape.
typealias NodeIndex = Int

/// Every differentiable operation. The enum is closed: a new case does not compile until its gradient is written.
///
/// A case holds the inputs and the values that the backward pass needs in addition to the values of inputs and output.
enum Operation {
  /// Data without a gradient.
  case constant
  /// The whole of a parameter.
  case parameter(Parameter)

  case product(a: NodeIndex, b: NodeIndex, transposeA: Bool, transposeB: Bool)
  case linear(x: NodeIndex, weight: NodeIndex, bias: NodeIndex?)

  case add(NodeIndex, NodeIndex)
  case subtract(NodeIndex, NodeIndex)
  case multiply(NodeIndex, NodeIndex)
  case scale(NodeIndex, factor: Float)
  case addRow(x: NodeIndex, row: NodeIndex)
  case multiplyRow(x: NodeIndex, row: NodeIndex)
  case gelu(NodeIndex)

  case sum(NodeIndex)
  case columnSums(NodeIndex)

  case reshape(NodeIndex)
  case gatherRows(x: NodeIndex, index: [Int32])

  case layerNorm(x: NodeIndex, weight: NodeIndex, bias: NodeIndex, statistics: Tensor)
  case softmax(NodeIndex)
  case crossEntropy(logits: NodeIndex, targets: Tensor, probabilities: Tensor)

  case quantize(x: NodeIndex, scales: NodeIndex, low: Float, high: Float)
  /// Another value in the forward pass, the identity in the backward pass.
  case straightThrough(NodeIndex)

  /// An operation defined by another module.
  case fused(any FusedOperation, inputs: [NodeIndex])

  /// The parameters to which the operation adds gradients itself.
  var parameters: [Parameter] {
    switch self {
    case .parameter(let parameter): return [parameter]
    case .fused(let operation, _): return operation.parameters
    default: return []
    }
  }
}
