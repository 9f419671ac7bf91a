import CKernels
import QuasarTensor

// Forward functions: slices of latent weights, fake quantisation, straight-through values.

extension Tape {
  /// The slice of a latent parameter, each row in its precision; see `WeightSlice`.
  ///
  /// Shape [rows, width]; a vector for the vector forms of `WeightSlice`. Gradients go straight to the latent
  /// parameter and, for quantised rows, to the learned steps (LSQ, Esser et al. 2020).
  public func slice(_ slice: WeightSlice) -> Variable {
    if slice.isWhole, slice.latent.value.shape.count <= 2, slice.bits.allSatisfy({ $0 == 32 }) {
      return parameter(slice.latent)
    }
    let out = Tensor(uninitialized: [slice.rows.count, slice.width])
    qk_weight_slice_forward(
      slice.rows.count, slice.width, slice.latent.value.pointer, slice.stride, slice.rows, slice.bits,
      slice.scale4?.value.pointer, slice.scale8?.value.pointer, slice.entanglement.sharing, out.pointer)
    let isVector = slice.isColumn || slice.latent.value.shape.count == 1
    return append(
      .weightSlice(slice), isVector ? out.reshaped([out.count]) : out, needsGradient: recording)
  }

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

  /// `value` in the forward pass, the gradient of x in the backward pass.
  public func straightThrough(_ x: Variable, value: Tensor) -> Variable {
    precondition(value.count == x.value.count, "straightThrough: \(value.shape) for \(x.shape)")
    return append(.straightThrough(x.index), value.reshaped(x.shape), inputs: [x.index])
  }
}

extension WeightSlice {
  /// Adds the gradient of the quantised slice to latent weights and steps: straight through inside the clamp, LSQ.
  ///
  /// `isOwn`: nobody else uses `g`, which may become the latent gradient.
  func addGradient(_ g: Tensor, isOwn: Bool) {
    let isFirst = latent.gradientSoFar == nil
    if isFirst {
      if isOwn, isWhole {
        latent.addGradient(consuming: g)
      } else {
        let others = otherRows
        qk_clear_rows(others.count, others, stride, latent.startGradient().pointer)
      }
    }
    qk_weight_slice_backward(
      rows.count, width, latent.value.pointer, stride, rows, bits, scale4?.value.pointer, scale8?.value.pointer,
      entanglement.sharing, g.pointer, isFirst ? 1 : 0, latent.gradient.pointer, scale4?.gradient.pointer,
      scale8?.gradient.pointer)
  }

  /// Rows of the latent matrix that the slice leaves out.
  private var otherRows: [Int32] {
    var isLeftOut = Array(repeating: true, count: latent.value.count / stride)
    for row in rows { isLeftOut[Int(row)] = false }
    return isLeftOut.indices.filter { isLeftOut[$0] }.map(Int32.init)
  }
}
