import CKernels
import QuasarTensor

extension Tape {
  /// The gradient of every operation: one exhaustive switch.
  func propagate(_ node: Node, _ slot: NodeGradient, into gradients: inout Gradients) {
    let g = slot.value
    func value(_ index: NodeIndex) -> Tensor { nodes[index].value }
    func needs(_ index: NodeIndex) -> Bool { nodes[index].needsGradient }
    func give(_ index: NodeIndex, _ gradient: @autoclosure () -> Tensor) {
      if needs(index) { gradients.add(gradient(), to: index) }
    }
    /// Adds the node's own gradient, or a view of it: an array that several nodes may then hold.
    func pass(_ index: NodeIndex) {
      if needs(index) { gradients.add(g.reshaped(value(index).shape), isShared: true, to: index) }
    }

    switch node.operation {
    case .constant:
      break

    case .parameter(let parameter):
      if slot.isShared { parameter.gradient.accumulate(g) } else { parameter.addGradient(consuming: g) }

    case .product(let a, let b, let transposeA, let transposeB):
      // C = op(A)·op(B): d op(A) = G·op(B)ᵀ, d op(B) = op(A)ᵀ·G; a transposed operand gets the transpose.
      let (va, vb) = (value(a), value(b))
      give(
        a,
        transposeA
          ? matrixProduct(vb, g, transposeA: transposeB, transposeB: true)
          : matrixProduct(g, vb, transposeB: !transposeB))
      give(
        b,
        transposeB
          ? matrixProduct(g, va, transposeA: true, transposeB: transposeA)
          : matrixProduct(va, g, transposeA: !transposeA))

    case .linear(let x, let weight, let bias):
      give(x, matrixProduct(g, value(weight)).reshaped(value(x).shape))
      give(weight, matrixProduct(g, value(x), transposeA: true))
      if let bias { give(bias, g.columnSums()) }

    case .add(let a, let b):
      pass(a)
      pass(b)

    case .subtract(let a, let b):
      pass(a)
      give(b, g.scaled(by: -1))

    case .multiply(let a, let b):
      give(a, g.multiplied(by: value(b)))
      give(b, g.multiplied(by: value(a)))

    case .scale(let x, let factor):
      give(x, g.scaled(by: factor))

    case .addRow(let x, let row):
      pass(x)
      give(row, g.columnSums())

    case .multiplyRow(let x, let row):
      if needs(x) {
        let gx = Tensor(uninitialized: g.shape)
        qk_multiply_row(g.rowCount, g.width, g.pointer, value(row).pointer, gx.pointer)
        gradients.add(gx, to: x)
      }
      give(row, g.columnDots(value(x)))

    case .gelu(let x):
      let gx = Tensor(uninitialized: g.shape)
      qk_gelu_backward(g.count, value(x).pointer, g.pointer, gx.pointer)
      gradients.add(gx, to: x)

    case .sum(let x):
      give(x, Tensor(repeating: g.pointer[0], shape: value(x).shape))

    case .columnSums(let x):
      let gx = Tensor(zeros: value(x).shape)
      qk_add_row(gx.rowCount, gx.width, g.pointer, gx.pointer)
      gradients.add(gx, to: x)

    case .reshape(let x):
      pass(x)

    case .gatherRows(let x, let index):
      let gx = Tensor(zeros: value(x).shape)
      qk_scatter_add_rows(index.count, gx.width, g.pointer, index, gx.pointer, gx.width)
      gradients.add(gx, to: x)

    case .layerNorm(let x, let weight, let bias, let statistics):
      let vx = value(x)
      let gx = Tensor(uninitialized: vx.shape)
      let gweight = Tensor(uninitialized: [vx.width])
      let gbias = Tensor(uninitialized: [vx.width])
      Tensor.withScratch(rows: vx.rowCount, width: 2 * vx.width) {
        qk_float_layer_norm_backward(
          vx.rowCount, vx.width, vx.pointer, value(weight).pointer, statistics.pointer, g.pointer, $0, gx.pointer,
          gweight.pointer, gbias.pointer)
      }
      give(x, gx)
      give(weight, gweight)
      give(bias, gbias)

    case .softmax(let x):
      let gx = Tensor(uninitialized: g.shape)
      qk_softmax_backward(g.rowCount, g.width, node.value.pointer, g.pointer, gx.pointer)
      gradients.add(gx, to: x)

    case .crossEntropy(let logits, let targets, let probabilities):
      let gx = Tensor(uninitialized: probabilities.shape)
      qk_cross_entropy_backward(
        gx.rowCount, gx.width, probabilities.pointer, targets.pointer, g.pointer[0] / Float(gx.rowCount),
        gx.pointer)
      gradients.add(gx, to: logits)

    case .quantize(let x, let scales, let low, let high):
      let vs = value(scales)
      let gx = Tensor(uninitialized: g.shape)
      let gscales = Tensor(uninitialized: vs.shape)
      Tensor.withScratch(rows: g.rowCount, width: vs.count) {
        qk_quantize_backward(
          g.rowCount, g.width, vs.count, vs.pointer, low, high, value(x).pointer, g.pointer, $0, gx.pointer,
          gscales.pointer)
      }
      give(x, gx)
      give(scales, gscales)

    case .straightThrough(let x):
      pass(x)

    case .fused(let operation, let inputs):
      // Parameters receive their gradients whether or not an input needs one.
      for (input, gradient) in zip(inputs, operation.backward(slot)) where needs(input) {
        if let gradient { gradients.add(gradient.value, isShared: gradient.isShared, to: input) }
      }
    }
  }
}
