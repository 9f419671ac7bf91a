import CKernels
import QuasarTensor

/// A linear layer on integer products: the codes of this step, and the slices that take its gradients.
public struct TrainingLayer {
  public var descriptor: qk_training_linear
  /// What the pointers of the descriptor belong to.
  public var owners: [Any]
  /// The same for those that the forward pass alone reads.
  public var forwardOwners: [Any]
  public var weight: WeightSlice
  public var bias: WeightSlice

  public init(
    descriptor: qk_training_linear, owners: [Any], forwardOwners: [Any], weight: WeightSlice, bias: WeightSlice
  ) {
    self.descriptor = descriptor
    self.owners = owners
    self.forwardOwners = forwardOwners
    self.weight = weight
    self.bias = bias
  }

  /// Gives up what the forward pass alone reads.
  mutating func releaseForward() {
    forwardOwners = []
    descriptor.weights = nil
    descriptor.constants = nil
    descriptor.bias = nil
    descriptor.requantisers = nil
  }
}

/// The integers that replace the float functions of a block.
public struct ExactTrainingBlock {
  public var norm1: qk_layer_norm_arguments
  public var norm2: qk_layer_norm_arguments
  public var attention: qk_attention_arguments
  public var owners: [Any]
  public var residualStep: Float

  public init(
    norm1: qk_layer_norm_arguments, norm2: qk_layer_norm_arguments, attention: qk_attention_arguments,
    owners: [Any], residualStep: Float
  ) {
    self.norm1 = norm1
    self.norm2 = norm2
    self.attention = attention
    self.owners = owners
    self.residualStep = residualStep
  }
}

/// One transformer block whose products run on the integer kernels, forward and backward (`qk_training_block`).
public struct TrainingBlock {
  /// Sizes that the kernels take: widths are multiples of 8, at most 256 tokens and heads of 64.
  public static func supports(_ shape: AttentionShape, width: Int, hidden: Int) -> Bool {
    width % 8 == 0 && hidden % 8 == 0 && shape.headDimension % 8 == 0
      && shape.tokens <= Int(QK_TRAINING_MAX_TOKENS)
      && shape.headDimension <= Int(QK_TRAINING_MAX_HEAD)
  }

  public var name: String
  public var shape: AttentionShape
  public var width: Int
  public var hidden: Int
  public var activationBits: Int
  /// Codes of the gradients in the backward products of the four layers.
  public var gradientForm: qk_gradient_form
  public var norm1: (weight: Parameter, bias: Parameter)
  public var norm2: (weight: Parameter, bias: Parameter)
  public var gain1: Parameter
  public var gain2: Parameter
  public var norm1Step: Parameter
  public var qkvStep: Parameter
  public var attentionStep: Parameter
  public var norm2Step: Parameter
  public var hiddenInputStep: Parameter
  public var hiddenStep: Parameter
  public var hiddenZero: Int32
  /// GELU code of hidden input code + 128.
  public var hiddenTable: [UInt8]
  public var qkv: TrainingLayer
  public var projection: TrainingLayer
  public var expand: TrainingLayer
  public var contract: TrainingLayer
  /// Factor of each image's branch (drop-path), or nil.
  public var keep1: Tensor?
  public var keep2: Tensor?
  public var exact: ExactTrainingBlock?
  /// Keep only input and output, and compute the block again in the backward pass: the same bits in less memory.
  public var recomputed = false

  public init(
    name: String, shape: AttentionShape, width: Int, hidden: Int, activationBits: Int, gradientForm: qk_gradient_form,
    norm1: (weight: Parameter, bias: Parameter), norm2: (weight: Parameter, bias: Parameter), gain1: Parameter,
    gain2: Parameter, norm1Step: Parameter, qkvStep: Parameter, attentionStep: Parameter, norm2Step: Parameter,
    hiddenInputStep: Parameter, hiddenStep: Parameter, hiddenZero: Int32, hiddenTable: [UInt8], qkv: TrainingLayer,
    projection: TrainingLayer, expand: TrainingLayer, contract: TrainingLayer
  ) {
    self.name = name
    self.shape = shape
    self.width = width
    self.hidden = hidden
    self.activationBits = activationBits
    self.gradientForm = gradientForm
    self.norm1 = norm1
    self.norm2 = norm2
    self.gain1 = gain1
    self.gain2 = gain2
    self.norm1Step = norm1Step
    self.qkvStep = qkvStep
    self.attentionStep = attentionStep
    self.norm2Step = norm2Step
    self.hiddenInputStep = hiddenInputStep
    self.hiddenStep = hiddenStep
    self.hiddenZero = hiddenZero
    self.hiddenTable = hiddenTable
    self.qkv = qkv
    self.projection = projection
    self.expand = expand
    self.contract = contract
  }

  /// Everything that the backward pass gives a gradient.
  var parameters: [Parameter] {
    [qkv, projection, expand, contract].flatMap { $0.weight.parameters + $0.bias.parameters }
      + [
        norm1.weight, norm1.bias, norm2.weight, norm2.bias, gain1, gain2, norm1Step, qkvStep, attentionStep, norm2Step,
        hiddenInputStep, hiddenStep,
      ]
  }
}

