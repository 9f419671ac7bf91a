import Foundation
import QuasarNetwork
import QuasarTensor

/// The choices of every gene: all sub-networks that can be cut from a supernet.
public struct SearchSpace: Codable, Hashable, Sendable {
  public var name: String
  public var geometry: ImageGeometry
  public var embedDimensions: [Int]
  public var depths: [Int]
  public var heads: [Int]
  public var mlpRatios: [Double]
  /// Shares of 8-bit rows, chosen for each of the four matrices of each block.
  public var shares: [RowShare]
  public var activationBits: [Int]

  public init(
    name: String, geometry: ImageGeometry, embedDimensions: [Int], depths: [Int], heads: [Int],
    mlpRatios: [Double], shares: [RowShare], activationBits: [Int]
  ) {
    self.name = name
    self.geometry = geometry
    self.embedDimensions = embedDimensions
    self.depths = depths
    self.heads = heads
    self.mlpRatios = mlpRatios
    self.shares = shares
    self.activationBits = activationBits
  }

  /// The architecture with every gene at its largest: 8-bit rows only, the most activation bits.
  public var largest: Architecture { extreme { $0.max() } }
  /// The architecture with every gene at its smallest.
  public var smallest: Architecture { extreme { $0.min() } }

  private func extreme(_ choose: ([Double]) -> Double?) -> Architecture {
    func number(_ choices: [Int]) -> Int { Int(choose(choices.map(Double.init)) ?? 0) }
    let share = RowShare(rawValue: number(shares.map(\.rawValue))) ?? .none
    let genes = BlockGenes(heads: number(heads), mlpRatio: choose(mlpRatios) ?? 1, shares: RowShares(share))
    return Architecture(
      geometry: geometry, embedDimension: number(embedDimensions), activationBits: number(activationBits),
      blocks: Array(repeating: genes, count: number(depths)))
  }

  /// One architecture with every gene drawn uniformly.
  public func sample(_ random: inout RandomStream) -> Architecture {
    let depth = random.pick(depths)
    let embed = random.pick(embedDimensions)
    let bits = random.pick(activationBits)
    return Architecture(
      geometry: geometry, embedDimension: embed, activationBits: bits,
      blocks: (0..<depth).map { _ in sampleBlock(&random) })
  }

  /// The genes of one block, drawn uniformly.
  public func sampleBlock(_ random: inout RandomStream) -> BlockGenes {
    BlockGenes(
      heads: random.pick(heads), mlpRatio: random.pick(mlpRatios), shares: RowShares { _ in random.pick(shares) })
  }

  /// log10 of the number of architectures: widths × bits × Σ over depths of (genes of a block)^depth.
  public var logSize: Double {
    let block = Double(heads.count * mlpRatios.count) * pow(Double(shares.count), Double(LayerID.Role.mixed.count))
    let blocks = depths.reduce(0.0) { $0 + pow(block, Double($1)) }
    return log10(blocks * Double(embedDimensions.count * activationBits.count))
  }

  /// True when every gene is one of the choices.
  public func contains(_ architecture: Architecture) -> Bool {
    architecture.geometry == geometry && embedDimensions.contains(architecture.embedDimension)
      && depths.contains(architecture.depth) && activationBits.contains(architecture.activationBits)
      && architecture.blocks.allSatisfy {
        heads.contains($0.heads) && mlpRatios.contains($0.mlpRatio)
          && $0.shares.values.allSatisfy(shares.contains)
      }
  }
}

extension SearchSpace {
  /// Throws for choices outside what any network can have; `source` is the file that they come from.
  public func validate(source: String) throws {
    for choices in [embedDimensions.isEmpty, depths.isEmpty, heads.isEmpty, mlpRatios.isEmpty, shares.isEmpty]
    where choices {
      throw QuasarError(.badData, "\(source): a gene has no choices")
    }
    guard !activationBits.isEmpty, depths.allSatisfy({ (1...256).contains($0) }) else {
      throw QuasarError(.badData, "\(source): activation bits are missing or depths \(depths) are not in 1…256")
    }
    guard activationBits.allSatisfy({ [4, 6, 8].contains($0) }) else {
      throw QuasarError(.badData, "\(source): activation bits \(activationBits) are none of 4, 6, 8")
    }
    try largest.validate(source: source)
    try smallest.validate(source: source)
  }
}
