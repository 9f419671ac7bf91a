import CKernels
import QuasarArithmetic
import QuasarInterchange
import QuasarNetwork
import QuasarTensor

/// Recorded codes and parameters of a model as golden tensors with widths, meanings and formulas.
struct GoldenLayers {
  let model: IntegerModel
  let recorder: RecordingUnits
  let images: Int

  /// Pixels [images, channels, height, width] and logits [images, classes].
  func network(pixels: NDArray<UInt8>, logits: NDArray<Int32>) throws -> GoldenLayer {
    let name = "network"
    return GoldenLayer(
      name: name, kind: .network,
      tensors: [
        try GoldenTensor(
          .pixels, RawTensor(pixels.scalars, shape: pixels.shape),
          axes: ["images", "channels", "height", "width"], bits: 8, isSigned: false,
          meaning: "pixels as they are in the image set, planar", layer: name),
        try GoldenTensor(
          .logits, RawTensor(logits.scalars, shape: logits.shape), axes: ["images", "classes"], bits: 32,
          isSigned: true, meaning: "logit codes, one scale for all; the class is the first of the largest",
          formula: "logits[i] = \(LayerID(.head))/output[i][0]", layer: name),
      ])
  }

  /// The layers named, in the order of execution.
  func layers(_ names: Set<String>) throws -> [GoldenLayer] {
    try model.walk.filter { names.contains($0.0.id.description) }.map { layer, integers in
      switch integers {
      case .patches(let embedding): try patches(layer, embedding)
      case .linear(let linear): try self.linear(layer, linear)
      case .table(let linear, let table): try self.linear(layer, linear, table: table)
      case .norm(let norm): try self.norm(layer, norm)
      case .attention(let attention): try self.attention(layer, attention)
      }
    }
  }

  /// The formula of a layer's input from the output of the layer that it reads.
  func inputFormula(_ layer: Layer) -> String {
    guard let source = layer.input else { return pixelFormula }
    if source == LayerID(.patches) {
      // The class row is not an output of the patch embedding; it exists from the start.
      return "input[i][0] = \(source)/embedding[0]; input[i][t] = \(source)/output[i][t - 1] for t > 0"
    }
    if layer.inputCodes == .residual, layer.tokens == 1 {
      return "input[i][0] = \(source)/output[i][0], the class token"
    }
    return "input = \(source)/output"
  }

  private var pixelFormula: String {
    let geometry = model.architecture.geometry
    let side = geometry.imageSize / geometry.patchSize
    return "input[i][t][(c*P + y)*P + x] = network/pixels[i][c][t/\(side)*P + y][t%\(side)*P + x], "
      + "P = \(geometry.patchSize)"
  }

  /// The formula of a layer's residual: the input of the norm that reads the same stream.
  private func residualFormula(_ layer: Layer) -> String? {
    layer.residual.flatMap { stream in
      model.graph.layers.first { $0.input == stream }.map { "\($0.id)/input" }
    }
  }

  // MARK: Products with weights

  private func patches(_ layer: Layer, _ embedding: IntegerEmbedding) throws -> GoldenLayer {
    let golden = try linear(layer, embedding.linear)
    let codes = try GoldenTensor(
      .embedding, RawTensor(embedding.codes, shape: [embedding.tokens, layer.width]), axes: ["stream_tokens", "rows"],
      bits: 16, isSigned: true, meaning: "class token (row 0) and position codes of the residual stream",
      layer: golden.name)
    return GoldenLayer(name: golden.name, kind: .linear, tensors: [codes] + golden.tensors)
  }

