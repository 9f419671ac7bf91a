import CKernels
import QuasarTensor

// Short names for the C loops, so that forward and backward files read like formulas.

extension Tensor {
  /// Gives `body` scratch memory for a reduction over `rows` rows to `width` sums; it is valid during the call.
  package static func withScratch<Result>(
    rows: Int, width: Int, _ body: (UnsafeMutablePointer<Float>) -> Result
  ) -> Result {
    let scratch = Tensor(uninitialized: [max(1, qk_scratch_floats(rows, width))])
    return withExtendedLifetime(scratch) { body(scratch.pointer) }
  }

  func adding(_ other: Tensor) -> Tensor {
    let out = Tensor(uninitialized: shape)
    qk_add(count, pointer, other.pointer, out.pointer)
    return out
  }

  func scaled(by factor: Float) -> Tensor {
    let out = Tensor(uninitialized: shape)
    qk_scale(count, factor, pointer, out.pointer)
    return out
  }

  func multiplied(by other: Tensor) -> Tensor {
    let out = Tensor(uninitialized: shape)
    qk_multiply(count, pointer, other.pointer, out.pointer)
    return out
  }

  /// self += factor·other
  package func accumulate(_ other: Tensor, factor: Float = 1) {
    qk_accumulate(count, factor, other.pointer, pointer)
  }

  /// Σ over rows: [width].
  func columnSums() -> Tensor {
    let out = Tensor(uninitialized: [width])
    Tensor.withScratch(rows: rowCount, width: width) {
      qk_column_sums(rowCount, width, pointer, $0, out.pointer)
    }
    return out
  }

  /// Σ over rows of self ⊙ other: [width].
  func columnDots(_ other: Tensor) -> Tensor {
    let out = Tensor(uninitialized: [width])
    Tensor.withScratch(rows: rowCount, width: width) {
      qk_column_dots(rowCount, width, pointer, other.pointer, $0, out.pointer)
    }
    return out
  }
}

/// op(a)·op(b) for matrices.
func matrixProduct(_ a: Tensor, _ b: Tensor, transposeA: Bool = false, transposeB: Bool = false) -> Tensor {
  let m = transposeA ? a.width : a.rowCount
  let k = transposeA ? a.rowCount : a.width
  let n = transposeB ? b.rowCount : b.width
  precondition(
    (transposeB ? b.width : b.rowCount) == k, "product of \(a.shape) and \(b.shape): inner sizes differ")
  let out = Tensor(uninitialized: [m, n])
  let status = qk_sgemm(
    transposeA ? 1 : 0, transposeB ? 1 : 0, m, n, k, a.pointer, a.width, b.pointer, b.width, out.pointer, n)
  precondition(status == QK_OK, "product of \(a.shape) and \(b.shape): status \(status.rawValue)")
  return out
}
