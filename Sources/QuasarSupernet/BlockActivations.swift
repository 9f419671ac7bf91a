import CKernels
import QuasarAutograd
import QuasarTensor

/// The activations that a block's forward pass keeps for its backward pass.
final class BlockActivations: FusedOperation {
  private(set) var block: TrainingBlock
  let y: Tensor
  /// The codes of y in exact mode.
  let outputCodes: NDArray<Int16>?
  private let x: Tensor
  private let inputCodes: NDArray<Int16>?
  private var descriptor = qk_training_block()
  private var owners: [Any] = []
  /// The buffers that the forward pass writes in addition to y and its codes.
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

  /// Computes y and keeps what the backward pass reads, unless the block will be computed again then.
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
    // One allocation, so that it is also released as one.
    let memory = NDArray<Int8>(uninitialized: [place(nil)])
    buffers.append(memory)
    _ = place(UnsafeMutableRawPointer(memory.pointer))
    descriptor.x = UnsafePointer(x.pointer)
    descriptor.y = y.pointer
    fillExact()
  }

  /// Points the descriptor at the kept arrays, placed one after the other from `base`, and returns their bytes; nil
  /// only counts.
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
    // Products read codes in groups of four, so the last read may end up to 3 bytes beyond the codes.
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
    descriptor.norm1_step = block.norm1.step.value.pointer[0]
    descriptor.qkv_step = (q[0], q[1], q[2])
    descriptor.attention_step = block.attentionStep.value.pointer[0]
    descriptor.norm2_step = block.norm2.step.value.pointer[0]
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

  var parameters: [Parameter] { block.parameters }

  /// Adds the gradients of all parameters and returns that of x.
  func backward(_ gradient: NodeGradient) -> [NodeGradient?] {
    let g = gradient.value
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
    // The latent weight is read; the gradient is read and written.
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
    block.norm1.step.gradient.pointer[0] += out.norm1_step
    block.qkvStep.gradient.pointer[0] += out.qkv_step.0
    block.qkvStep.gradient.pointer[1] += out.qkv_step.1
    block.qkvStep.gradient.pointer[2] += out.qkv_step.2
    block.attentionStep.gradient.pointer[0] += out.attention_step
    block.norm2.step.gradient.pointer[0] += out.norm2_step
    block.hiddenInputStep.gradient.pointer[0] += out.hidden_input_step
    block.hiddenStep.gradient.pointer[0] += out.hidden_step
    return withExtendedLifetime((weights, biases, sums)) { [NodeGradient(gx)] }
  }
}
