import QuasarInterchange
import QuasarQuant
import QuasarTensor

extension IntegerModel {
  /// Names of the layers in the order of execution: "patch_embed", "blocks.0.norm1", …, "norm", "head".
  public var layerNames: [String] {
    [embedding.linear.name]
      + blocks.flatMap {
        [
          $0.norm1.name, $0.qkv.name, $0.attention.name, $0.projection.name, $0.norm2.name, $0.expand.name,
          $0.contract.name,
        ]
      } + [finalNorm.name, head.name]
  }
}

/// Recorded codes and parameters of a model as golden tensors with widths, meanings and formulas.
struct GoldenLayers {
  let model: IntegerModel
  let recorder: RecordingUnits
  let images: Int

  private var bits: Int { model.architecture.activationBits }
  private var limit: Int { 1 << (bits - 1) - 1 }
  private var tokens: Int { model.architecture.geometry.tokens }

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
          formula: "logits[i] = \(model.head.name)/output[i][0]", layer: name),
      ])
  }

  /// The layers named, in the order of execution.
  func layers(_ names: Set<String>) throws -> [GoldenLayer] {
    var all: [GoldenLayer] = []
    func add(_ name: String, _ layer: () throws -> GoldenLayer) rethrows {
      if names.contains(name) { all.append(try layer()) }
    }
    let embedding = model.embedding.linear.name
    try add(embedding) { try patchEmbedding() }
    var stream =
      "input[i][0] = \(embedding)/embedding[0]; input[i][t] = \(embedding)/output[i][t - 1] for t > 0"
    for block in model.blocks {
      try add(block.norm1.name) { try norm(block.norm1, tokens: tokens, bits: bits, input: stream) }
      try add(block.qkv.name) {
        try linear(block.qkv, .signed(bits), .codes(bits: bits, limit: limit), input: from(block.norm1.name))
      }
      try add(block.attention.name) { try attention(block.attention, input: from(block.qkv.name)) }
      try add(block.projection.name) {
        try linear(
          block.projection, .signed(bits), .residual("\(block.norm1.name)/input"), input: from(block.attention.name))
      }
      let middle = from(block.projection.name)
      try add(block.norm2.name) { try norm(block.norm2, tokens: tokens, bits: bits, input: middle) }
      try add(block.expand.name) {
        try linear(block.expand, .signed(bits), .table(block.gelu), input: from(block.norm2.name))
      }
      try add(block.contract.name) {
        try linear(
          block.contract, .unsigned(bits), .residual("\(block.norm2.name)/input"), input: from(block.expand.name))
      }
      stream = from(block.contract.name)
    }
    try add(model.finalNorm.name) {
      let last = model.blocks.last?.contract.name ?? embedding
      return try norm(model.finalNorm, tokens: 1, bits: 8, input: "input[i][0] = \(last)/output[i][0], the class token")
    }
    try add(model.head.name) {
      try linear(model.head, .signed(8), .wide, tokens: 1, input: from(model.finalNorm.name))
    }
    return all
  }

  private func from(_ layer: String) -> String { "input = \(layer)/output" }

  // MARK: Products with weights

  private struct Width {
    var bits: Int
    var isSigned: Bool
    static func signed(_ bits: Int) -> Width { Width(bits: bits, isSigned: true) }
    static func unsigned(_ bits: Int) -> Width { Width(bits: bits, isSigned: false) }
  }

  private enum Form {
    case codes(bits: Int, limit: Int)
    case table(GELUTable)
    /// The tensor that the residual is.
    case residual(String)
    case wide
  }

  private func patchEmbedding() throws -> GoldenLayer {
    let geometry = model.architecture.geometry
    let side = geometry.imageSize / geometry.patchSize
    let layer = try linear(
      model.embedding.linear, .unsigned(8), .residual("embedding[t + 1]"), tokens: geometry.patches,
      input: "input[i][t][(c*P + y)*P + x] = network/pixels[i][c][t/\(side)*P + y][t%\(side)*P + x], "
        + "P = \(geometry.patchSize)")
    let width = model.architecture.embedDimension
    let embedding = try GoldenTensor(
      .embedding, RawTensor(model.embedding.codes, shape: [tokens, width]), axes: ["stream_tokens", "rows"], bits: 16,
      isSigned: true, meaning: "class token (row 0) and position codes of the residual stream", layer: layer.name)
    return GoldenLayer(name: layer.name, kind: .linear, tensors: [embedding] + layer.tensors)
  }

  private func linear(
    _ linear: IntegerLinear, _ width: Width, _ form: Form, tokens given: Int? = nil, input: String
  ) throws -> GoldenLayer {
    let name = linear.name
    let (rows, depth, tokens) = (linear.rows, linear.depth, given ?? tokens)
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
    func recorded(_ role: VectorRole, _ width: Width, _ meaning: String, _ formula: String) throws {
      tensors.append(
        try tensor(role, rowShape, rowAxes, width.bits, signed: width.isSigned, meaning, formula, layer: name))
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
        .input, [images, tokens, depth], ["images", "tokens", "depth"], width.bits, signed: width.isSigned,
        "input codes", input, layer: name))
    try recorded(
      .accumulator, .signed(32), "sums with bias, before requantisation",
      "accumulator[i][t][n] = bias[n] + sum over k of input[i][t][k] * weights[n][k]")
    let scaled = "(accumulator[i][t][n] * multiplier[n] + 2^(shift[n] - 1)) >> shift[n]"
    switch form {
    case .codes(let bits, let limit):
      try recorded(
        .output, .signed(bits), "output codes", "output[i][t][n] = clamp(\(scaled), -\(limit), \(limit))")
    case .table(let table):
      tensors.append(
        try GoldenTensor(
          .table, RawTensor(table.entries, shape: [256]), axes: ["table_entries"], bits: bits, isSigned: false,
          meaning: "GELU of the codes -128 to 127", layer: name))
      try recorded(
        .index, .signed(8), "codes in front of GELU", "index[i][t][n] = clamp(\(scaled), -127, 127)")
      try recorded(
        .output, .unsigned(bits), "output codes", "output[i][t][n] = table[index[i][t][n] + 128]")
    case .residual(let source):
      try recorded(
        .residual, .signed(16), "residual stream before this layer", "residual = \(source)")
      let delta = "clamp(\(scaled), -32768, 32767)"
      try recorded(
        .output, .signed(16), "residual stream after this layer",
        "output[i][t][n] = clamp(residual[i][t][n] + \(delta), -32768, 32767)")
    case .wide:
      try recorded(.output, .signed(32), "logit codes", "output[i][t][n] = clamp(\(scaled), -2^31, 2^31 - 1)")
    }
    return GoldenLayer(name: name, kind: .linear, tensors: tensors)
  }

  /// What was recorded of a role, in a shape.
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
