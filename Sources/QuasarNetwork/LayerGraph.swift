/// The layers of a network in the order of execution, with their sizes, code widths and connections.
///
/// This is the only place that states how a vision transformer is put together. Execution, cycles, datapath planning,
/// golden vectors, the packed file, extraction and reports walk `layers`. The fused training block and the plain
/// executor of the tests are written by hand; tests compare them with the graph.
///
/// Per block: norm1 → qkv → attention → projection (+ stream) → norm2 → expand (GELU) → contract (+ stream). The patch
/// embedding comes before the blocks. The final norm and the head come after them and read the class token alone.
public struct LayerGraph: Hashable, Sendable {
  /// The sizes of one block.
  public struct Block: Hashable, Sendable {
    public var heads: Int
    /// Width of q, of k and of v.
    public var attentionWidth: Int
    public var hiddenWidth: Int
    public var shares: RowShares

    public init(heads: Int, attentionWidth: Int, hiddenWidth: Int, shares: RowShares = .all) {
      self.heads = heads
      self.attentionWidth = attentionWidth
      self.hiddenWidth = hiddenWidth
      self.shares = shares
    }
  }

  public let geometry: ImageGeometry
  /// Width of the residual stream.
  public let width: Int
  /// Number of blocks.
  public let depth: Int
  public let layers: [Layer]
  /// Places of each block's layers in `layers`.
  private let places: [Range<Int>]

  /// The layers of an architecture.
  public init(_ architecture: Architecture) {
    self.init(
      geometry: architecture.geometry, width: architecture.embedDimension,
      activationBits: architecture.activationBits,
      blocks: architecture.blocks.indices.map {
        Block(
          heads: architecture.blocks[$0].heads, attentionWidth: architecture.attentionWidth($0),
          hiddenWidth: architecture.hiddenWidth($0), shares: architecture.blocks[$0].shares)
      })
  }

  /// The layers of blocks with these sizes; `width` is the width of the residual stream.
  public init(geometry: ImageGeometry, width: Int, activationBits bits: Int, blocks: [Block]) {
    self.geometry = geometry
    self.width = width
    depth = blocks.count
    let tokens = geometry.tokens
    let codes = CodeFormat.signed(bits)
    var layers: [Layer] = []
    layers.reserveCapacity(3 + 7 * blocks.count)
    var places: [Range<Int>] = []

    var branches = 0
    func linear(
      parts: Int = 1, groups: Int = 1, rows groupRows: Int, depth: Int, share: RowShare, _ finish: Layer.Finish
    ) -> Layer.Kind {
      .linear(
        Layer.Linear(
          depth: depth, parts: parts, groups: groups, groupRows: groupRows, groupRows8: share.rows8(of: groupRows),
          finish: finish))
    }
    func add(
      _ id: LayerID, _ kind: Layer.Kind, from input: LayerID?, plus residual: LayerID? = nil, tokens: Int, width: Int,
      _ inputCodes: CodeFormat, _ outputCodes: CodeFormat
    ) {
      layers.append(
        Layer(
          id: id, kind: kind, input: input, residual: residual, branch: residual == nil ? nil : branches,
          tokens: tokens, width: width, inputCodes: inputCodes, outputCodes: outputCodes))
      if residual != nil { branches += 1 }
    }

    let patches = LayerID(.patches)
    add(
      patches, linear(rows: width, depth: geometry.patchInputs, share: .all, .embedding), from: nil,
      tokens: geometry.patches, width: width, .pixels, .residual)
    var stream = patches
    for (i, block) in blocks.enumerated() {
      func id(_ role: LayerID.Role) -> LayerID { LayerID(role, block: i) }
      let (inner, hidden, shares) = (block.attentionWidth, block.hiddenWidth, block.shares)
      let (head, first) = (geometry.headDimension, layers.count)
      add(id(.norm1), .norm, from: stream, tokens: tokens, width: width, .residual, codes)
      // q, k, v and the heads share the 8-bit rows evenly, so each head has the same mix.
      add(
        id(.qkv), linear(parts: 3, groups: block.heads, rows: head, depth: width, share: shares[.qkv], .codes),
        from: id(.norm1), tokens: tokens, width: 3 * inner, codes, codes)
      add(
        id(.attention), .attention(Layer.Attention(heads: block.heads, headDimension: head)), from: id(.qkv),
        tokens: tokens, width: inner, codes, codes)
      add(
        id(.projection), linear(rows: width, depth: inner, share: shares[.projection], .residual),
        from: id(.attention), plus: stream, tokens: tokens, width: width, codes, .residual)
      stream = id(.projection)
      add(id(.norm2), .norm, from: stream, tokens: tokens, width: width, .residual, codes)
      add(
        id(.expand), linear(rows: hidden, depth: width, share: shares[.expand], .table), from: id(.norm2),
        tokens: tokens, width: hidden, codes, .unsigned(bits))
      add(
        id(.contract), linear(rows: width, depth: hidden, share: shares[.contract], .residual), from: id(.expand),
        plus: stream, tokens: tokens, width: width, .unsigned(bits), .residual)
      stream = id(.contract)
      places.append(first..<layers.count)
    }
    add(LayerID(.norm), .norm, from: stream, tokens: 1, width: width, .residual, .signed(8))
    add(
      LayerID(.head), linear(rows: geometry.classes, depth: width, share: .all, .logits), from: LayerID(.norm),
      tokens: 1, width: geometry.classes, .signed(8), .logits)
    self.layers = layers
    self.places = places
  }

  /// The layers of block i.
  public func block(_ i: Int) -> ArraySlice<Layer> { layers[places[i]] }

  /// Names of the layers: "patch_embed", "blocks.0.norm1", …, "norm", "head".
  public var names: [String] { layers.map(\.id.description) }

  /// The index of a layer in `layers`; nil for a name that the network does not have.
  ///
  /// It looks at the layers of one block only, as every layer asks for its inputs each time a network runs.
  public func index(of id: LayerID) -> Int? {
    guard let block = id.block else {
      let (first, end) = (places.first?.lowerBound ?? 0, places.last?.upperBound ?? 0)
      return layers[..<first].firstIndex { $0.id == id } ?? layers[end...].firstIndex { $0.id == id }
    }
    return places.indices.contains(block) ? layers[places[block]].firstIndex { $0.id == id } : nil
  }

  /// The linear layers with their matrices, in the order of execution.
  public var linears: [(layer: Layer, linear: Layer.Linear)] {
    layers.compactMap { layer in layer.linear.map { (layer, $0) } }
  }
}

extension Architecture {
  /// Share of 8-bit rows over all weight matrices, first and last included.
  public var share8Bit: Double {
    let linears = LayerGraph(self).linears.map(\.linear)
    return Double(linears.reduce(0) { $0 + $1.rows8 }) / Double(linears.reduce(0) { $0 + $1.rows })
  }

  /// Σ bits / Σ weights over all weight matrices, first and last included.
  public var averageWeightBits: Double {
    let linears = LayerGraph(self).linears.map(\.linear)
    return Double(linears.reduce(0) { $0 + $1.weightBits }) / Double(linears.reduce(0) { $0 + $1.rows * $1.depth })
  }

  /// Multiply–accumulates per image: all matrix products, attention scores and context included.
  public var multiplyAccumulates: Int {
    LayerGraph(self).layers.reduce(0) { total, layer in
      switch layer.kind {
      case .linear(let linear): total + layer.tokens * linear.rows * linear.depth
      case .attention: total + 2 * layer.tokens * layer.tokens * layer.width
      case .norm: total
      }
    }
  }
}
