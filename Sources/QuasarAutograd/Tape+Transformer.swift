import CKernels
import QuasarTensor

// Forward functions: normalisation, losses, attention, embedding, residual.

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

  /// [B, T, D] tokens from [B, T−1, D] patches: the class token in front, position embedding [T, D] added.
  public func embed(_ patches: Variable, cls: Variable, position: Variable) -> Variable {
    precondition(patches.shape.count == 3, "embed: patches must be [batch, patches, width]")
    let (batch, count, width) = (patches.shape[0], patches.shape[1], patches.shape[2])
    precondition(
      cls.value.count == width && position.value.count == (count + 1) * width,
      "embed: cls \(cls.shape), position \(position.shape) for patches \(patches.shape)")
    let out = Tensor(uninitialized: [batch, count + 1, width])
    qk_embed_forward(
      batch, count, width, patches.value.pointer, cls.value.pointer, position.value.pointer, out.pointer)
    return append(
      .embed(patches: patches.index, cls: cls.index, position: position.index), out,
      inputs: [patches.index, cls.index, position.index])
  }

  /// x + gain ⊙ branch·keep: layer scaling (Touvron et al. 2021) with drop-path.
  ///
  /// x, branch [B, T, D]; gain [D]; keep [B] holds 0 or 1/(1 − rate) per sample, nil for no drop-path.
  public func residual(_ x: Variable, branch: Variable, gain: Variable, keep: Tensor? = nil) -> Variable {
    precondition(x.shape == branch.shape && x.shape.count == 3, "residual: \(x.shape), \(branch.shape)")
    precondition(keep == nil || keep?.count == x.shape[0], "residual: keep must have one entry a sample")
    let out = Tensor(uninitialized: x.shape)
    qk_residual_forward(
      out.rowCount, out.width, x.shape[1], x.value.pointer, branch.value.pointer, gain.value.pointer,
      keep?.pointer, out.pointer)
    return append(
      .residual(x: x.index, branch: branch.index, gain: gain.index, keep: keep), out,
      inputs: [x.index, branch.index, gain.index])
  }

  /// softmax(q·kᵀ/√d)·v for all images and heads; qkv [B·T, 3·heads·d] → [B·T, heads·d].
  ///
  /// With `probabilityBits` A, e^(s−max) is rounded to A-bit codes before it is used, as the integer unit
  /// does; the backward pass goes straight through that rounding.
  public func attention(_ qkv: Variable, shape: AttentionShape, probabilityBits: Int? = nil) -> Variable {
    let inner = shape.heads * shape.headDimension
    let rows = shape.batch * shape.tokens
    precondition(qkv.value.count == rows * 3 * inner, "attention: \(qkv.shape) for \(shape)")
    let probabilities = Tensor(
      uninitialized: [shape.batch * shape.heads, shape.tokens, shape.tokens])
    let out = Tensor(uninitialized: [rows, inner])
    let status = qk_float_attention_forward(
      shape.batch, shape.tokens, shape.heads, shape.headDimension, qkv.value.pointer, shape.scoreScale,
      probabilityBits.map { Float((1 << $0) - 1) } ?? 0, probabilities.pointer, out.pointer)
    precondition(status == QK_OK, "attention of \(shape): status \(status.rawValue)")
    return append(
      .attention(qkv: qkv.index, shape: shape, probabilities: probabilities), out, inputs: [qkv.index])
  }
}
