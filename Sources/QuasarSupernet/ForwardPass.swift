import CKernels
import QuasarArithmetic
import QuasarAutograd
import QuasarNetwork
import QuasarTensor

/// Logits of one forward pass.
public struct ForwardResult {
  /// [batch, classes]
  public let logits: Variable
  /// The int32 codes of the logits in `exact` mode.
  public let logitCodes: NDArray<Int32>?
}

/// Multipliers of residual branches (0 or 1/(1 − rate) per image) by branch number 2·block and 2·block + 1.
public typealias DropPath = (_ branch: Int) -> Tensor?

extension Supernet {
  /// Logits of the sub-network `architecture` for a batch.
  ///
  /// With `recomputed`, quantised blocks are computed again in the backward pass instead of keeping their activations.
  /// In `exact` mode, throws when a layer cannot be expressed in integers; the message contains its name. The
  /// architecture must fit (`checkFits`).
  public func forward(
    _ tape: Tape, _ input: PatchBatch, architecture: Architecture, mode: ForwardMode,
    products: TrainingProducts = .standard, recomputed: Bool = false, dropPath: DropPath? = nil,
    recorder: (any ActivationObserver)? = nil
  ) throws -> ForwardResult {
    let pass = ForwardPass(
      tape: tape, net: self, graph: LayerGraph(architecture), mode: mode, products: products, recomputed: recomputed,
      input: input, dropPath: dropPath, recorder: recorder)
    return try Profile.measure("forward, other") { try pass.run() }
  }
}

/// The output of one layer during a pass.
private struct LayerValues {
  enum Codes {
    case int8(NDArray<Int8>)
    case uint8(NDArray<UInt8>)
    case stream(NDArray<Int16>)
    case logits(NDArray<Int32>)
  }

  var value: Variable
  /// The codes of the values; nil except in `exact` mode.
  var codes: Codes?

  /// The codes as the operand of an integer product.
  var operand: IntegerLinear.Input {
    switch codes {
    case .int8(let codes): .signed(codes)
    case .uint8(let codes): .unsigned(codes)
    case .stream, .logits, nil: preconditionFailure("exact mode lost the codes of a layer")
    }
  }

  /// The codes of q, k and v.
  var int8: NDArray<Int8> {
    guard case .int8(let codes)? = codes else { preconditionFailure("exact mode lost the codes of a layer") }
    return codes
  }

  /// The codes of the residual stream; nil where there are none.
  var stream: NDArray<Int16>? {
    if case .stream(let codes)? = codes { return codes }
    return nil
  }
}

/// One walk over the layers of a graph.
///
/// In `exact` mode each integer layer runs together with its float layer, and its codes replace the float values; so
/// the backward pass sees what deployment computes. Blocks whose sizes the kernels support run as one fused operation
/// instead (`TrainingBlock`).
private struct ForwardPass {
  let tape: Tape
  let net: Supernet
  let graph: LayerGraph
  let mode: ForwardMode
  let products: TrainingProducts
  let recomputed: Bool
  let input: PatchBatch
  let dropPath: DropPath?
  let recorder: (any ActivationObserver)?

  var batch: Int { input.batch }
  var isExact: Bool { mode == .exact }
  var integers: NetworkIntegers { NetworkIntegers(net: net, graph: graph) }

  func run() throws -> ForwardResult {
    var outputs = LayerOutputs<LayerValues>(graph)
    var prepared: [TrainingBlock?] = []
    var layers = graph.layers[...]
    while let layer = layers.first {
      if let block = layer.id.block, layer.id == graph.block(block).first?.id {
        if prepared.isEmpty { prepared = try fusedBlocks(from: block) }
        // Removed from the list, so that its packed weights live no longer than the tape needs them.
        if let fused = prepared.removeFirst() {
          layers = layers.dropFirst(graph.block(block).count)
          try outputs.finish(graph.block(block), self.fused(fused, layer, outputs))
          continue
        }
      }
      layers = layers.dropFirst()
      outputs.finish(layer, try output(of: layer, outputs))
    }
    guard let last = graph.layers.last else { preconditionFailure("a network without layers") }
    let result = outputs[last.id]
    if case .logits(let codes)? = result.codes { return ForwardResult(logits: result.value, logitCodes: codes) }
    return ForwardResult(logits: result.value, logitCodes: nil)
  }

