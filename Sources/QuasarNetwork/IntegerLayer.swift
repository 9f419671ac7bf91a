import QuasarArithmetic
import QuasarTensor

/// The integers of one layer of a network, ready to run.
public enum IntegerLayer {
  case patches(IntegerEmbedding)
  case linear(IntegerLinear)
  /// A linear layer whose output is looked up in a table.
  case table(IntegerLinear, GELUTable)
  case norm(IntegerLayerNorm)
  case attention(IntegerAttention)

  /// The product with weights; nil for norms and attention.
  public var linear: IntegerLinear? {
    switch self {
    case .patches(let embedding): embedding.linear
    case .linear(let linear), .table(let linear, _): linear
    case .norm, .attention: nil
    }
  }

  /// Throws `badData` unless the integers have the sizes that the graph gives the layer.
  func check(_ layer: Layer) throws {
    func refuse(_ what: String) -> QuasarError { QuasarError(.badData, "\(layer.id): \(what)") }
    switch (layer.kind, self) {
    case (.linear(let sizes), .patches), (.linear(let sizes), .linear), (.linear(let sizes), .table):
      guard let linear else { return }
      let rows8 = linear.rowBits.filter { $0 == 8 }.count
      guard linear.rows == sizes.rows, linear.depth == sizes.depth, rows8 == sizes.rows8 else {
        throw refuse(
          "weights [\(linear.rows), \(linear.depth)] with \(rows8) 8-bit rows, the architecture says "
            + "[\(sizes.rows), \(sizes.depth)] with \(sizes.rows8)")
      }
      if case .patches(let embedding) = self, embedding.tokens != layer.tokens + 1 {
        throw refuse("position codes of \(embedding.tokens) tokens, the architecture has \(layer.tokens + 1)")
      }
    case (.norm, .norm(let norm)):
      guard norm.width == layer.width else { throw refuse("width \(norm.width), expected \(layer.width)") }
    case (.attention(let sizes), .attention(let attention)):
      guard attention.heads == sizes.heads, attention.headDimension == sizes.headDimension else {
        throw refuse(
          "\(attention.heads) heads of \(attention.headDimension), the architecture says \(sizes.heads) of "
            + "\(sizes.headDimension)")
      }
    default:
      throw refuse("the integers are of another kind of layer; this is a bug in Quasar, please report it")
    }
  }
}

/// The output codes of one layer: [images·tokens, width].
enum LayerCodes {
  case int8(NDArray<Int8>)
  case uint8(NDArray<UInt8>)
  /// The residual stream.
  case int16(NDArray<Int16>)
  case int32(NDArray<Int32>)

  /// The codes as the operand of a product; nil for codes that no product takes.
  var operand: IntegerLinear.Input? {
    switch self {
    case .int8(let codes): .signed(codes)
    case .uint8(let codes): .unsigned(codes)
    case .int16, .int32: nil
    }
  }

  var stream: NDArray<Int16>? {
    if case .int16(let codes) = self { return codes }
    return nil
  }
}

extension IntegerLayer {
  /// The output codes of the layer for a batch of images whose earlier layers have run.
  func run(
    _ layer: Layer, _ patches: PatchBatch, _ outputs: LayerOutputs<LayerCodes>, _ execution: IntegerExecution
  ) throws -> LayerCodes {
    let input = layer.input.map { outputs[$0] }
    func connection<Codes>(_ codes: Codes?) -> Codes {
      guard let codes else { preconditionFailure("\(layer.id): its input has codes of another kind") }
      return codes
    }
    let batch = patches.batch
    switch self {
    case .patches(let embedding):
      return .int16(try embedding.tokens(.unsigned(patches.codes), batch: batch, on: execution))
    case .norm(let norm):
      let stream = connection(input?.stream)
      // A norm over one token reads the first token of each image: the class token.
      let tokens = stream.count / (batch * norm.width)
      return .int8(
        try norm.codes(
          stream, rows: batch * layer.tokens, stride: tokens / layer.tokens * norm.width, on: execution))
    case .attention(let attention):
      guard case .int8(let qkv)? = input else { return connection(nil) }
      return .int8(try attention.codes(qkv, batch: batch, tokens: layer.tokens, on: execution))
    case .table(let linear, let table):
      return .uint8(try linear.tableCodes(connection(input?.operand), table: table, on: execution))
    case .linear(let linear):
      let operand = connection(input?.operand)
      if let residual = layer.residual {
        return .int16(
          try linear.residualCodes(operand, residual: connection(outputs[residual].stream), on: execution))
      }
      if layer.outputCodes == .logits { return .int32(try linear.wideCodes(operand, on: execution)) }
      return .int8(
        try linear.codes(operand, range: .signedNarrow(bits: layer.outputCodes.bits), on: execution))
    }
  }
}
