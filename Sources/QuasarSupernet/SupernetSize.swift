import QuasarNetwork

/// The largest size on every axis, which the shared weights must hold.
public struct SupernetSize: Codable, Hashable, Sendable {
  public var geometry: ImageGeometry
  public var embedDimension: Int
  /// heads·headDimension of each block.
  public var attentionWidths: [Int]
  public var hiddenWidths: [Int]
  /// Activation bits that have their own steps.
  public var activationBits: [Int]

  public init(
    geometry: ImageGeometry, embedDimension: Int, attentionWidths: [Int], hiddenWidths: [Int],
    activationBits: [Int]
  ) {
    self.geometry = geometry
    self.embedDimension = embedDimension
    self.attentionWidths = attentionWidths
    self.hiddenWidths = hiddenWidths
    self.activationBits = activationBits
  }

  /// The sizes of exactly one architecture.
  public init(_ architecture: Architecture) {
    self.init(
      geometry: architecture.geometry, embedDimension: architecture.embedDimension,
      attentionWidths: architecture.blocks.indices.map { architecture.attentionWidth($0) },
      hiddenWidths: architecture.blocks.indices.map { architecture.hiddenWidth($0) },
      activationBits: [architecture.activationBits])
  }

  /// The sizes that hold every architecture of a space.
  public init(_ space: SearchSpace) {
    let embed = space.embedDimensions.max() ?? 0
    let depth = space.depths.max() ?? 0
    let heads = space.heads.max() ?? 0
    let ratio = space.mlpRatios.max() ?? 0
    let hidden = max(8, Int((Double(embed) * ratio / 8).rounded()) * 8)
    self.init(
      geometry: space.geometry, embedDimension: embed,
      attentionWidths: Array(repeating: heads * space.geometry.headDimension, count: depth),
      hiddenWidths: Array(repeating: hidden, count: depth), activationBits: space.activationBits)
  }
}

extension SupernetSize {
  /// The layers of the largest network, every row at 8 bits.
  public var graph: LayerGraph {
    LayerGraph(
      geometry: geometry, width: embedDimension, activationBits: activationBits.max() ?? 8,
      blocks: zip(attentionWidths, hiddenWidths).map { width, hidden in
        LayerGraph.Block(heads: width / max(1, geometry.headDimension), attentionWidth: width, hiddenWidth: hidden)
      })
  }
}
