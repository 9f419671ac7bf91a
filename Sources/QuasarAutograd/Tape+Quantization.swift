import CKernels
import QuasarTensor

// Forward functions: fake quantisation, straight-through values.

extension Tape {
  /// s·clamp(round(x/s), low, high) with one learned step per equal part of the last axis (LSQ).
  ///
  /// Example: s = 0.5, x = 1.3, limits −7…7 → 1.5.
  public func quantize(_ x: Variable, scales: Variable, low: Float, high: Float) -> Variable {
    let segments = scales.value.count
    precondition(
      segments > 0 && x.value.width % segments == 0,
      "quantize: width \(x.value.width) does not divide into \(segments) parts")
    let out = Tensor(uninitialized: x.shape)
    qk_quantize_forward(
      x.value.rowCount, x.value.width, segments, scales.value.pointer, low, high, x.value.pointer,
      out.pointer)
    return append(
      .quantize(x: x.index, scales: scales.index, low: low, high: high), out,
      inputs: [x.index, scales.index])
  }

  /// `value` in the forward pass; the gradient goes to x in the backward pass.
  public func straightThrough(_ x: Variable, value: Tensor) -> Variable {
    precondition(value.count == x.value.count, "straightThrough: \(value.shape) for \(x.shape)")
    return append(.straightThrough(x.index), value.reshaped(x.shape), inputs: [x.index])
  }
}
