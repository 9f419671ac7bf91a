import CKernels
import QuasarTensor

// Forward functions: products, elementwise, reductions, indexing.

extension Tape {
  /// op(a)·op(b) for matrices; the inner sizes must agree.
  public func product(
    _ a: Variable, _ b: Variable, transposeA: Bool = false, transposeB: Bool = false
  ) -> Variable {
    append(
      .product(a: a.index, b: b.index, transposeA: transposeA, transposeB: transposeB),
      matrixProduct(a.value, b.value, transposeA: transposeA, transposeB: transposeB),
      inputs: [a.index, b.index])
  }

  /// x·weightᵀ + bias: x [..., K], weight [N, K], bias [N] → [..., N].
  public func linear(_ x: Variable, weight: Variable, bias: Variable?) -> Variable {
    let (m, n, k) = (x.value.rowCount, weight.value.rowCount, x.value.width)
    precondition(
      weight.value.width == k, "linear: input \(x.shape) and weight \(weight.shape) differ in their last size")
    precondition(bias.map { $0.value.count == n } ?? true, "linear: bias \(bias?.shape ?? []) for \(n) outputs")
    let y = Tensor(uninitialized: [m, n])
    let status = qk_linear(m, n, k, x.value.pointer, weight.value.pointer, bias?.value.pointer, y.pointer)
    precondition(status == QK_OK, "linear: input \(x.shape), weight \(weight.shape): status \(status.rawValue)")
    return append(
      .linear(x: x.index, weight: weight.index, bias: bias?.index),
      y.reshaped(x.shape.dropLast() + [y.width]),
      inputs: [x.index, weight.index] + (bias.map { [$0.index] } ?? []))
  }

  /// a + b for equal shapes.
  public func add(_ a: Variable, _ b: Variable) -> Variable {
    precondition(a.shape == b.shape, "add: \(a.shape) and \(b.shape) differ")
    return append(.add(a.index, b.index), a.value.adding(b.value), inputs: [a.index, b.index])
  }

  /// a − b for equal shapes.
  public func subtract(_ a: Variable, _ b: Variable) -> Variable {
    precondition(a.shape == b.shape, "subtract: \(a.shape) and \(b.shape) differ")
    let out = Tensor(uninitialized: a.shape)
    qk_subtract(out.count, a.value.pointer, b.value.pointer, out.pointer)
    return append(.subtract(a.index, b.index), out, inputs: [a.index, b.index])
  }

  /// a ⊙ b for equal shapes.
  public func multiply(_ a: Variable, _ b: Variable) -> Variable {
    precondition(a.shape == b.shape, "multiply: \(a.shape) and \(b.shape) differ")
    return append(
      .multiply(a.index, b.index), a.value.multiplied(by: b.value), inputs: [a.index, b.index])
  }

  /// factor·x
  public func scale(_ x: Variable, by factor: Float) -> Variable {
    append(.scale(x.index, factor: factor), x.value.scaled(by: factor), inputs: [x.index])
  }

  /// x[..., :] + row
  public func addRow(_ x: Variable, _ row: Variable) -> Variable {
    precondition(row.value.count == x.value.width, "addRow: \(row.shape) to \(x.shape)")
    let out = x.value.copied()
    qk_add_row(out.rowCount, out.width, row.value.pointer, out.pointer)
    return append(.addRow(x: x.index, row: row.index), out, inputs: [x.index, row.index])
  }

  /// x[..., :] ⊙ row
  public func multiplyRow(_ x: Variable, _ row: Variable) -> Variable {
    precondition(row.value.count == x.value.width, "multiplyRow: \(row.shape) to \(x.shape)")
    let out = Tensor(uninitialized: x.shape)
    qk_multiply_row(out.rowCount, out.width, x.value.pointer, row.value.pointer, out.pointer)
    return append(.multiplyRow(x: x.index, row: row.index), out, inputs: [x.index, row.index])
  }

  /// x·Φ(x) (Hendrycks & Gimpel 2016). Example: 1 → 0.8413.
  public func gelu(_ x: Variable) -> Variable {
    let out = Tensor(uninitialized: x.shape)
    qk_gelu_forward(out.count, x.value.pointer, out.pointer)
    return append(.gelu(x.index), out, inputs: [x.index])
  }

  /// Σ x, shape [1].
  public func sum(_ x: Variable) -> Variable {
    let out = Tensor(uninitialized: [1])
    out.pointer[0] = Tensor.withScratch(rows: x.value.count, width: 1) {
      qk_sum(x.value.count, x.value.pointer, $0)
    }
    return append(.sum(x.index), out, inputs: [x.index])
  }

  /// Σ x / count, shape [1].
  public func mean(_ x: Variable) -> Variable {
    scale(sum(x), by: 1 / Float(x.value.count))
  }

  /// Σ over all axes but the last: [..., width] → [width].
  public func columnSums(_ x: Variable) -> Variable {
    append(.columnSums(x.index), x.value.columnSums(), inputs: [x.index])
  }

  /// The same scalars in another shape; free.
  public func reshape(_ x: Variable, _ shape: [Int]) -> Variable {
    append(.reshape(x.index), x.value.reshaped(shape), inputs: [x.index])
  }

  /// out[i] = x[index[i]] over rows of [..., width].
  public func gatherRows(_ x: Variable, _ index: [Int32]) -> Variable {
    let rows = x.value.rowCount
    precondition(index.allSatisfy { $0 >= 0 && Int($0) < rows }, "row index outside 0..<\(rows)")
    let width = x.value.width
    let out = Tensor(uninitialized: [index.count, width])
    qk_gather_rows(index.count, width, x.value.pointer, width, index, out.pointer)
    return append(.gatherRows(x: x.index, index: index), out, inputs: [x.index])
  }
}
