import CKernels
import QuasarAutograd
import QuasarQuant
import QuasarTensor

/// Patch embedding in integers with the embedding codes that are added to it.
public struct IntegerEmbedding {
  public var linear: IntegerLinear
  /// [tokens, width]: class token and position, see `embeddingCodes`.
  public var codes: [Int16]
  public var tokens: Int

  public init(linear: IntegerLinear, codes: [Int16], tokens: Int) throws {
    guard codes.count == tokens * linear.rows else {
      throw QuasarError(
        .badData, "embedding: \(codes.count) codes for \(tokens) tokens of width \(linear.rows)")
    }
    self.linear = linear
    self.codes = codes
    self.tokens = tokens
  }

  /// The residual stream [batch·tokens, width]: class row, then sat16(position code + requantised patch).
  public func tokens(
    _ patches: IntegerLinear.Input, batch: Int, on execution: IntegerExecution = .kernels
  ) throws -> NDArray<Int16> {
    let width = linear.rows
    let patchCodes = NDArray<Int16>(uninitialized: [batch * (tokens - 1), width])
    let stream = NDArray<Int16>(uninitialized: [batch * tokens, width])
    codes.withUnsafeBufferPointer { codes in
      guard let base = codes.baseAddress else { return }
      for b in 0..<batch {
        (stream.pointer + b * tokens * width).update(from: base, count: width)
        (patchCodes.pointer + b * (tokens - 1) * width).update(
          from: base + width, count: (tokens - 1) * width)
      }
    }
    let embedded = try linear.residualCodes(patches, residual: patchCodes, on: execution)
    for b in 0..<batch {
      (stream.pointer + (b * tokens + 1) * width)
        .update(from: embedded.pointer + b * (tokens - 1) * width, count: (tokens - 1) * width)
    }
    return stream
  }
}

/// The products of one block as integer layers, the slices they were made from, and the GELU between them.
struct IntegerLinears {
  let slices: (qkv: LayerSlice, projection: LayerSlice, expand: LayerSlice, contract: LayerSlice)
  let quantizer: GELUQuantizer
  let qkv: IntegerLinear
  let projection: IntegerLinear
  let expand: IntegerLinear
  let gelu: GELUTable
  let contract: IntegerLinear
}

extension Supernet {
  /// Pixel mean of each input of the patch embedding.
  var pixelMeans: [Float] {
    let area = size.geometry.patchSize * size.geometry.patchSize
    return preprocessing.mean.flatMap { Array(repeating: $0, count: area) }
  }

  /// Value of one code of a pixel.
  var pixelStep: Float { 1 / 255 }

  func embeddingSlice(_ architecture: Architecture) -> LayerSlice {
    edgeSlice(patchEmbedding, rows: architecture.embedDimension, width: architecture.geometry.patchInputs)
  }

  /// All rows at 8 bits: patch embedding and head.
  func edgeSlice(_ linear: LinearParameters, rows: Int, width: Int) -> LayerSlice {
    LayerSlice(rows: (0..<Int32(rows)).map { $0 }, width: width, bits: Array(repeating: 8, count: rows))
  }

  private func weightCodes(_ linear: LinearParameters, _ slice: LayerSlice) -> NDArray<Int8> {
    let codes = NDArray<Int8>(uninitialized: [slice.rows.count, slice.width])
    qk_weight_slice_codes(
      slice.rows.count, slice.width, linear.weight.value.pointer, linear.weight.value.width, slice.rows,
      slice.bits, linear.scale4?.value.pointer, linear.scale8.value.pointer,
      linear.entanglement.sharing, codes.pointer)
    return codes
  }

  func rowScales(_ linear: LinearParameters, _ slice: LayerSlice) -> [Float] {
    zip(slice.rows, slice.bits).map { row, bits in linear.step(row: Int(row), bits: bits) }
  }

  private func integerLinear(
    _ linear: LinearParameters, _ slice: LayerSlice, input: Float, inputZero: Int32 = 0,
    inputMean: [Float] = [], output: (Int) -> Float, gain: [Float] = []
  ) throws -> IntegerLinear {
    try IntegerLinear(
      name: linear.name, codes: weightCodes(linear, slice), rowBits: slice.bits,
      realBias: slice.rows.map { linear.bias.value.pointer[Int($0)] },
      scales: IntegerLinear.Scales(
        input: input, inputZero: inputZero, inputMean: inputMean, rows: rowScales(linear, slice),
        output: slice.rows.indices.map { Double(output($0)) }, gain: gain))
  }

  private func integerNorm(
    _ norm: NormParameters, width: Int, step: Float, range: CodeRange
  ) throws -> IntegerLayerNorm {
    try IntegerLayerNorm(
      name: norm.name, weight: norm.weight.value.prefix(width), bias: norm.bias.value.prefix(width),
      residualStep: residualStep, outputStep: step, range: range)
  }

