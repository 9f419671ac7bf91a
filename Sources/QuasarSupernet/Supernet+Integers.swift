import CKernels
import QuasarArithmetic
import QuasarAutograd
import QuasarNetwork
import QuasarTensor

extension IntegerModel {
  /// The integers of one sub-network of a trained supernet.
  ///
  /// Throws with the layer's name when a bias or a factor exceeds the range of the contract.
  public init(packing net: Supernet, architecture: Architecture, classNames: [String]) throws {
    try net.checkFits(architecture)
    let graph = LayerGraph(architecture)
    let integers = NetworkIntegers(net: net, graph: graph)
    try self.init(
      architecture: architecture, preprocessing: net.preprocessing, classNames: classNames,
      layers: graph.layers.map { try integers.layer($0) }, logitStep: integers.logitStep,
      residualStep: Double(net.residualStep))
  }
}

extension Supernet {
  /// Pixel mean of each input of the patch embedding.
  var pixelMeans: [Float] {
    let area = size.geometry.patchSize * size.geometry.patchSize
    return preprocessing.mean.flatMap { Array(repeating: $0, count: area) }
  }

  /// Value of one code of a pixel.
  var pixelStep: Float { 1 / 255 }
}

extension SlicedLinear {
  var rowScales: [Float] {
    zip(slice.rows, slice.bits).map { row, bits in linear.step(row: Int(row), bits: bits) }
  }

  var realBias: [Float] { slice.rows.map { linear.bias.value.pointer[Int($0)] } }

  var codes: NDArray<Int8> {
    let codes = NDArray<Int8>(uninitialized: [slice.rows.count, slice.width])
    qk_weight_slice_codes(
      slice.rows.count, slice.width, linear.weight.value.pointer, linear.weight.value.width, slice.rows,
      slice.bits, linear.scale4?.value.pointer, linear.scale8.value.pointer, linear.entanglement.sharing, codes.pointer)
    return codes
  }

  /// The codes with bias and factors folded for these scales; fills in `scales.rows`.
  func integers(_ scales: IntegerLinear.Scales) throws -> IntegerLinear {
    try IntegerLinear(name: linear.name, codes: codes, rowBits: slice.bits, realBias: realBias, scales: scales)
  }
}

/// The integers of an architecture's layers, from the present weights and steps of a supernet.
struct NetworkIntegers {
  let net: Supernet
  let graph: LayerGraph

  /// The integers of one layer of the graph; throws with its name when they exceed the range of the contract.
  func layer(_ layer: Layer) throws -> IntegerLayer {
    switch layer.kind {
    case .linear(let sizes):
      let linear = try linear(layer, sizes).integers
      switch sizes.finish {
      case .embedding: return .patches(try embedding(layer, linear))
      case .table: return .table(linear, table(layer))
      case .codes, .residual, .logits: return .linear(linear)
      }
    case .norm:
      return .norm(try norm(layer))
    case .attention(let sizes):
      return .attention(try attention(layer, sizes))
    }
  }

  /// A linear layer with the slice that it was made from.
  func linear(_ layer: Layer, _ sizes: Layer.Linear) throws -> (sliced: SlicedLinear, integers: IntegerLinear) {
    guard let sliced = net.sliced(layer) else { preconditionFailure("\(layer.id) has no weights") }
    let (input, zero) = inputScale(layer)
    let isEmbedding = sizes.finish == .embedding
    let integers = try sliced.integers(
      IntegerLinear.Scales(
        input: input, inputZero: zero, inputMean: isEmbedding ? net.pixelMeans : [], rows: sliced.rowScales,
        output: outputSteps(layer, sizes, sliced),
        gain: net[layer.id].gain?.value.prefix(layer.width) ?? []))
    return (sliced, integers)
  }

  /// Value of one code of the operand, and the code of zero.
  private func inputScale(_ layer: Layer) -> (step: Float, zero: Int32) {
    guard let source = layer.input else { return (net.pixelStep, 0) }
    let parameters = net[source]
    let step = step(source, bits: layer.inputCodes.bits)
    return (step, parameters.tableSteps == nil ? 0 : GELUQuantizer(step: step, bits: layer.inputCodes.bits).zero)
  }

