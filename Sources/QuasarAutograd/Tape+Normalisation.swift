import CKernels
import QuasarTensor

// Forward functions: normalisation and losses.

extension Tape {
  /// (x − mean)/√(variance + epsilon) ⊙ weight + bias over the last axis (Ba et al. 2016).
  public func layerNorm(_ x: Variable, weight: Variable, bias: Variable, epsilon: Float = 1e-5) -> Variable {
    let width = x.value.width
    precondition(
      weight.value.count == width && bias.value.count == width,
      "layerNorm: weight \(weight.shape), bias \(bias.shape) for width \(width)")
    let out = Tensor(uninitialized: x.shape)
    let statistics = Tensor(uninitialized: [x.value.rowCount, 2])
    qk_float_layer_norm_forward(
      x.value.rowCount, width, x.value.pointer, weight.value.pointer, bias.value.pointer, epsilon,
      out.pointer, statistics.pointer)
    return append(
      .layerNorm(x: x.index, weight: weight.index, bias: bias.index, statistics: statistics), out,
      inputs: [x.index, weight.index, bias.index])
  }

  /// e^x / Σ e^x over the last axis.
  public func softmax(_ x: Variable) -> Variable {
    let out = Tensor(uninitialized: x.shape)
    qk_softmax_forward(x.value.rowCount, x.value.width, x.value.pointer, out.pointer)
    return append(.softmax(x.index), out, inputs: [x.index])
  }

  /// −(1/rows)·Σ targets·log softmax(logits), shape [1]. Targets are any non-negative weights (soft labels).
  public func crossEntropy(_ logits: Variable, targets: Tensor) -> Variable {
    precondition(targets.count == logits.value.count, "targets \(targets.shape) for \(logits.shape)")
    let rows = logits.value.rowCount
    let probabilities = Tensor(uninitialized: logits.shape)
    let losses = Tensor(uninitialized: [rows])
    qk_cross_entropy_forward(
      rows, logits.value.width, logits.value.pointer, targets.pointer, probabilities.pointer, losses.pointer)
    let out = Tensor(uninitialized: [1])
    let total = Tensor.withScratch(rows: rows, width: 1) { qk_sum(rows, losses.pointer, $0) }
    out.pointer[0] = total / Float(rows)
    return append(
      .crossEntropy(logits: logits.index, targets: targets, probabilities: probabilities), out,
      inputs: [logits.index])
  }
}