  /// Patch embedding with pixel means and 1/255 folded into bias and factor.
  public func integerEmbedding(_ architecture: Architecture) throws -> IntegerEmbedding {
    let width = architecture.embedDimension
    let tokens = architecture.geometry.tokens
    let linear = try integerLinear(
      patchEmbedding, embeddingSlice(architecture), input: pixelStep, inputMean: pixelMeans,
      output: { _ in residualStep })
    let full = size.embedDimension
    let positions = (0..<tokens).flatMap { t in
      (0..<width).map { position.value.pointer[t * full + $0] }
    }
    return try IntegerEmbedding(
      linear: linear,
      codes: embeddingCodes(cls: classToken.value.prefix(width), position: positions, step: residualStep),
      tokens: tokens)
  }

  /// The four integer products of block i of an architecture, from the present weights and steps.
  func integerLinears(_ architecture: Architecture, block i: Int) throws -> IntegerLinears {
    let block = blocks[i]
    let slices = slices(architecture, block: i)
    let bits = architecture.activationBits
    let width = architecture.embedDimension
    func step(_ steps: ActivationSteps, _ part: Int = 0, bits own: Int? = nil) -> Float {
      steps.parameter(bits: own ?? bits).value.pointer[part]
    }
    let section = architecture.attentionWidth(i)
    let quantizer = GELUQuantizer(step: step(block.hiddenStep), bits: bits)
    let hiddenInput = step(block.hiddenInputStep, bits: 8)
    return IntegerLinears(
      slices: slices, quantizer: quantizer,
      qkv: try integerLinear(
        block.qkv, slices.qkv, input: step(block.norm1Step), output: { step(block.qkvStep, $0 / section) }),
      projection: try integerLinear(
        block.projection, slices.projection, input: step(block.attentionStep), output: { _ in residualStep },
        gain: block.gain1.value.prefix(width)),
      expand: try integerLinear(
        block.expand, slices.expand, input: step(block.norm2Step), output: { _ in hiddenInput }),
      gelu: GELUTable(inputStep: hiddenInput, output: quantizer),
      contract: try integerLinear(
        block.contract, slices.contract, input: quantizer.step, inputZero: quantizer.zero,
        output: { _ in residualStep }, gain: block.gain2.value.prefix(width)))
  }

  /// The integer layers of block i of an architecture, from the present weights and steps.
  public func integerBlock(_ architecture: Architecture, block i: Int) throws -> IntegerBlock {
    let linears = try integerLinears(architecture, block: i)
    let functions = try integerFunctions(architecture, block: i)
    return IntegerBlock(
      norm1: functions.norm1, qkv: linears.qkv, attention: functions.attention, projection: linears.projection,
      norm2: functions.norm2, expand: linears.expand, gelu: linears.gelu, contract: linears.contract)
  }

  /// The integer LayerNorms and attention of block i.
  func integerFunctions(_ architecture: Architecture, block i: Int) throws -> (
    norm1: IntegerLayerNorm, attention: IntegerAttention, norm2: IntegerLayerNorm
  ) {
    let block = blocks[i]
    let bits = architecture.activationBits
    let range = CodeRange.signedNarrow(bits: bits)
    let width = architecture.embedDimension
    func step(_ steps: ActivationSteps, _ part: Int = 0) -> Float { steps.parameter(bits: bits).value.pointer[part] }
    return (
      norm1: try integerNorm(block.norm1, width: width, step: step(block.norm1Step), range: range),
      attention: try IntegerAttention(
        name: "blocks.\(i).attention", heads: architecture.blocks[i].heads,
        headDimension: architecture.geometry.headDimension, activationBits: bits,
        queryStep: step(block.qkvStep, 0), keyStep: step(block.qkvStep, 1),
        valueStep: step(block.qkvStep, 2), outputStep: step(block.attentionStep)),
      norm2: try integerNorm(block.norm2, width: width, step: step(block.norm2Step), range: range)
    )
  }

  /// LayerNorm in front of the head, on class-token rows.
  public func integerFinalNorm(_ architecture: Architecture) throws -> IntegerLayerNorm {
    try integerNorm(
      finalNorm, width: architecture.embedDimension, step: headStep.parameter(bits: 8).value.pointer[0],
      range: .signedNarrow(bits: 8))
  }

  /// The head and the one step of its logit codes: the largest s_x·s_w, so no factor exceeds 1.
  public func integerHead(_ architecture: Architecture) throws -> (linear: IntegerLinear, step: Double) {
    let slice = edgeSlice(head, rows: architecture.geometry.classes, width: architecture.embedDimension)
    let input = headStep.parameter(bits: 8).value.pointer[0]
    let step = rowScales(head, slice).map { Double(input) * Double($0) }.max() ?? 1
    let linear = try IntegerLinear(
      name: head.name, codes: weightCodes(head, slice), rowBits: slice.bits,
      realBias: slice.rows.map { head.bias.value.pointer[Int($0)] },
      scales: IntegerLinear.Scales(
        input: input, rows: rowScales(head, slice), output: Array(repeating: step, count: slice.rows.count)))
    return (linear, step)
  }
}

extension Tensor {
  /// The first `count` scalars.
  func prefix(_ count: Int) -> [Float] {
    Array(UnsafeBufferPointer(start: pointer, count: count))
  }
}
