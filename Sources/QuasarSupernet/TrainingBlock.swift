import CKernels
import QuasarAutograd
import QuasarTensor

/// A linear layer on integer products: the codes of this step, and the slices that receive its gradients.
struct TrainingLayer {
  var descriptor: qk_training_linear
  /// Owners of the memory that the descriptor points to.
  var owners: [Any]
  /// Owners of the memory that only the forward pass reads.
  var forwardOwners: [Any]
  var weight: WeightSlice
  var bias: WeightSlice

  /// Releases the memory that only the forward pass reads.
  mutating func releaseForward() {
    forwardOwners = []
    descriptor.weights = nil
    descriptor.constants = nil
    descriptor.bias = nil
    descriptor.requantisers = nil
  }
}

/// The integers that replace the float functions of a block.
struct ExactTrainingBlock {
  var norm1: qk_layer_norm_arguments
  var norm2: qk_layer_norm_arguments
  var attention: qk_attention_arguments
  var owners: [Any]
  var residualStep: Float
}

/// LayerNorm and the quantiser after it, as parameters of a training block.
struct TrainingNorm {
  var weight: Parameter
  var bias: Parameter
  var step: Parameter
}

/// One transformer block whose products run on the integer kernels, forward and backward (`qk_training_block`).
///
/// Written by hand for speed; `TrainingBlockTests` compares it with the layers of the graph that it replaces.
struct TrainingBlock {
  /// True for sizes that the kernels support: widths divisible by 8, at most 256 tokens and heads of 64.
  static func supports(_ shape: AttentionShape, width: Int, hidden: Int) -> Bool {
    width % 8 == 0 && hidden % 8 == 0 && shape.headDimension % 8 == 0
      && shape.tokens <= Int(QK_TRAINING_MAX_TOKENS)
      && shape.headDimension <= Int(QK_TRAINING_MAX_HEAD)
  }

  var name: String
  var shape: AttentionShape
  var width: Int
  var hidden: Int
  var activationBits: Int
  /// The codes of the gradients in the backward products of the four layers.
  var gradientForm: qk_gradient_form
  var norm1: TrainingNorm
  var norm2: TrainingNorm
  var gain1: Parameter
  var gain2: Parameter
  var qkvStep: Parameter
  var attentionStep: Parameter
  var hiddenInputStep: Parameter
  var hiddenStep: Parameter
  var hiddenZero: Int32
  /// The GELU code at the index "hidden input code + 128".
  var hiddenTable: [UInt8]
  var qkv: TrainingLayer
  var projection: TrainingLayer
  var expand: TrainingLayer
  var contract: TrainingLayer
  /// The factor of each image's branch (drop-path), or nil.
  var keep1: Tensor?
  var keep2: Tensor?
  var exact: ExactTrainingBlock?
  /// Keeps only input and output and computes the block again in the backward pass: the same bits in less memory.
  var recomputed = false

  /// Every parameter that gets a gradient in the backward pass.
  var parameters: [Parameter] {
    [qkv, projection, expand, contract].flatMap { $0.weight.parameters + $0.bias.parameters }
      + [
        norm1.weight, norm1.bias, norm2.weight, norm2.bias, gain1, gain2, norm1.step, qkvStep, attentionStep,
        norm2.step, hiddenInputStep, hiddenStep,
      ]
  }
}

extension Tape {
  /// y = block(x) for x [batch·tokens, width]; an exact block also takes the codes of x and gives those of y.
  func trainingBlock(_ x: Variable, codes: NDArray<Int16>? = nil, _ block: TrainingBlock) throws -> (
    Variable, NDArray<Int16>?
  ) {
    precondition(
      x.value.count == block.shape.batch * block.shape.tokens * block.width,
      "\(block.name): input \(x.shape) for \(block.shape) of width \(block.width)")
    precondition((codes == nil) == (block.exact == nil), "\(block.name): codes of the input belong to exact mode")
    let activations = BlockActivations(block, x: x.value, codes: codes)
    try activations.forward(keeping: recording && !block.recomputed)
    let y = append(activations, activations.y.reshaped(x.shape), inputs: [x])
    return (y, activations.outputCodes)
  }
}