  /// Value of one code of part `part` of a layer's output.
  private func step(_ id: LayerID, bits: Int, part: Int = 0) -> Float {
    guard let steps = net[id].steps else { preconditionFailure("\(id) has no quantiser") }
    return steps.parameter(bits: bits).value.pointer[part]
  }

  private func outputSteps(_ layer: Layer, _ sizes: Layer.Linear, _ sliced: SlicedLinear) -> [Double] {
    switch sizes.finish {
    case .codes:
      let section = sizes.rows / sizes.parts
      return (0..<sizes.rows).map { Double(step(layer.id, bits: layer.outputCodes.bits, part: $0 / section)) }
    case .table: return Array(repeating: Double(tableStep(layer)), count: sizes.rows)
    case .residual, .embedding: return Array(repeating: Double(net.residualStep), count: sizes.rows)
    case .logits: return Array(repeating: logitStep(layer, sliced), count: sizes.rows)
    }
  }

  /// The one step of all logit codes: the largest s_x·s_w, so that no factor exceeds 1.
  private func logitStep(_ layer: Layer, _ sliced: SlicedLinear) -> Double {
    let input = inputScale(layer).step
    return sliced.rowScales.map { Double(input) * Double($0) }.max() ?? 1
  }

  var logitStep: Double {
    guard let head = graph.layers.last, let sliced = net.sliced(head) else { preconditionFailure("no head") }
    return logitStep(head, sliced)
  }

  /// The patch embedding with pixel means and 1/255 folded into bias and factor, and the codes added to its output.
  private func embedding(_ layer: Layer, _ linear: IntegerLinear) throws -> IntegerEmbedding {
    let tokens = layer.tokens + 1
    let full = net.size.embedDimension
    let positions = (0..<tokens).flatMap { t in
      (0..<layer.width).map { net.position.value.pointer[t * full + $0] }
    }
    return try IntegerEmbedding(
      linear: linear,
      codes: embeddingCodes(cls: net.classToken.value.prefix(layer.width), position: positions, step: net.residualStep),
      tokens: tokens)
  }

  /// Step of the signed 8-bit codes before a table.
  func tableStep(_ layer: Layer) -> Float {
    guard let steps = net[layer.id].tableSteps else { preconditionFailure("\(layer.id) has no table") }
    return steps.parameter(bits: 8).value.pointer[0]
  }

  /// The quantiser after the table of a layer.
  func quantizer(_ layer: Layer) -> GELUQuantizer {
    GELUQuantizer(step: step(layer.id, bits: layer.outputCodes.bits), bits: layer.outputCodes.bits)
  }

  func table(_ layer: Layer) -> GELUTable {
    GELUTable(inputStep: tableStep(layer), output: quantizer(layer))
  }

  func norm(_ layer: Layer) throws -> IntegerLayerNorm {
    guard let norm = net[layer.id].norm else { preconditionFailure("\(layer.id) is not a norm") }
    let bits = layer.outputCodes.bits
    return try IntegerLayerNorm(
      name: norm.name, weight: norm.weight.value.prefix(layer.width), bias: norm.bias.value.prefix(layer.width),
      residualStep: net.residualStep, outputStep: step(layer.id, bits: bits), range: .signedNarrow(bits: bits))
  }

  func attention(_ layer: Layer, _ sizes: Layer.Attention) throws -> IntegerAttention {
    guard let source = layer.input else { preconditionFailure("\(layer.id) reads no codes") }
    let bits = layer.inputCodes.bits
    return try IntegerAttention(
      name: layer.id.description, heads: sizes.heads, headDimension: sizes.headDimension, activationBits: bits,
      queryStep: step(source, bits: bits, part: 0), keyStep: step(source, bits: bits, part: 1),
      valueStep: step(source, bits: bits, part: 2), outputStep: step(layer.id, bits: bits))
  }
}

extension Tensor {
  /// The first `count` scalars.
  func prefix(_ count: Int) -> [Float] {
    Array(UnsafeBufferPointer(start: pointer, count: count))
  }
}
