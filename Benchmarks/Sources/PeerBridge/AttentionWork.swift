// Integer softmax attention as timed work.
import Quasar

final class AttentionWork: TimedWork {
  private let layer: IntegerAttention
  private let qkv: NDArray<Int8>
  private let batch: Int
  private let tokens: Int
  private var codes: NDArray<Int8>?

  init(layer: IntegerAttention, qkv: NDArray<Int8>, batch: Int, tokens: Int) {
    self.layer = layer
    self.qkv = qkv
    self.batch = batch
    self.tokens = tokens
  }

  override func run() throws {
    codes = nil
    codes = try layer.codes(qkv, batch: batch, tokens: tokens)
  }

  override func copyResult(to target: UnsafeMutableRawPointer, capacity: Int) -> Int {
    copy(codes, to: target, capacity: capacity)
  }
}

/// Attention over 8-bit codes [batch·tokens, 3·heads·headDimension] (all q, all k, all v), which are copied.
///
/// `step` is the real value of one code of q, k and v; one output code is worth a quarter of it.
@_cdecl("qpb_attention")
public func attention(
  _ batch: Int32, _ heads: Int32, _ tokens: Int32, _ headDimension: Int32, _ qkv: UnsafePointer<Int8>,
  _ step: Float
) -> UnsafeMutableRawPointer? {
  handle {
    let (batch, heads, tokens, headDimension) = (Int(batch), Int(heads), Int(tokens), Int(headDimension))
    guard batch > 0, heads > 0, tokens > 0, headDimension > 0 else {
      throw QuasarError(.usage, "attention of \(batch)×\(heads) heads, \(tokens)×\(headDimension): use sizes ≥ 1")
    }
    let layer = try IntegerAttention(
      name: "attention", heads: heads, headDimension: headDimension, activationBits: 8, queryStep: step,
      keyStep: step, valueStep: step, outputStep: step / 4)
    return AttentionWork(
      layer: layer, qkv: copied(qkv, [batch * tokens, 3 * heads * headDimension]), batch: batch, tokens: tokens)
  }
}
