import QuasarArithmetic
import QuasarNetwork
import QuasarTensor

/// The commands that run one network on one engine, in the order of execution.
///
/// One walk over the layer graph; compiler and cycle model read this list.
public struct EngineNetwork: Sendable {
  public let shape: EngineShape
  public let graph: LayerGraph
  public let commands: [EngineCommand]

  /// Throws `badData` naming the limit of the engine that the network exceeds.
  public init(_ architecture: Architecture, on shape: EngineShape) throws {
    try self.init(LayerGraph(architecture), activationBits: architecture.activationBits, on: shape)
  }

  init(_ graph: LayerGraph, activationBits: Int, on shape: EngineShape) throws {
    try shape.validate()
    let needs = EngineLimits(graph, activationBits: activationBits, inputs: shape.inputs)
    try shape.limits.check(needs)
    guard !shape.hasBlocks || activationBits <= 6 else {
      throw QuasarError(
        .badData,
        "engine: two-by-two products take codes of at most 6 bits, the network has \(activationBits); use an engine "
          + "without block shape")
    }
    // A head fills whole steps: what padded channels would hold is never written.
    guard graph.geometry.headDimension % shape.inputs == 0 else {
      throw QuasarError(
        .badData,
        "engine: heads of \(graph.geometry.headDimension) channels do not fill steps of \(shape.inputs) inputs; choose "
          + "inputs that divide \(graph.geometry.headDimension)")
    }
    self.shape = shape
    self.graph = graph
    commands = graph.layers.map { Self.command($0, graph, shape) } + [EngineCommand(layer: nil, operation: .end)]
  }

  private static func command(_ layer: Layer, _ graph: LayerGraph, _ shape: EngineShape) -> EngineCommand {
    func steps(_ channels: Int) -> Int { ceilDivide(channels, shape.inputs) }
    switch layer.kind {
    case .norm:
      return EngineCommand(
        layer: layer.id,
        operation: .norm(
          EngineCommand.Norm(
            firstToken: graph.geometry.tokens - layer.tokens, tokens: layer.tokens, width: layer.width,
            targetStride: steps(layer.width))))
    case .attention(let sizes):
      return EngineCommand(
        layer: layer.id,
        operation: .attention(
          EngineCommand.Attention(
            tokens: layer.tokens, heads: sizes.heads, headChannels: sizes.headDimension,
            headSteps: steps(sizes.headDimension), targetStride: steps(layer.width),
            activationBits: layer.outputCodes.bits)))
    case .linear(let linear):
      let isQueryKeyValue = linear.parts == 3
      let (target, form): (EngineCommand.Target, EngineCommand.Form) =
        switch linear.finish {
        case .codes: (isQueryKeyValue ? .attention : .operand, .codes)
        case .table: (.hidden, .table)
        case .residual, .embedding: (.residual, .residual)
        case .logits: (.logits, .logits)
        }
      let targetStride =
        switch target {
        case .residual: layer.width
        case .attention: linear.groups * steps(linear.groupRows)
        case .operand, .hidden, .logits: steps(layer.width)
        }
      var gemm = EngineCommand.GEMM(
        tokens: layer.tokens, steps: steps(linear.depth), readsHidden: !layer.inputCodes.isSigned,
        sourceStride: steps(linear.depth), targetStride: targetStride, target: target, form: form,
        range: form == .table ? GELUTable.inputRange : .signedNarrow(bits: min(8, layer.outputCodes.bits)),
        codeBits: layer.outputCodes.bits, offsetsCodes: form == .table,
        keySteps: isQueryKeyValue ? steps(layer.tokens) : 0, tiles: [])
      gemm.tiles = Self.tiles(rows: linear.rows, rows8: linear.rows8, gemm, shape)
      return EngineCommand(layer: layer.id, operation: .gemm(gemm))
    }
  }

  /// Row tiles: first those of the pair shape with all 8-bit rows, then those of the block shape.
  ///
  /// 4-bit rows fill the last pair tile. More pair tiles than the 8-bit rows need are taken where that is faster: the
  /// array's time of the layer is linear in their number but for the rounding of both groups of tiles, so the best one
  /// is found by trying every number.
  private static func tiles(
    rows: Int, rows8: Int, _ gemm: EngineCommand.GEMM, _ shape: EngineShape
  ) -> [EngineCommand.RowTile] {
    let tileRows = shape.tileRows
    func list(_ pairTiles: Int) -> [EngineCommand.RowTile] {
      let pairRows = min(rows, pairTiles * tileRows)
      func cut(_ count: Int, isBlock: Bool) -> [EngineCommand.RowTile] {
        stride(from: 0, to: count, by: tileRows).map {
          EngineCommand.RowTile(isBlock: isBlock, rows: min(tileRows, count - $0))
        }
      }
      return cut(pairRows, isBlock: false) + cut(rows - pairRows, isBlock: true)
    }
    func cycles(_ tiles: [EngineCommand.RowTile]) -> Int {
      tiles.reduce(0) { total, tile in
        (0..<gemm.tokenTiles(shape, isBlock: tile.isBlock)).reduce(total) {
          $0 + max(gemm.steps, gemm.beats(tile, tokenTile: $1, shape))
        }
      }
    }
    let most = ceilDivide(rows, tileRows)
    guard shape.hasBlocks else { return list(most) }
    let counts = ceilDivide(rows8, tileRows)...most
    return counts.map(list).min { cycles($0) < cycles($1) } ?? list(most)
  }
}

extension EngineLimits {
  /// What a network needs.
  public init(_ architecture: Architecture, inputs: Int) {
    self.init(LayerGraph(architecture), activationBits: architecture.activationBits, inputs: inputs)
  }

  init(_ graph: LayerGraph, activationBits: Int, inputs lanes: Int) {
    self.init(
      activationBits: activationBits, tokens: graph.geometry.tokens, width: graph.width, inputs: 0, hidden: 0,
      heads: 0, attentionWidth: 0, classes: graph.geometry.classes)
    for layer in graph.layers {
      switch layer.kind {
      case .linear(let linear):
        if layer.inputCodes.isSigned {
          inputs = max(inputs, linear.depth)
        } else {
          hidden = max(hidden, linear.depth)
        }
      case .attention(let sizes):
        heads = max(heads, sizes.heads)
        // Channels of a head are padded to whole steps.
        attentionWidth = max(attentionWidth, sizes.heads * ceilDivide(sizes.headDimension, lanes) * lanes)
      case .norm: break
      }
    }
  }

  /// Throws where `needs` exceeds these limits.
  func check(_ needs: EngineLimits) throws {
    for (name, limit, need) in [
      ("activation bits", activationBits, needs.activationBits), ("tokens", tokens, needs.tokens),
      ("width", width, needs.width), ("inputs of a layer", inputs, needs.inputs),
      ("hidden width or patch inputs", hidden, needs.hidden), ("heads", heads, needs.heads),
      ("width of q, k or v, padded", attentionWidth, needs.attentionWidth), ("classes", classes, needs.classes),
    ] where need > limit {
      throw QuasarError(
        .badData, "engine: the network has \(need) \(name), the engine holds \(limit); choose or make a larger engine")
    }
  }
}
