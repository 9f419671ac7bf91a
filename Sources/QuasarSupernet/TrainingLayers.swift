import CKernels
import QuasarArithmetic
import QuasarTensor

// The integer layers of deployment as parts of a training block.

extension IntegerLinear {
  /// This layer in a training step; `weight` and `bias` receive its gradients.
  ///
  /// `rowSteps` are the values of one weight code, `realBias` the biases before they became codes.
  func trainingLayer(
    weight: WeightSlice, bias: WeightSlice, rowSteps: [Float], realBias: [Float]
  ) -> TrainingLayer {
    var descriptor = qk_training_linear()
    let steps = NDArray(rowSteps, shape: [rows])
    let biases = NDArray(realBias, shape: [rows])
    descriptor.rows = Int32(rows)
    descriptor.depth = Int32(depth)
    let forward = fill(&descriptor)
    descriptor.row_step = UnsafePointer(steps.pointer)
    descriptor.real_bias = UnsafePointer(biases.pointer)
    descriptor.codes = UnsafePointer(codes.pointer)
    return TrainingLayer(
      descriptor: descriptor, owners: [codes, steps, biases], forwardOwners: [forward], weight: weight, bias: bias)
  }
}

extension IntegerLayerNorm {
  /// The constants of this layer and the owners of their memory; the block fills in rows and buffers.
  func blockArguments() -> (qk_layer_norm_arguments, owners: [Any]) {
    let scales = StableArray(scales)
    let offsets = StableArray(offsets)
    var arguments = qk_layer_norm_arguments()
    arguments.epsilon_code = epsilonCode
    arguments.scales = UnsafePointer(scales.pointer)
    arguments.offsets = UnsafePointer(offsets.pointer)
    arguments.lo = range.low
    arguments.hi = range.high
    return (arguments, [scales, offsets])
  }
}

extension IntegerAttention {
  /// The constants of this layer and the owners of their memory; the block fills in sizes and buffers.
  func blockArguments() -> (qk_attention_arguments, owners: [Any]) {
    let table = StableArray(exponentTable)
    var arguments = qk_attention_arguments()
    arguments.score = score
    arguments.exponent_table = UnsafePointer(table.pointer)
    arguments.output_requantiser = output
    arguments.lo = range.low
    arguments.hi = range.high
    return (arguments, [table])
  }
}