  private func linear(_ layer: Layer, _ linear: IntegerLinear, table: GELUTable? = nil) throws -> GoldenLayer {
    let name = linear.name
    let (rows, depth, tokens) = (linear.rows, linear.depth, layer.tokens)
    let rowAxes = ["images", "tokens", "rows"]
    let rowShape = [images, tokens, rows]
    var tensors: [GoldenTensor] = []
    func parameter<Element: TensorElement>(
      _ role: VectorRole, _ values: [Element], _ bits: Int, signed: Bool, _ meaning: String
    ) throws {
      tensors.append(
        try GoldenTensor(
          role, RawTensor(values, shape: [rows]), axes: ["rows"], bits: bits, isSigned: signed, meaning: meaning,
          layer: name))
    }
    func recorded(_ role: VectorRole, _ codes: CodeFormat, _ meaning: String, _ formula: String) throws {
      tensors.append(
        try tensor(role, rowShape, rowAxes, codes.bits, signed: codes.isSigned, meaning, formula, layer: name))
    }
    let has8 = linear.rowBits.contains(8)
    tensors.append(
      try GoldenTensor(
        .weights, RawTensor(linear.codes.scalars, shape: [rows, depth]), axes: ["rows", "depth"], bits: has8 ? 8 : 4,
        isSigned: true,
        meaning: has8
          ? "weight codes, one output channel a row; 4-bit rows are sign-extended" : "weight codes of 4 bits",
        layer: name))
    try parameter(.rowBits, linear.rowBits, 4, signed: false, "4 or 8: bits of each row of the weights")
    try parameter(.bias, linear.bias, 32, signed: true, "added to the sum, in units of the accumulator")
    try parameter(
      .multiplier, linear.requantisers.map(\.multiplier), 17, signed: true, "M of each row's requantiser")
    try parameter(.shift, linear.requantisers.map { UInt8($0.shift) }, 6, signed: false, "S of each row's requantiser")
    tensors.append(
      try tensor(
        .input, [images, tokens, depth], ["images", "tokens", "depth"], layer.inputCodes.bits,
        signed: layer.inputCodes.isSigned, "input codes", inputFormula(layer), layer: name))
    try recorded(
      .accumulator, .signed(32), "sums with bias, before requantisation",
      "accumulator[i][t][n] = bias[n] + sum over k of input[i][t][k] * weights[n][k]")
    let scaled = "(accumulator[i][t][n] * multiplier[n] + 2^(shift[n] - 1)) >> shift[n]"
    let output = layer.outputCodes
    switch layer.linear?.finish {
    case .codes:
      let limit = 1 << (output.bits - 1) - 1
      try recorded(.output, output, "output codes", "output[i][t][n] = clamp(\(scaled), -\(limit), \(limit))")
    case .table:
      tensors.append(
        try GoldenTensor(
          .table, RawTensor(table?.entries ?? [], shape: [256]), axes: ["table_entries"], bits: output.bits,
          isSigned: false, meaning: "GELU of the codes -128 to 127", layer: name))
      try recorded(.index, .signed(8), "codes in front of GELU", "index[i][t][n] = clamp(\(scaled), -127, 127)")
      try recorded(.output, output, "output codes", "output[i][t][n] = table[index[i][t][n] + 128]")
    case .residual, .embedding:
      try recorded(
        .residual, .residual, "residual stream before this layer",
        "residual = \(residualFormula(layer) ?? "embedding[t + 1]")")
      let delta = "clamp(\(scaled), -32768, 32767)"
      try recorded(
        .output, output, "residual stream after this layer",
        "output[i][t][n] = clamp(residual[i][t][n] + \(delta), -32768, 32767)")
    case .logits:
      try recorded(.output, output, "logit codes", "output[i][t][n] = clamp(\(scaled), -2^31, 2^31 - 1)")
    case nil:
      preconditionFailure("\(name): has no weights")
    }
    return GoldenLayer(name: name, kind: .linear, tensors: tensors)
  }

  /// The recorded codes of a role, in a shape.
  func tensor(
    _ role: VectorRole, _ shape: [Int], _ axes: [String], _ bits: Int, signed: Bool, _ meaning: String,
    _ formula: String, layer: String
  ) throws -> GoldenTensor {
    let codes = try recorder.codes(role, of: layer)
    return try GoldenTensor(
      role, RawTensor(elementType: codes.elementType, shape: shape, bytes: codes.bytes, name: "\(layer)/\(role)"),
      axes: axes, bits: bits, isSigned: signed, meaning: meaning, formula: formula, layer: layer)
  }
}