  private func output(of layer: Layer, _ outputs: LayerOutputs<LayerValues>) throws -> LayerValues {
    let source = layer.input.map { outputs[$0] }
    switch layer.kind {
    case .norm: return try norm(layer, source.required)
    case .attention(let sizes): return try attention(layer, sizes, source.required)
    case .linear(let sizes):
      switch sizes.finish {
      case .embedding: return try embed(layer)
      case .codes: return try codes(layer, sizes, source.required)
      case .table: return try table(layer, sizes, source.required)
      case .residual: return try residual(layer, sizes, source.required, layer.residual.map { outputs[$0] }.required)
      case .logits: return try logits(layer, source.required)
      }
    }
  }

  // MARK: Fused operations

  /// The form of gradients of layers on integer products; nil with a recorder, which has to see every value.
  private var fusedForm: qk_gradient_form? { mode == .full || recorder != nil ? nil : products.gradientForm }

  private func fused(
    _ block: TrainingBlock, _ first: Layer, _ outputs: LayerOutputs<LayerValues>
  ) throws -> LayerValues {
    let stream = first.input.map { outputs[$0] }.required
    let (y, codes) = try tape.trainingBlock(stream.value, codes: stream.stream, block)
    return LayerValues(value: y, codes: codes.map { .stream($0) })
  }

  /// The next blocks, one per thread. A block that runs as one operation comes with its weights quantised and packed,
  /// which the threads do at the same time; the others are nil.
  private func fusedBlocks(from first: Int) throws -> [TrainingBlock?] {
    try parallelMap(min(Int(qk_thread_count()), graph.depth - first)) { offset in
      let i = first + offset
      let layers = graph.block(i)
      guard let form = fusedForm, let sizes = layers.lazy.compactMap(\.attention).first,
        let hidden = layers.first(where: { $0.linear?.finish == .table })?.width, let width = layers.last?.width
      else { return nil }
      let shape = attentionShape(sizes)
      guard TrainingBlock.supports(shape, width: width, hidden: hidden) else { return nil }
      // Latent rows, codes, packed rows, panels for the backward pass: 4 + 1 + 1 + 1 or 2 bytes per weight.
      let bytes = form == QK_GRADIENT_BYTES ? 7.0 : 8
      let weights = layers.reduce(0) { $0 + ($1.linear.map { $0.rows * $0.depth } ?? 0) }
      return try Profile.measure("weights to codes", .memory, work: bytes * Double(weights)) {
        var block = try integers.trainingBlock(i, shape: shape, form: form, isExact: isExact, dropPath: dropPath)
        block.recomputed = recomputed
        return block
      }
    }
  }

  private func attentionShape(_ sizes: Layer.Attention) -> AttentionShape {
    AttentionShape(
      batch: batch, tokens: graph.geometry.tokens, heads: sizes.heads, headDimension: sizes.headDimension)
  }

  // MARK: Layers

  private func embed(_ layer: Layer) throws -> LayerValues {
    let geometry = graph.geometry
    let form = TrainingPatches.supports(width: layer.width) ? fusedForm : nil
    let integer = try isExact || form != nil ? integerEmbedding(layer) : nil
    let embedded: Variable
    if let form, let integer {
      embedded = try tape.trainingPatches(
        input.codes, integers.trainingPatches(layer, integer.linear, form: form))
    } else {
      let pixels = Tensor(uninitialized: input.codes.shape)
      qk_pixels_to_float(
        input.codes.shape[0], input.codes.width, input.codes.pointer, net.pixelMeans, pixels.pointer)
      embedded = linear(layer, tape.constant(pixels))
    }
    let position = tape.slice(
      WeightSlice(
        latent: net.position, rows: (0..<Int32(geometry.tokens)).map { $0 }, width: layer.width,
        bits: Array(repeating: 32, count: geometry.tokens)))
    let cls = tape.slice(WeightSlice(prefix: layer.width, of: net.classToken))
    let tokens = tape.embed(
      tape.reshape(embedded, [batch, geometry.patches, layer.width]), cls: cls, position: position)
    recorder?.record("residual", tokens.value, parts: 1)
    guard isExact, let integer else { return LayerValues(value: tokens) }
    return exactStream(tokens, try integer.tokens(.unsigned(input.codes), batch: batch))
  }

