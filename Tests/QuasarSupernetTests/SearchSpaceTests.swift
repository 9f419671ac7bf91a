import QuasarNetwork
import QuasarSupernet
import QuasarTensor
import Testing

@Suite struct SearchSpaceTests {
  @Test(arguments: SearchSpace.presets)
  func presetHasSaneExtremes(name: String) throws {
    let space = try SearchSpace.load(name)
    #expect(space.name == name)
    let (large, small) = (space.largest, space.smallest)
    #expect(space.contains(large) && space.contains(small))
    #expect(large.multiplyAccumulates > small.multiplyAccumulates)
    #expect(large.averageWeightBits > small.averageWeightBits && small.averageWeightBits < 8)
    #expect((large.averageWeightBits == 8) == space.shares.contains(.all))
    #expect(large.depth == space.depths.max() && small.depth == space.depths.min())
    #expect(large.activationBits == 8 && small.activationBits == 6)
    #expect(space.geometry.tokens <= 256 && space.logSize > 3)
    var random = RandomSource(seed: 1).generator("sample")
    for _ in 0..<50 {
      let drawn = space.sample(&random)
      #expect(space.contains(drawn))
      #expect(drawn.multiplyAccumulates <= large.multiplyAccumulates)
      #expect(drawn.multiplyAccumulates >= small.multiplyAccumulates)
    }
  }

  @Test func containsLooksAtEveryGene() {
    let space = Tiny.space
    let inside = space.largest
    #expect(space.contains(inside))
    let changes: [(inout Architecture) -> Void] = [
      { $0.embedDimension = 24 }, { $0.activationBits = 7 }, { $0.blocks.append($0.blocks[0]) },
      { $0.blocks = [] }, { $0.blocks[1].heads = 3 }, { $0.blocks[1].mlpRatio = 1.5 },
      { $0.geometry.classes = 4 },
    ]
    for (i, change) in changes.enumerated() {
      var outside = inside
      change(&outside)
      #expect(!space.contains(outside), "change \(i)")
    }
    var narrow = space
    narrow.shares = [.none, .all]
    for role in LayerID.Role.mixed {
      var outside = inside
      outside.blocks[1].shares[role] = .half
      #expect(narrow.contains(inside) && !narrow.contains(outside))
    }
  }

  /// 3,000 draws of k choices: each count is within 6 standard deviations of 3,000/k.
  @Test func everyChoiceIsDrawnEvenly() {
    var random = RandomSource(seed: 7).generator("uniform")
    var counts: [String: [String: Int]] = [:]
    func count(_ gene: String, _ value: some CustomStringConvertible) {
      counts[gene, default: [:]][value.description, default: 0] += 1
    }
    let draws = 3000
    for _ in 0..<draws {
      let drawn = Tiny.space.sample(&random)
      count("embed", drawn.embedDimension)
      count("depth", drawn.depth)
      count("bits", drawn.activationBits)
      count("heads", drawn.blocks[0].heads)
      count("ratio", drawn.blocks[0].mlpRatio)
      for role in LayerID.Role.mixed { count(role.rawValue, drawn.blocks[0].shares[role].rawValue) }
    }
    let choices = [
      "embed": 2, "depth": 2, "bits": 3, "heads": 2, "ratio": 2, "qkv": 5, "projection": 5, "expand": 5,
      "contract": 5,
    ]
    for (gene, k) in choices {
      let found = counts[gene] ?? [:]
      #expect(found.count == k, "\(gene): \(found)")
      let p = 1 / Double(k)
      let bound = 6 * (Double(draws) * p * (1 - p)).squareRoot()
      for (value, n) in found {
        #expect(abs(Double(n) - Double(draws) * p) < bound, "\(gene) \(value): \(n)")
      }
    }
  }

  @Test func sizeOfASpaceByHand() {
    // Blocks: 2 heads × 2 ratios × 5⁴ = 2500; (2500 + 2500²) × 2 widths × 3 bits.
    let number = (2500.0 + 2500 * 2500) * 6
    #expect(abs(Tiny.space.logSize - 7.574_205) < 1e-5 && number == 37_515_000)
  }
}