extension Tape {
  /// y = block(x) for x [batch·tokens, width]; an exact block takes the codes of x too and gives those of y.
  public func trainingBlock(_ x: Variable, codes: NDArray<Int16>? = nil, _ block: TrainingBlock) throws -> (
    Variable, NDArray<Int16>?
  ) {
    precondition(
      x.value.count == block.shape.batch * block.shape.tokens * block.width,
      "\(block.name): input \(x.shape) for \(block.shape) of width \(block.width)")
    precondition((codes == nil) == (block.exact == nil), "\(block.name): codes of the input belong to exact mode")
    let activations = BlockActivations(block, x: x.value, codes: codes)
    try activations.forward(keeping: recording && !block.recomputed)
    let y = append(
      .trainingBlock(x: x.index, activations), activations.y.reshaped(x.shape), needsGradient: recording)
    return (y, activations.outputCodes)
  }
}

/// What a block's forward pass leaves for its backward pass.
final class BlockActivations {
  private(set) var block: TrainingBlock
  let y: Tensor
  /// Codes of y in exact mode.
  let outputCodes: NDArray<Int16>?
  private let x: Tensor
  private let inputCodes: NDArray<Int16>?
  private var descriptor = qk_training_block()
  private var owners: [Any] = []
  /// What the forward pass writes beside y and its codes.
  private var buffers: [Any] = []

  private var rows: Int { block.shape.batch * block.shape.tokens }
  private var inner: Int { block.shape.heads * block.shape.headDimension }

  init(_ block: TrainingBlock, x: Tensor, codes inputCodes: NDArray<Int16>?) {
    self.block = block
    self.x = x
    self.inputCodes = inputCodes
    let rows = block.shape.batch * block.shape.tokens
    y = Tensor(uninitialized: [rows, block.width])
    outputCodes = block.exact.map { _ in NDArray<Int16>(uninitialized: [rows, block.width]) }
    fillConstants()
  }

  /// Computes y; keeps what the backward pass reads, unless the block is to be computed again then.
  func forward(keeping: Bool) throws {
    try compute().check("\(block.name): forward pass")
    if !keeping {
      buffers = []
      return
    }
    block.qkv.releaseForward()
    block.projection.releaseForward()
    block.expand.releaseForward()
    block.contract.releaseForward()
    fillLayers()
  }

  private func compute() -> qk_status {
    allocate()
    return qk_training_block_forward(&descriptor)
  }

  private func allocate() {
    // In one piece, so that it comes back in one piece.
    let memory = NDArray<Int8>(uninitialized: [place(nil)])
    buffers.append(memory)
    _ = place(UnsafeMutableRawPointer(memory.pointer))
    descriptor.x = UnsafePointer(x.pointer)
    descriptor.y = y.pointer
    fillExact()
  }

  /// Points at the arrays that are kept, one behind the other from `base`, and returns their bytes; nil: counts only.
  private func place(_ base: UnsafeMutableRawPointer?) -> Int {
    var bytes = 0
    func take<Scalar>(_ count: Int, _ type: Scalar.Type) -> UnsafeMutablePointer<Scalar>? {
      defer { bytes += (count * MemoryLayout<Scalar>.stride + 63) / 64 * 64 }
      return (base.map { $0 + bytes })?.assumingMemoryBound(to: type)
    }
    descriptor.middle = take(rows * block.width, Float.self)
    descriptor.qkv_codes = take(rows * 3 * inner, Int8.self)
    descriptor.qkv_rest = take(rows * 3 * inner, Int8.self)
    descriptor.attention_codes = take(rows * inner, Int8.self)
    descriptor.attention_rest = take(rows * inner, Int8.self)
    descriptor.hidden_codes = take(rows * block.hidden, Int8.self)
    descriptor.hidden_rest = take(rows * block.hidden, Int8.self)
    // Products read codes by fours, the last of them beyond the end.
    descriptor.probabilities = take(rows * block.shape.heads * block.shape.tokens + 3, UInt8.self)
    return bytes
  }