  private func integerEmbedding(_ layer: Layer) throws -> IntegerEmbedding {
    // Latent rows, codes, packed rows: 4 + 1 + 1 bytes per weight.
    let weights = Double(layer.width * graph.geometry.patchInputs)
    let integers = try Profile.measure("weights to codes", .memory, work: 6 * weights) {
      try self.integers.layer(layer)
    }
    guard case .patches(let embedding) = integers else { preconditionFailure("\(layer.id) is not the embedding") }
    return embedding
  }

  /// Norm and quantiser. If the layer reads fewer tokens than the stream has, it reads the class tokens.
  private func norm(_ layer: Layer, _ stream: LayerValues) throws -> LayerValues {
    let tokens = graph.geometry.tokens
    var x = stream.value
    if layer.tokens != tokens {
      let rows = tape.reshape(x, [batch * tokens, layer.width])
      x = tape.gatherRows(rows, (0..<Int32(batch)).map { $0 * Int32(tokens) })
    }
    guard let parameters = net[layer.id].norm else { preconditionFailure("\(layer.id) is not a norm") }
    let normed = tape.layerNorm(
      x, weight: tape.slice(WeightSlice(prefix: layer.width, of: parameters.weight)),
      bias: tape.slice(WeightSlice(prefix: layer.width, of: parameters.bias)))
    let value = quantize(normed, steps(layer), layer.outputCodes.bits)
    guard isExact, let codes = stream.stream else { return LayerValues(value: value) }
    return exact(
      layer, value,
      try integers.norm(layer).codes(
        codes, rows: batch * layer.tokens, stride: tokens / layer.tokens * layer.width))
  }

  private func codes(_ layer: Layer, _ sizes: Layer.Linear, _ source: LayerValues) throws -> LayerValues {
    let bits = layer.outputCodes.bits
    let value = quantize(linear(layer, source.value), steps(layer), bits, parts: sizes.parts)
    guard isExact else { return LayerValues(value: value) }
    return exact(
      layer, value,
      try integers.linear(layer, sizes).integers.codes(
        source.operand, range: .signedNarrow(bits: bits)))
  }

  private func attention(_ layer: Layer, _ sizes: Layer.Attention, _ source: LayerValues) throws -> LayerValues {
    let shape = attentionShape(sizes)
    let bits = layer.outputCodes.bits
    let mixed = tape.attention(source.value, shape: shape, probabilityBits: mode == .full ? nil : bits)
    let value = quantize(mixed, steps(layer), bits)
    guard isExact else { return LayerValues(value: value) }
    let codes = try integers.attention(layer, sizes).codes(
      source.int8, batch: batch, tokens: shape.tokens)
    return exact(layer, value, codes)
  }

  /// 8-bit codes, then GELU, then the codes of its output.
  private func table(_ layer: Layer, _ sizes: Layer.Linear, _ source: LayerValues) throws -> LayerValues {
    guard let inputSteps = net[layer.id].tableSteps else { preconditionFailure("\(layer.id) has no table") }
    var input = quantize(linear(layer, source.value), inputSteps, 8)
    let integer = isExact ? try integers.linear(layer, sizes).integers : nil
    let inputCodes = try integer?.codes(source.operand, range: GELUTable.inputRange)
    if let inputCodes { input = dequantized(input, inputCodes, inputSteps, bits: 8) }
    let quantizer = integers.quantizer(layer)
    let gelu = tape.gelu(input)
    let hidden = quantize(gelu, steps(layer), quantizer.bits, limits: quantizer.limits)
    guard let codes = inputCodes.map({ integers.table(layer).apply($0) }) else { return LayerValues(value: hidden) }
    let values = Tensor(uninitialized: hidden.shape)
    qk_dequantize_uint8(values.count, quantizer.step, quantizer.zero, codes.pointer, values.pointer)
    return LayerValues(value: tape.straightThrough(hidden, value: values), codes: .uint8(codes))
  }

