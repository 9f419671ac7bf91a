import CKernels
import QuasarAutograd
import QuasarQuant
import QuasarTensor

/// What the numbers between the layers are.
public enum ForwardMode: String, Codable, CaseIterable, Sendable {
  /// fp32 everywhere.
  case full
  /// Fake-quantised products, float non-linear functions.
  case quantized
  /// The very integers of deployment, dequantised; gradients as in `quantized` at those values.
  case exact
}

/// What multiplies the matrices of the blocks in `quantized` and `exact` mode.
public enum TrainingProducts: String, Codable, CaseIterable, Sendable {
  /// What is used unless something else is asked for: paired runs show no difference to 15-bit gradients (article Training).
  public static let standard = TrainingProducts.integer8

  /// Integer kernels: the accumulators of deployment forward, gradients as 15-bit codes backward.
  case integer
  /// The same with gradients as 8-bit codes, which take half the time.
  case integer8
  /// fp32 products of dequantised values, operation by operation.
  case float

  /// How the fused blocks round the gradients of their linear layers; nil without fused blocks.
  var gradientForm: qk_gradient_form? {
    switch self {
    case .integer: QK_GRADIENT_WORDS
    case .integer8: QK_GRADIENT_BYTES
    case .float: nil
    }
  }
}

/// A batch of images as pixel codes of patches.
public struct PatchBatch {
  /// [batch·patches, channels·patch²] u8 pixels.
  public let codes: NDArray<UInt8>
  public let batch: Int

  /// From planar images [batch, channels, size, size].
  public init(images: NDArray<UInt8>, geometry: ImageGeometry) {
    batch = images.shape[0]
    precondition(
      images.count == batch * geometry.channels * geometry.imageSize * geometry.imageSize,
      "images \(images.shape) for \(geometry)")
    codes = NDArray(uninitialized: [batch * geometry.patches, geometry.patchInputs])
    qk_patch_codes(
      batch, geometry.channels, geometry.imageSize, geometry.patchSize, images.pointer, codes.pointer)
  }
}

/// Logits of one forward pass.
public struct ForwardResult {
  /// [batch, classes]
  public let logits: Variable
  /// The int32 codes behind the logits in `exact` mode.
  public let logitCodes: NDArray<Int32>?
}

/// Multipliers of residual branches (0 or 1/(1 − rate) per image) by branch number 2·block and 2·block + 1.
public typealias DropPath = (_ branch: Int) -> Tensor?

extension Supernet {
  /// Logits of the sub-network `architecture` for a batch.
  ///
  /// With `recomputed`, quantised blocks are computed again in the backward pass instead of keeping their activations.
  /// Throws in `exact` mode when a layer cannot be expressed in integers (its name is in the message). The
  /// architecture must fit (`checkFits`).
  public func forward(
    _ tape: Tape, _ input: PatchBatch, architecture: Architecture, mode: ForwardMode,
    products: TrainingProducts = .standard, recomputed: Bool = false, dropPath: DropPath? = nil,
    recorder: (any ActivationObserver)? = nil
  ) throws -> ForwardResult {
    var pass = ForwardPass(
      tape: tape, net: self, architecture: architecture, mode: mode, products: products, recomputed: recomputed,
      batch: input.batch, recorder: recorder)
    return try Profile.measure("forward, other") { try pass.run(input, dropPath: dropPath) }
  }
}

/// One walk through the layers. In `exact` mode the integer layer runs beside the float layer and its codes
/// replace the float values, so the backward pass sees what deployment computes.
private struct ForwardPass {
  let tape: Tape
  let net: Supernet
  let architecture: Architecture
  let mode: ForwardMode
  let products: TrainingProducts
  let recomputed: Bool
  let batch: Int
  let recorder: (any ActivationObserver)?
  /// Residual stream codes [batch·tokens, width] in `exact` mode.
  var stream = NDArray<Int16>(uninitialized: [0])

  var geometry: ImageGeometry { architecture.geometry }
  var width: Int { architecture.embedDimension }
  var bits: Int { architecture.activationBits }
  var isExact: Bool { mode == .exact }

  mutating func run(_ input: PatchBatch, dropPath: DropPath?) throws -> ForwardResult {
    var x = try embed(input)
    var prepared: [TrainingBlock?] = []
    for i in architecture.blocks.indices {
      if prepared.isEmpty { prepared = try fusedBlocks(from: i, dropPath) }
      // Out of the list, so that its packed weights live no longer than the tape wants them.
      if let block = prepared.removeFirst() {
        let (y, codes) = try tape.trainingBlock(x, codes: isExact ? stream : nil, block)
        if let codes { stream = codes }
        x = y
      } else {
        x = try block(i, x, dropPath)
      }
    }
    return try classify(x)
  }

  // MARK: Layers

