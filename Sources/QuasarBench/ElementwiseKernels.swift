import CKernels
import Quasar

/// One kernel that is bound by memory, with its operands.
struct ElementwiseKernel {
  var name: String
  /// Bytes that one call reads and writes, each operand counted once.
  var bytes: Int
  var run: () throws -> Void

  /// A kernel by name; `make` builds its operands for rows × width elements.
  typealias Maker = (name: String, make: @Sendable (Int, Int) throws -> ElementwiseKernel)

  static let all: [Maker] = [
    ("integer-layer-norm", integerLayerNorm),
    ("layer-norm-forward", layerNormForward), ("layer-norm-backward", layerNormBackward),
    ("gelu-forward", geluForward), ("gelu-backward", geluBackward),
    ("softmax-forward", softmaxForward), ("softmax-backward", softmaxBackward),
    ("cross-entropy-forward", crossEntropyForward), ("cross-entropy-backward", crossEntropyBackward),
    ("quantize-forward", quantizeForward), ("quantize-backward", quantizeBackward),
    ("residual-forward", residualForward), ("residual-backward", residualBackward), ("add", add),
  ]

  private static func floats(_ rows: Int, _ width: Int, _ name: String) -> NDArray<Float> {
    BenchData.floats([rows, width], name)
  }

  private static func room(_ rows: Int, _ width: Int) -> NDArray<Float> { NDArray(zeros: [rows, width]) }

  private static func scratch(_ rows: Int, _ width: Int) -> NDArray<Float> {
    NDArray(zeros: [max(1, qk_scratch_floats(rows, width))])
  }

  private static func integerLayerNorm(_ rows: Int, _ width: Int) throws -> ElementwiseKernel {
    let stream = NDArray<Int16>(uninitialized: [rows, width])
    var random = RandomSource(seed: 1).generator("stream")
    for i in 0..<stream.count { stream.pointer[i] = Int16(random.below(4001) - 2000) }
    let norm = try IntegerLayerNorm(
      name: "bench", weight: Array(repeating: 1, count: width), bias: Array(repeating: 0.1, count: width),
      residualStep: 1 / 1024, outputStep: 3.0 / 127, range: .signedNarrow(bits: 8))
    return ElementwiseKernel(name: "integer-layer-norm", bytes: 3 * rows * width) { _ = try norm.codes(stream) }
  }

  private static func layerNormForward(_ rows: Int, _ width: Int) -> ElementwiseKernel {
    let (x, y, statistics) = (floats(rows, width, "x"), room(rows, width), room(rows, 2))
    let (weight, bias) = (floats(1, width, "weight"), floats(1, width, "bias"))
    return ElementwiseKernel(name: "layer-norm-forward", bytes: 8 * rows * (width + 1)) {
      qk_float_layer_norm_forward(
        rows, width, x.pointer, weight.pointer, bias.pointer, 1e-5, y.pointer, statistics.pointer)
    }
  }

  private static func layerNormBackward(_ rows: Int, _ width: Int) -> ElementwiseKernel {
    let (x, gy, gx) = (floats(rows, width, "x"), floats(rows, width, "gy"), room(rows, width))
    let (weight, statistics) = (floats(1, width, "weight"), NDArray<Float>(repeating: 1, shape: [rows, 2]))
    let (gweight, gbias, work) = (room(1, width), room(1, width), scratch(rows, 2 * width))
    return ElementwiseKernel(name: "layer-norm-backward", bytes: 12 * rows * width + 8 * rows) {
      qk_float_layer_norm_backward(
        rows, width, x.pointer, weight.pointer, statistics.pointer, gy.pointer, work.pointer, gx.pointer,
        gweight.pointer, gbias.pointer)
    }
  }

  private static func geluForward(_ rows: Int, _ width: Int) -> ElementwiseKernel {
    let (x, y) = (floats(rows, width, "x"), room(rows, width))
    return ElementwiseKernel(name: "gelu-forward", bytes: 8 * rows * width) {
      qk_gelu_forward(rows * width, x.pointer, y.pointer)
    }
  }

  private static func geluBackward(_ rows: Int, _ width: Int) -> ElementwiseKernel {
    let (x, gy, gx) = (floats(rows, width, "x"), floats(rows, width, "gy"), room(rows, width))
    return ElementwiseKernel(name: "gelu-backward", bytes: 12 * rows * width) {
      qk_gelu_backward(rows * width, x.pointer, gy.pointer, gx.pointer)
    }
  }