  private func residual(
    _ layer: Layer, _ sizes: Layer.Linear, _ source: LayerValues, _ stream: LayerValues
  ) throws -> LayerValues {
    guard let gain = net[layer.id].gain, let branch = layer.branch else {
      preconditionFailure("\(layer.id) ends no branch")
    }
    let shape = [batch, graph.geometry.tokens, layer.width]
    let product = linear(layer, source.value)
    let y = tape.residual(
      tape.reshape(stream.value, shape), branch: tape.reshape(product, shape),
      gain: tape.slice(WeightSlice(prefix: layer.width, of: gain)), keep: dropPath?(branch))
    recorder?.record("residual", y.value, parts: 1)
    guard isExact else { return LayerValues(value: y) }
    return exactStream(
      y,
      try integers.linear(layer, sizes).integers.residualCodes(
        source.operand, residual: stream.stream.required))
  }

  private func logits(_ layer: Layer, _ source: LayerValues) throws -> LayerValues {
    let logits = linear(layer, source.value)
    guard isExact, case .linear(let head) = try integers.layer(layer) else { return LayerValues(value: logits) }
    let codes = try head.wideCodes(source.operand)
    let values = Tensor(uninitialized: logits.shape)
    qk_dequantize_int32(values.count, Float(integers.logitStep), codes.pointer, values.pointer)
    return LayerValues(value: tape.straightThrough(logits, value: values), codes: .logits(codes))
  }

  // MARK: Pieces

  private func steps(_ layer: Layer) -> ActivationSteps {
    guard let steps = net[layer.id].steps else { preconditionFailure("\(layer.id) has no quantiser") }
    return steps
  }

  private func linear(_ layer: Layer, _ x: Variable) -> Variable {
    guard let sliced = net.sliced(layer) else { preconditionFailure("\(layer.id) has no weights") }
    let (parameters, slice) = (sliced.linear, sliced.slice)
    recorder?.recordInput(parameters.name, x.value)
    var quantized = parameters.weightSlice(slice)
    if mode == .full { quantized.bits = Array(repeating: 32, count: slice.rows.count) }
    return tape.linear(
      x, weight: tape.slice(quantized), bias: tape.slice(WeightSlice(entries: slice.rows, of: parameters.bias)))
  }

  /// Fake quantisation to codes of `bits` bits, signed unless `limits` says otherwise.
  private func quantize(
    _ x: Variable, _ steps: ActivationSteps, _ bits: Int, limits: CodeRange? = nil, parts: Int = 1
  ) -> Variable {
    recorder?.record(steps.name, x.value, parts: parts)
    guard mode != .full else { return x }
    let range = limits ?? .signedNarrow(bits: bits)
    return tape.quantize(
      x, scales: tape.parameter(steps.parameter(bits: bits)), low: Float(range.low), high: Float(range.high))
  }

  /// The dequantised codes instead of the float value.
  private func exact(_ layer: Layer, _ x: Variable, _ codes: NDArray<Int8>) -> LayerValues {
    LayerValues(value: dequantized(x, codes, steps(layer), bits: layer.outputCodes.bits), codes: .int8(codes))
  }

  private func dequantized(_ x: Variable, _ codes: NDArray<Int8>, _ steps: ActivationSteps, bits: Int) -> Variable {
    let scales = steps.parameter(bits: bits).value
    let values = Tensor(uninitialized: codes.shape)
    qk_dequantize_int8(
      codes.rowCount, codes.width, scales.count, scales.pointer, codes.pointer, values.pointer)
    return tape.straightThrough(x, value: values)
  }

  private func exactStream(_ x: Variable, _ codes: NDArray<Int16>) -> LayerValues {
    let values = Tensor(uninitialized: x.shape)
    qk_dequantize_int16(values.count, net.residualStep, codes.pointer, values.pointer)
    return LayerValues(value: tape.straightThrough(x, value: values), codes: .stream(codes))
  }
}

extension Optional {
  /// The output of an earlier layer; in `exact` mode every layer gives codes.
  fileprivate var required: Wrapped {
    guard let self else { preconditionFailure("a layer of the pass left no output for the next") }
    return self
  }
}