  private mutating func embed(_ input: PatchBatch) throws -> Variable {
    let form = TrainingPatches.supports(width: width) ? fusedForm : nil
    let integer = try isExact || form != nil ? integerEmbedding() : nil
    let embedded: Variable
    if let form, let integer {
      embedded = try tape.trainingPatches(
        input.codes, net.trainingPatches(architecture, integer.linear, form: form))
    } else {
      let pixels = Tensor(uninitialized: input.codes.shape)
      qk_pixels_to_float(
        input.codes.shape[0], input.codes.width, input.codes.pointer, net.pixelMeans, pixels.pointer)
      embedded = linear(tape.constant(pixels), net.patchEmbedding, net.embeddingSlice(architecture))
    }
    let position = tape.slice(
      WeightSlice(
        latent: net.position, rows: (0..<Int32(geometry.tokens)).map { $0 }, width: width,
        bits: Array(repeating: 32, count: geometry.tokens)))
    let cls = tape.slice(WeightSlice(prefix: width, of: net.classToken))
    let tokens = tape.embed(
      tape.reshape(embedded, [batch, geometry.patches, width]), cls: cls, position: position)
    recorder?.record("residual", tokens.value)
    guard isExact, let integer else { return tokens }
    stream = try integer.tokens(.unsigned(input.codes), batch: batch)
    return exactStream(tokens)
  }

  private func attentionShape(_ i: Int) -> AttentionShape {
    AttentionShape(
      batch: batch, tokens: geometry.tokens, heads: architecture.blocks[i].heads, headDimension: geometry.headDimension)
  }

  private func integerEmbedding() throws -> IntegerEmbedding {
    // Latent rows, codes, packed rows: 4 + 1 + 1 bytes a weight.
    try Profile.measure("weights to codes", .memory, work: 6 * Double(width * geometry.patchInputs)) {
      try net.integerEmbedding(architecture)
    }
  }

  /// The form of gradients of layers on integer products; a recorder wants to see every value.
  private var fusedForm: qk_gradient_form? { mode == .full || recorder != nil ? nil : products.gradientForm }

  /// The next blocks, one for each thread: those that run as one operation, their weights quantised and packed side by
  /// side, and nil for others.
  private func fusedBlocks(from first: Int, _ dropPath: DropPath?) throws -> [TrainingBlock?] {
    try parallelMap(min(Int(qk_thread_count()), architecture.depth - first)) { offset in
      let i = first + offset
      let shape = attentionShape(i)
      guard let form = fusedForm,
        TrainingBlock.supports(shape, width: width, hidden: architecture.hiddenWidth(i))
      else { return nil }
      // Latent rows, codes, packed rows, panels for the backward pass: 4 + 1 + 1 + 1 or 2 bytes a weight.
      let bytes = form == QK_GRADIENT_BYTES ? 7.0 : 8
      let weights = width * (4 * shape.heads * shape.headDimension + 2 * architecture.hiddenWidth(i))
      return try Profile.measure("weights to codes", .memory, work: bytes * Double(weights)) {
        var block = try net.trainingBlock(
          architecture, block: i, shape: shape, form: form, isExact: isExact, dropPath: dropPath)
        block.recomputed = recomputed
        return block
      }
    }
  }

  private mutating func block(_ i: Int, _ x: Variable, _ dropPath: DropPath?) throws -> Variable {
    let parameters = net.blocks[i]
    let slices = net.slices(architecture, block: i)
    let integer = isExact ? try net.integerBlock(architecture, block: i) : nil
    let range = CodeRange.signedNarrow(bits: bits)

    let normed = quantize(norm(x, parameters.norm1), parameters.norm1Step, bits: bits, range)
    let normedCodes = try integer?.norm1.codes(stream)
    let a = exact(normed, normedCodes, parameters.norm1Step)

    let qkv = quantize(linear(a, parameters.qkv, slices.qkv), parameters.qkvStep, bits: bits, range)
    let qkvCodes = try integer.map { try $0.qkv.codes(.signed(normedCodes.required), range: range) }
    let q = exact(qkv, qkvCodes, parameters.qkvStep)

    let shape = attentionShape(i)
    let mixed = quantize(
      tape.attention(q, shape: shape, probabilityBits: mode == .full ? nil : bits), parameters.attentionStep,
      bits: bits, range)
    let mixedCodes = try integer.map {
      try $0.attention.codes(qkvCodes.required, batch: batch, tokens: geometry.tokens)
    }
    let c = exact(mixed, mixedCodes, parameters.attentionStep)

    let projected = linear(c, parameters.projection, slices.projection)
    var y = residual(x, projected, parameters.gain1, dropPath?(2 * i))
    if let integer {
      stream = try integer.projection.residualCodes(.signed(mixedCodes.required), residual: stream)
      y = exactStream(y)
    }

    let normed2 = quantize(norm(y, parameters.norm2), parameters.norm2Step, bits: bits, range)
    let normed2Codes = try integer?.norm2.codes(stream)
    let m = exact(normed2, normed2Codes, parameters.norm2Step)

    let hiddenInput = quantize(
      linear(m, parameters.expand, slices.expand), parameters.hiddenInputStep, bits: 8, GELUTable.inputRange)
    let hiddenInputCodes = try integer.map {
      try $0.expand.codes(.signed(normed2Codes.required), range: GELUTable.inputRange)
    }
    let gelu = tape.gelu(exact(hiddenInput, hiddenInputCodes, parameters.hiddenInputStep, bits: 8))
    let step = parameters.hiddenStep.parameter(bits: bits).value.pointer[0]
    let quantizer = GELUQuantizer(step: step, bits: bits)
    var hidden = quantize(gelu, parameters.hiddenStep, bits: bits, quantizer.limits)
    let hiddenCodes = hiddenInputCodes.flatMap { codes in integer?.gelu.apply(codes) }
    if let hiddenCodes {
      let values = Tensor(uninitialized: hidden.shape)
      qk_dequantize_uint8(values.count, step, quantizer.zero, hiddenCodes.pointer, values.pointer)
      hidden = tape.straightThrough(hidden, value: values)
    }

    var z = residual(
      y, linear(hidden, parameters.contract, slices.contract), parameters.gain2, dropPath?(2 * i + 1))
    if let integer, let hiddenCodes {
      stream = try integer.contract.residualCodes(.unsigned(hiddenCodes), residual: stream)
      z = exactStream(z)
    }
    return z
  }