  private static func softmaxForward(_ rows: Int, _ width: Int) -> ElementwiseKernel {
    let (x, y) = (floats(rows, width, "x"), room(rows, width))
    return ElementwiseKernel(name: "softmax-forward", bytes: 8 * rows * width) {
      qk_softmax_forward(rows, width, x.pointer, y.pointer)
    }
  }

  private static func softmaxBackward(_ rows: Int, _ width: Int) -> ElementwiseKernel {
    let (y, gy, gx) = (
      NDArray<Float>(repeating: 1 / Float(width), shape: [rows, width]), floats(rows, width, "gy"), room(rows, width)
    )
    return ElementwiseKernel(name: "softmax-backward", bytes: 12 * rows * width) {
      qk_softmax_backward(rows, width, y.pointer, gy.pointer, gx.pointer)
    }
  }

  private static func crossEntropyForward(_ rows: Int, _ width: Int) -> ElementwiseKernel {
    let (x, target) = (floats(rows, width, "x"), NDArray<Float>(repeating: 1 / Float(width), shape: [rows, width]))
    let (probabilities, loss) = (room(rows, width), room(rows, 1))
    return ElementwiseKernel(name: "cross-entropy-forward", bytes: 12 * rows * width + 4 * rows) {
      qk_cross_entropy_forward(rows, width, x.pointer, target.pointer, probabilities.pointer, loss.pointer)
    }
  }

  private static func crossEntropyBackward(_ rows: Int, _ width: Int) -> ElementwiseKernel {
    let even = NDArray<Float>(repeating: 1 / Float(width), shape: [rows, width])
    let (target, gx) = (even.copied(), room(rows, width))
    return ElementwiseKernel(name: "cross-entropy-backward", bytes: 12 * rows * width) {
      qk_cross_entropy_backward(rows, width, even.pointer, target.pointer, 1 / Float(rows), gx.pointer)
    }
  }

  private static func quantizeForward(_ rows: Int, _ width: Int) -> ElementwiseKernel {
    let (x, y, scales) = (floats(rows, width, "x"), room(rows, width), NDArray<Float>(repeating: 0.03, shape: [1]))
    return ElementwiseKernel(name: "quantize-forward", bytes: 8 * rows * width) {
      qk_quantize_forward(rows, width, 1, scales.pointer, -127, 127, x.pointer, y.pointer)
    }
  }

  private static func quantizeBackward(_ rows: Int, _ width: Int) -> ElementwiseKernel {
    let (x, gy, gx) = (floats(rows, width, "x"), floats(rows, width, "gy"), room(rows, width))
    let (scales, gscale) = (NDArray<Float>(repeating: 0.03, shape: [1]), room(1, 1))
    let work = scratch(rows, 1)
    return ElementwiseKernel(name: "quantize-backward", bytes: 12 * rows * width) {
      qk_quantize_backward(
        rows, width, 1, scales.pointer, -127, 127, x.pointer, gy.pointer, work.pointer, gx.pointer, gscale.pointer)
    }
  }

  private static func residualForward(_ rows: Int, _ width: Int) -> ElementwiseKernel {
    let (x, branch, y) = (floats(rows, width, "x"), floats(rows, width, "branch"), room(rows, width))
    let gain = floats(1, width, "gain")
    return ElementwiseKernel(name: "residual-forward", bytes: 12 * rows * width) {
      qk_residual_forward(rows, width, rows, x.pointer, branch.pointer, gain.pointer, nil, y.pointer)
    }
  }

  private static func residualBackward(_ rows: Int, _ width: Int) -> ElementwiseKernel {
    let (branch, gy, gbranch) = (floats(rows, width, "branch"), floats(rows, width, "gy"), room(rows, width))
    let (gain, ggain, work) = (floats(1, width, "gain"), room(1, width), scratch(rows, width))
    return ElementwiseKernel(name: "residual-backward", bytes: 12 * rows * width) {
      qk_residual_backward(
        rows, width, rows, branch.pointer, gain.pointer, nil, gy.pointer, work.pointer, gbranch.pointer, ggain.pointer)
    }
  }

  private static func add(_ rows: Int, _ width: Int) -> ElementwiseKernel {
    let (a, b, out) = (floats(rows, width, "a"), floats(rows, width, "b"), room(rows, width))
    return ElementwiseKernel(name: "add", bytes: 12 * rows * width) {
      qk_add(rows * width, a.pointer, b.pointer, out.pointer)
    }
  }
}
