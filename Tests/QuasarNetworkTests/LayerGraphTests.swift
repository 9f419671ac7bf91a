import QuasarNetwork
import Testing

/// The graph against a network written down by hand.
@Suite struct LayerGraphTests {
  /// 8×8 grey pixels, patch 4: 4 patches of 16 pixels, 5 tokens; width 16, 2 heads of 8, MLP 24, 3 classes, 6 bits.
  private static let architecture = Architecture(
    geometry: ImageGeometry(imageSize: 8, channels: 1, patchSize: 4, classes: 3, headDimension: 8), embedDimension: 16,
    activationBits: 6,
    blocks: [
      BlockGenes(heads: 2, mlpRatio: 1.5, shares: [.qkv: .none, .projection: .half, .expand: .quarter]),
      BlockGenes(heads: 1, mlpRatio: 1, shares: RowShares(.none)),
    ])

  @Test func layersByHand() {
    let graph = LayerGraph(Self.architecture)
    // Name, input, layer added to, rows of the input per image, width of the output, bits in and out (− unsigned).
    let expected: [(String, String?, String?, [Int])] = [
      ("patch_embed", nil, nil, [4, 16, -8, 16]),
      ("blocks.0.norm1", "patch_embed", nil, [5, 16, 16, 6]),
      ("blocks.0.qkv", "blocks.0.norm1", nil, [5, 48, 6, 6]),
      ("blocks.0.attention", "blocks.0.qkv", nil, [5, 16, 6, 6]),
      ("blocks.0.projection", "blocks.0.attention", "patch_embed", [5, 16, 6, 16]),
      ("blocks.0.norm2", "blocks.0.projection", nil, [5, 16, 16, 6]),
      ("blocks.0.expand", "blocks.0.norm2", nil, [5, 24, 6, -6]),
      ("blocks.0.contract", "blocks.0.expand", "blocks.0.projection", [5, 16, -6, 16]),
      ("blocks.1.norm1", "blocks.0.contract", nil, [5, 16, 16, 6]),
      ("blocks.1.qkv", "blocks.1.norm1", nil, [5, 24, 6, 6]),
      ("blocks.1.attention", "blocks.1.qkv", nil, [5, 8, 6, 6]),
      ("blocks.1.projection", "blocks.1.attention", "blocks.0.contract", [5, 16, 6, 16]),
      ("blocks.1.norm2", "blocks.1.projection", nil, [5, 16, 16, 6]),
      ("blocks.1.expand", "blocks.1.norm2", nil, [5, 16, 6, -6]),
      ("blocks.1.contract", "blocks.1.expand", "blocks.1.projection", [5, 16, -6, 16]),
      ("norm", "blocks.1.contract", nil, [1, 16, 16, 8]),
      ("head", "norm", nil, [1, 3, 8, 32]),
    ]
    #expect(graph.names == expected.map(\.0))
    for (layer, line) in zip(graph.layers, expected) {
      func bits(_ codes: CodeFormat) -> Int { codes.isSigned ? codes.bits : -codes.bits }
      #expect(layer.input?.description == line.1 && layer.residual?.description == line.2, "\(layer.id)")
      let numbers = [layer.tokens, layer.width, bits(layer.inputCodes), bits(layer.outputCodes)]
      #expect(numbers == line.3, "\(layer.id)")
    }
    #expect(graph.layers.compactMap(\.branch) == [0, 1, 2, 3])
    #expect(graph.block(1).map(\.id) == graph.layers[8..<15].map(\.id) && graph.depth == 2)
    #expect(graph.layers.compactMap(\.attention).map(\.heads) == [2, 1])
  }

  /// Rows, columns and 8-bit rows: half of 16 rows is 8, a quarter of 24 rounds to 8; unnamed matrices have 8-bit rows
  /// only.
  @Test func matricesByHand() {
    let linears = LayerGraph(Self.architecture).linears.map { [$0.linear.rows, $0.linear.depth, $0.linear.rows8] }
    #expect(
      linears == [
        [16, 16, 16], [48, 16, 0], [16, 16, 8], [24, 16, 8], [16, 24, 16], [24, 16, 0], [16, 8, 0], [16, 16, 0],
        [16, 16, 0], [3, 16, 3],
      ])
  }

  @Test func namesAreWrittenInOnePlace() {
    #expect(LayerID(.qkv, block: 3).description == "blocks.3.qkv" && LayerID(.patches).description == "patch_embed")
    #expect(
      LayerID(.qkv, block: 3).name("weight") == "blocks.3.qkv.weight" && LayerID(.head).name("bias") == "head.bias")
    #expect(LayerID(.contract, block: 0).name(of: "gain2") == "blocks.0.gain2" && LayerID(.norm).name(of: "x") == "x")
  }

  @Test func everyLayerIsFoundByItsName() {
    let graph = LayerGraph(Self.architecture)
    for (place, layer) in graph.layers.enumerated() { #expect(graph.index(of: layer.id) == place) }
    for id in [
      LayerID(.qkv), LayerID(.head, block: 0), LayerID(.qkv, block: graph.depth), LayerID(.qkv, block: -1),
    ] {
      #expect(graph.index(of: id) == nil, "\(id)")
    }
  }

  /// Every output is released when its last reader has run, and not before.
  @Test func outputsLiveAsLongAsTheyAreRead() {
    final class Value {
      let id: LayerID
      init(_ id: LayerID) { self.id = id }
    }
    let graph = LayerGraph(Self.architecture)
    var outputs = LayerOutputs<Value>(graph)
    var living: [LayerID: () -> Bool] = [:]
    for layer in graph.layers {
      for source in [layer.input, layer.residual].compactMap({ $0 }) { #expect(outputs[source].id == source) }
      let value = Value(layer.id)
      living[layer.id] = { [weak value] in value != nil }
      outputs.finish(layer, value)
    }
    // Only the logits remain: no layer reads them.
    #expect(living.filter { $0.value() }.map(\.key) == [LayerID(.head)])
  }

  @Test func sharesAreKeptByName() throws {
    let genes = Self.architecture.blocks[0]
    #expect(genes.shares[.contract] == .all && genes.shares.values == [.none, .half, .quarter, .all])
  }
}