  /// Class token → final norm → 8-bit codes → head.
  private func classify(_ x: Variable) throws -> ForwardResult {
    let tokens = geometry.tokens
    let rows = tape.reshape(x, [batch * tokens, width])
    let classRows = tape.gatherRows(rows, (0..<Int32(batch)).map { $0 * Int32(tokens) })
    let normed = quantize(
      norm(classRows, net.finalNorm), net.headStep, bits: 8, .signedNarrow(bits: 8))
    guard isExact else {
      return ForwardResult(logits: headLinear(normed), logitCodes: nil)
    }
    let codes = try net.integerFinalNorm(architecture).codes(stream, rows: batch, stride: tokens * width)
    let logits = headLinear(exact(normed, codes, net.headStep, bits: 8))
    let head = try net.integerHead(architecture)
    let logitCodes = try head.linear.wideCodes(.signed(codes))
    let values = Tensor(uninitialized: logits.shape)
    qk_dequantize_int32(values.count, Float(head.step), logitCodes.pointer, values.pointer)
    return ForwardResult(logits: tape.straightThrough(logits, value: values), logitCodes: logitCodes)
  }

  private func headLinear(_ x: Variable) -> Variable {
    linear(x, net.head, net.edgeSlice(net.head, rows: geometry.classes, width: width))
  }

  // MARK: Pieces

  private func linear(_ x: Variable, _ parameters: LinearParameters, _ slice: LayerSlice) -> Variable {
    recorder?.recordInput(parameters.name, x.value)
    let weight = tape.slice(
      WeightSlice(
        latent: parameters.weight, scale4: parameters.scale4, scale8: parameters.scale8,
        entanglement: parameters.entanglement, rows: slice.rows,
        width: slice.width,
        bits: mode == .full ? Array(repeating: 32, count: slice.rows.count) : slice.bits))
    return tape.linear(
      x, weight: weight, bias: tape.slice(WeightSlice(entries: slice.rows, of: parameters.bias)))
  }

  private func norm(_ x: Variable, _ parameters: NormParameters) -> Variable {
    tape.layerNorm(
      x, weight: tape.slice(WeightSlice(prefix: width, of: parameters.weight)),
      bias: tape.slice(WeightSlice(prefix: width, of: parameters.bias)))
  }

  private func residual(_ x: Variable, _ branch: Variable, _ gain: Parameter, _ keep: Tensor?) -> Variable {
    let shape = [batch, geometry.tokens, width]
    let y = tape.residual(
      tape.reshape(x, shape), branch: tape.reshape(branch, shape),
      gain: tape.slice(WeightSlice(prefix: width, of: gain)), keep: keep)
    recorder?.record("residual", y.value)
    return y
  }

  private func quantize(_ x: Variable, _ steps: ActivationSteps, bits: Int, _ range: CodeRange) -> Variable {
    recorder?.record(steps.name, x.value)
    guard mode != .full else { return x }
    return tape.quantize(
      x, scales: tape.parameter(steps.parameter(bits: bits)), low: Float(range.low), high: Float(range.high))
  }

  /// The dequantised codes in place of the float value; x itself where there are no codes.
  private func exact(
    _ x: Variable, _ codes: NDArray<Int8>?, _ steps: ActivationSteps, bits: Int? = nil
  ) -> Variable {
    guard let codes else { return x }
    let scales = steps.parameter(bits: bits ?? self.bits).value
    let values = Tensor(uninitialized: codes.shape)
    qk_dequantize_int8(
      codes.rowCount, codes.width, scales.count, scales.pointer, codes.pointer, values.pointer)
    return tape.straightThrough(x, value: values)
  }

  private func exactStream(_ x: Variable) -> Variable {
    let values = Tensor(uninitialized: x.shape)
    qk_dequantize_int16(values.count, net.residualStep, stream.pointer, values.pointer)
    return tape.straightThrough(x, value: values)
  }
}

extension Optional {
  /// The codes of the layer before; in `exact` mode every layer leaves them.
  fileprivate var required: Wrapped {
    guard let self else { preconditionFailure("exact mode lost the codes of a layer") }
    return self
  }
}
