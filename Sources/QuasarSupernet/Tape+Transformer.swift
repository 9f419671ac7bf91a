import CKernels
import QuasarAutograd
import QuasarTensor

// The float operations of a vision transformer as fused operations of the tape.

/// Sizes of one attention call.
public struct AttentionShape: Sendable, Equatable {
  public var batch: Int
  public var tokens: Int
  public var heads: Int
  public var headDimension: Int

  public init(batch: Int, tokens: Int, heads: Int, headDimension: Int) {
    self.batch = batch
    self.tokens = tokens
    self.heads = heads
    self.headDimension = headDimension
  }

  /// 1/√headDimension
  public var scoreScale: Float { 1 / Float(headDimension).squareRoot() }
}

extension Tape {
  /// [B, T, D] tokens from [B, T−1, D] patches: the class token goes first, and the position embedding [T, D] is added.
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
      TokenEmbedding(patches: patches.shape, position: position.shape), out, inputs: [patches, cls, position])
  }

  /// x + gain ⊙ branch·keep: layer scaling (Touvron et al. 2021) with drop-path.
  ///
  /// x, branch [B, T, D]; gain [D]; keep [B] holds 0 or 1/(1 − rate) per sample, nil for no drop-path.
  public func residual(_ x: Variable, branch: Variable, gain: Variable, keep: Tensor? = nil) -> Variable {
    precondition(x.shape == branch.shape && x.shape.count == 3, "residual: \(x.shape), \(branch.shape)")
    precondition(keep == nil || keep?.count == x.shape[0], "residual: keep must have one entry per sample")
    let out = Tensor(uninitialized: x.shape)
    qk_residual_forward(
      out.rowCount, out.width, x.shape[1], x.value.pointer, branch.value.pointer, gain.value.pointer,
      keep?.pointer, out.pointer)
    return append(
      ScaledResidual(branch: branch.value, gain: gain.value, keep: keep), out, inputs: [x, branch, gain])
  }

  /// softmax(q·kᵀ/√d)·v for all images and heads; qkv [B·T, 3·heads·d] → [B·T, heads·d].
  ///
  /// With `probabilityBits` A, e^(s−max) is rounded to A-bit codes before it is used, as in the integer unit. The
  /// backward pass goes straight through that rounding.
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
      SoftmaxAttention(qkv: qkv.value, shape: shape, probabilities: probabilities), out, inputs: [qkv])
  }
}

/// Gradients of patches, class token and positions.
private struct TokenEmbedding: FusedOperation {
  var patches: [Int]
  var position: [Int]
  var parameters: [Parameter] { [] }

  func backward(_ gradient: NodeGradient) -> [NodeGradient?] {
    let width = patches[2]
    let gpatches = Tensor(uninitialized: patches)
    let gposition = Tensor(uninitialized: position)
    qk_embed_backward(
      patches[0], patches[1], width, gradient.value.pointer, gpatches.pointer, gposition.pointer)
    let gcls = gposition.reshaped([gposition.count / width, width]).rows(0..<1).copied()
    return [NodeGradient(gpatches), NodeGradient(gcls), NodeGradient(gposition)]
  }
}

/// Gradients of stream, branch and gain.
private struct ScaledResidual: FusedOperation {
  var branch: Tensor
  var gain: Tensor
  var keep: Tensor?
  var parameters: [Parameter] { [] }

  func backward(_ gradient: NodeGradient) -> [NodeGradient?] {
    let g = gradient.value
    let gbranch = Tensor(uninitialized: g.shape)
    let ggain = Tensor(uninitialized: [g.width])
    Tensor.withScratch(rows: g.rowCount, width: g.width) {
      qk_residual_backward(
        g.rowCount, g.width, g.shape[1], branch.pointer, gain.pointer, keep?.pointer, g.pointer, $0, gbranch.pointer,
        ggain.pointer)
    }
    return [NodeGradient(g, isShared: true), NodeGradient(gbranch), NodeGradient(ggain)]
  }
}

/// Gradients of q, k and v.
private struct SoftmaxAttention: FusedOperation {
  var qkv: Tensor
  var shape: AttentionShape
  var probabilities: Tensor
  var parameters: [Parameter] { [] }

  func backward(_ gradient: NodeGradient) -> [NodeGradient?] {
    let gqkv = Tensor(uninitialized: qkv.shape)
    let status = qk_float_attention_backward(
      shape.batch, shape.tokens, shape.heads, shape.headDimension, qkv.pointer, shape.scoreScale,
      probabilities.pointer, gradient.value.pointer, gqkv.pointer)
    precondition(status == QK_OK, "attention of \(shape): status \(status.rawValue)")
    return [NodeGradient(gqkv)]
  }
}