  private func fillConstants() {
    descriptor.images = Int32(block.shape.batch)
    descriptor.tokens = Int32(block.shape.tokens)
    descriptor.width = Int32(block.width)
    descriptor.heads = Int32(block.shape.heads)
    descriptor.head_dimension = Int32(block.shape.headDimension)
    descriptor.hidden = Int32(block.hidden)
    descriptor.activation_bits = Int32(block.activationBits)
    descriptor.gradient_form = block.gradientForm
    descriptor.epsilon = 1e-5
    descriptor.norm1_weight = UnsafePointer(block.norm1.weight.value.pointer)
    descriptor.norm1_bias = UnsafePointer(block.norm1.bias.value.pointer)
    descriptor.norm2_weight = UnsafePointer(block.norm2.weight.value.pointer)
    descriptor.norm2_bias = UnsafePointer(block.norm2.bias.value.pointer)
    descriptor.gain1 = UnsafePointer(block.gain1.value.pointer)
    descriptor.gain2 = UnsafePointer(block.gain2.value.pointer)
    descriptor.keep1 = block.keep1.map { UnsafePointer($0.pointer) }
    descriptor.keep2 = block.keep2.map { UnsafePointer($0.pointer) }
    let q = block.qkvStep.value.pointer
    descriptor.norm1_step = block.norm1Step.value.pointer[0]
    descriptor.qkv_step = (q[0], q[1], q[2])
    descriptor.attention_step = block.attentionStep.value.pointer[0]
    descriptor.norm2_step = block.norm2Step.value.pointer[0]
    descriptor.hidden_input_step = block.hiddenInputStep.value.pointer[0]
    descriptor.hidden_step = block.hiddenStep.value.pointer[0]
    descriptor.hidden_zero = block.hiddenZero
    let table = StableArray(block.hiddenTable)
    owners.append(table)
    descriptor.hidden_table = UnsafePointer(table.pointer)
    fillLayers()
  }

  private func fillLayers() {
    descriptor.qkv = block.qkv.descriptor
    descriptor.projection = block.projection.descriptor
    descriptor.expand = block.expand.descriptor
    descriptor.contract = block.contract.descriptor
  }

  private func fillExact() {
    guard let exact = block.exact, let inputCodes, let outputCodes else { return }
    let middle = NDArray<Int16>(uninitialized: [rows, block.width])
    let descriptors = StableArray([
      qk_exact_block(
        norm1: exact.norm1, norm2: exact.norm2, attention: exact.attention, residual_step: exact.residualStep,
        input: UnsafePointer(inputCodes.pointer), middle: middle.pointer, output: outputCodes.pointer)
    ])
    buffers.append(middle)
    buffers.append(descriptors)
    descriptor.exact = UnsafePointer(descriptors.pointer)
  }

  /// Adds the gradients of all parameters and returns that of x.
  func backward(_ g: Tensor) -> Tensor {
    if buffers.isEmpty {
      precondition(compute() == QK_OK, "\(block.name): no memory to compute the block again")
    }
    defer { if block.recomputed { buffers = [] } }
    let gx = Tensor(uninitialized: g.shape)
    let layers = [block.qkv, block.projection, block.expand, block.contract]
    let weights = layers.map { Tensor(uninitialized: [$0.weight.rows.count, $0.weight.width]) }
    let biases = layers.map { Tensor(uninitialized: [$0.weight.rows.count]) }
    let vectors = [
      block.norm1.weight, block.norm1.bias, block.norm2.weight, block.norm2.bias, block.gain1, block.gain2,
    ]
    let sums = vectors.map { _ in Tensor(uninitialized: [block.width]) }
    precondition(layers[0].weight.rows.count == 3 * inner, "\(block.name): q, k and v need \(3 * inner) rows")
    var out = qk_training_gradients()
    (out.qkv_weight, out.projection_weight, out.expand_weight, out.contract_weight) = (
      weights[0].pointer, weights[1].pointer, weights[2].pointer, weights[3].pointer
    )
    (out.qkv_bias, out.projection_bias, out.expand_bias, out.contract_bias) = (
      biases[0].pointer, biases[1].pointer, biases[2].pointer, biases[3].pointer
    )
    (out.norm1_weight, out.norm1_bias, out.norm2_weight, out.norm2_bias, out.gain1, out.gain2) = (
      sums[0].pointer, sums[1].pointer, sums[2].pointer, sums[3].pointer, sums[4].pointer, sums[5].pointer
    )
    let status = qk_training_block_backward(&descriptor, g.pointer, gx.pointer, &out)
    // The forward pass has checked everything else.
    precondition(status == QK_OK, "\(block.name): no memory for the backward pass")
    // Latent weight, and the gradient read and written.
    let bytes = 12 * weights.reduce(0) { $0 + Double($1.count) }
    Profile.measure("gradients into slices", .memory, work: bytes) {
      for (layer, (weight, bias)) in zip(layers, zip(weights, biases)) {
        layer.weight.addGradient(weight, isOwn: true)
        layer.bias.addGradient(bias, isOwn: true)
      }
    }
    for (vector, sum) in zip(vectors, sums) {
      qk_accumulate(block.width, 1, sum.pointer, vector.gradient.pointer)
    }
    block.norm1Step.gradient.pointer[0] += out.norm1_step
    block.qkvStep.gradient.pointer[0] += out.qkv_step.0
    block.qkvStep.gradient.pointer[1] += out.qkv_step.1
    block.qkvStep.gradient.pointer[2] += out.qkv_step.2
    block.attentionStep.gradient.pointer[0] += out.attention_step
    block.norm2Step.gradient.pointer[0] += out.norm2_step
    block.hiddenInputStep.gradient.pointer[0] += out.hidden_input_step
    block.hiddenStep.gradient.pointer[0] += out.hidden_step
    return withExtendedLifetime((weights, biases, sums)) { gx }
  }
}
