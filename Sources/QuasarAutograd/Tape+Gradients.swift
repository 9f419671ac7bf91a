import CKernels
import QuasarTensor

extension Tape {
  /// The gradient of every operation: one exhaustive switch.
  func propagate(_ node: Node, _ slot: Gradients.Slot, into gradients: inout Gradients) {
    let g = slot.value
    func value(_ index: NodeIndex) -> Tensor { nodes[index].value }
    func needs(_ index: NodeIndex) -> Bool { nodes[index].needsGradient }
    func give(_ index: NodeIndex, _ gradient: @autoclosure () -> Tensor) {
      if needs(index) { gradients.add(gradient(), to: index) }
    }
    /// The node's own gradient, or a view of it: an array that several nodes may then hold.
    func pass(_ index: NodeIndex) {
      if needs(index) { gradients.add(g.reshaped(value(index).shape), isShared: true, to: index) }
    }

    switch node.operation {
    case .constant:
      break

    case .parameter(let parameter):
      if slot.isShared { parameter.gradient.accumulate(g) } else { parameter.addGradient(consuming: g) }

    case .weightSlice(let slice):
      slice.addGradient(g, isOwn: !slot.isShared)

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

    case .embed(let patches, let cls, let position):
      let vp = value(patches)
      let gx = Tensor(uninitialized: vp.shape)
      let gposition = Tensor(uninitialized: value(position).shape)
      qk_embed_backward(
        vp.shape[0], vp.shape[1], vp.shape[2], g.pointer, gx.pointer, gposition.pointer)
      give(patches, gx)
      give(cls, gposition.reshaped([gposition.count / vp.shape[2], vp.shape[2]]).rows(0..<1).copied())
      give(position, gposition)

    case .residual(let x, let branch, let gain, let keep):
      pass(x)
      let gbranch = Tensor(uninitialized: g.shape)
      let ggain = Tensor(uninitialized: [g.width])
      Tensor.withScratch(rows: g.rowCount, width: g.width) {
        qk_residual_backward(
          g.rowCount, g.width, g.shape[1], value(branch).pointer, value(gain).pointer, keep?.pointer, g.pointer, $0,
          gbranch.pointer, ggain.pointer)
      }
      give(branch, gbranch)
      give(gain, ggain)

    case .attention(let qkv, let shape, let probabilities):
      let gqkv = Tensor(uninitialized: value(qkv).shape)
      let status = qk_float_attention_backward(
        shape.batch, shape.tokens, shape.heads, shape.headDimension, value(qkv).pointer, shape.scoreScale,
        probabilities.pointer, g.pointer, gqkv.pointer)
      precondition(status == QK_OK, "attention of \(shape): status \(status.rawValue)")
      gradients.add(gqkv, to: qkv)

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

    case .trainingBlock(let x, let activations):
      // Parameters take their gradients whether or not the input needs one.
      let gx = activations.backward(g)
      give(x, gx)

    case .trainingPatches(let patches):
      patches.backward(g)
    }
  }
}
