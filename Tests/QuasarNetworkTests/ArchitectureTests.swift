import QuasarNetwork
import Testing

@Suite struct ArchitectureTests {
  private static let geometry = ImageGeometry(imageSize: 8, channels: 1, patchSize: 4, classes: 3, headDimension: 8)
  private static let full = Architecture(
    geometry: geometry, embedDimension: 16, activationBits: 8,
    blocks: [
      BlockGenes(
        heads: 2, mlpRatio: 2, shares: [.qkv: .half, .projection: .quarter, .expand: .threeQuarters, .contract: .none]),
      BlockGenes(
        heads: 2, mlpRatio: 2, shares: [.qkv: .none, .projection: .quarter, .expand: .threeQuarters, .contract: .none]),
    ])

  /// round(r·N/8)·8 with halves up, in exact quarters: r·N/8 = share·N/32.
  @Test func numberOfEightBitRows() {
    let expected: [(rows: Int, counts: [Int])] = [
      (8, [0, 0, 8, 8, 8]), (16, [0, 8, 8, 16, 16]), (24, [0, 8, 16, 16, 24]), (32, [0, 8, 16, 24, 32]),
      (96, [0, 24, 48, 72, 96]), (40, [0, 8, 24, 32, 40]), (10, [0, 0, 8, 8, 10]), (3, [0, 0, 0, 0, 3]),
      (192, [0, 48, 96, 144, 192]),
    ]
    for (rows, counts) in expected {
      #expect(RowShare.allCases.map { $0.rows8(of: rows) } == counts, "\(rows) rows")
    }
  }

  @Test func sharesGrowAndStayInside() {
    for rows in 1...300 {
      let counts = RowShare.allCases.map { $0.rows8(of: rows) }
      #expect(counts == counts.sorted() && counts[0] == 0 && counts[4] == rows, "\(rows) rows: \(counts)")
      for (share, count) in zip(RowShare.allCases, counts) where share != .all {
        #expect(count % 8 == 0 && abs(Double(count) - share.value * Double(rows)) <= 4 || count == rows)
      }
    }
  }

  @Test func shareFromNumber() {
    #expect([0, 0.25, 0.5, 0.75, 1].map { RowShare(value: $0) } == RowShare.allCases)
    #expect(RowShare(value: 0.3) == nil && RowShare(value: -0.25) == nil && RowShare(value: 1.25) == nil)
  }

  /// One block, worked by hand: 8×8 pixels, patch 4, embed 16, 2 heads of 8, MLP 24, 3 classes.
  @Test func matricesOfOneBlockByHand() {
    let architecture = Architecture(
      geometry: Self.geometry, embedDimension: 16, activationBits: 8,
      blocks: [
        BlockGenes(
          heads: 2, mlpRatio: 1.5, shares: [.qkv: .half, .projection: .quarter, .expand: .half, .contract: .none])
      ])
    #expect(architecture.geometry.tokens == 5 && architecture.geometry.patchInputs == 16)
    #expect(architecture.attentionWidth(0) == 16 && architecture.hiddenWidth(0) == 24)
    // Half of the 8 rows of each head of qkv rounds to 8: all 48.
    let expected: [(String, [Int])] = [
      ("patch_embed", [16, 16, 16]), ("blocks.0.qkv", [48, 16, 48]), ("blocks.0.projection", [16, 16, 8]),
      ("blocks.0.expand", [24, 16, 16]), ("blocks.0.contract", [16, 24, 0]), ("head", [3, 16, 3]),
    ]
    let linears = LayerGraph(architecture).linears
    #expect(linears.map(\.layer.id.description) == expected.map(\.0))
    #expect(linears.map { [$0.linear.rows, $0.linear.depth, $0.linear.rows8] } == expected.map(\.1))
    // Weights 256 + 768 + 256 + 384 + 384 + 48 = 2096, of which 128 + 128 + 384 = 640 have 4 bits.
    #expect(architecture.averageWeightBits == Double(2096 * 8 - 640 * 4) / 2096)
    // 8-bit rows 16 + 48 + 8 + 16 + 0 + 3 = 91 of 123.
    #expect(architecture.share8Bit == 91.0 / 123)
    // Patches 4·256, head 48, 5 tokens · (768 + 256 + 384 + 384), scores and context 2·25·16.
    #expect(architecture.multiplyAccumulates == 1024 + 48 + 5 * 1792 + 800)
  }

  @Test func hiddenWidthIsAMultipleOfEight() {
    var architecture = Self.full
    for (embed, ratio, expected) in [(40, 1.5, 64), (16, 0.25, 8), (56, 1.5, 88), (8, 1, 8)] {
      architecture.embedDimension = embed
      architecture.blocks[0].mlpRatio = ratio
      #expect(architecture.hiddenWidth(0) == expected, "\(embed) × \(ratio)")
    }
  }

  @Test func uniformPrecisionBoundsTheBits() {
    let eight = Self.full.uniform(share: .all, activationBits: 6)
    #expect(eight.averageWeightBits == 8 && eight.share8Bit == 1 && eight.activationBits == 6)
    let four = Self.full.uniform(share: .none, activationBits: 8)
    #expect(four.averageWeightBits > 4 && four.averageWeightBits < 5)
    #expect(four.multiplyAccumulates == eight.multiplyAccumulates)
  }
}
