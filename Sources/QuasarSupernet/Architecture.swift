/// The share of 8-bit rows of one weight matrix, in quarters: 0, ¼, ½, ¾ or 1; all other rows have 4 bits.
public enum RowShare: Int, CaseIterable, Codable, Hashable, Sendable {
  case none = 0
  case quarter = 1
  case half = 2
  case threeQuarters = 3
  case all = 4

  /// The share as a number, 0…1.
  public var value: Double { Double(rawValue) / 4 }

  /// round(r·rows/8)·8, at most `rows`: the number of 8-bit rows among `rows` rows.
  ///
  /// Halves round up. `all` means every row, also when `rows` is no multiple of 8.
  /// Example: a quarter of 96 rows → 24.
  public func rows8(of rows: Int) -> Int {
    if self == .all { return rows }
    return min(rows, (rawValue * rows + 16) / 32 * 8)
  }

  public init?(value: Double) {
    guard let share = RowShare.allCases.first(where: { $0.value == value }) else { return nil }
    self = share
  }
}

/// What stays the same for every sub-network of a space: the images and the classes.
public struct ImageGeometry: Codable, Hashable, Sendable {
  /// Height and width of the square image, in pixels.
  public var imageSize: Int
  public var channels: Int
  /// Height and width of one square patch, in pixels; divides `imageSize`.
  public var patchSize: Int
  public var classes: Int
  /// Width of one attention head; q, k and v are heads·headDimension wide.
  public var headDimension: Int

  public init(imageSize: Int, channels: Int, patchSize: Int, classes: Int, headDimension: Int) {
    self.imageSize = imageSize
    self.channels = channels
    self.patchSize = patchSize
    self.classes = classes
    self.headDimension = headDimension
  }

  /// (imageSize / patchSize)²
  public var patches: Int { (imageSize / patchSize) * (imageSize / patchSize) }
  /// Patches and the class token.
  public var tokens: Int { patches + 1 }
  /// channels·patchSize²: inputs of the patch embedding.
  public var patchInputs: Int { channels * patchSize * patchSize }
}

/// The genes of one transformer block.
public struct BlockGenes: Codable, Hashable, Sendable {
  public var heads: Int
  /// Hidden width of the MLP as a multiple of the embedding width.
  public var mlpRatio: Double
  /// Share of 8-bit rows of each of the four weight matrices.
  public var qkv: RowShare
  public var projection: RowShare
  public var expand: RowShare
  public var contract: RowShare

  public init(
    heads: Int, mlpRatio: Double, qkv: RowShare, projection: RowShare, expand: RowShare, contract: RowShare
  ) {
    self.heads = heads
    self.mlpRatio = mlpRatio
    self.qkv = qkv
    self.projection = projection
    self.expand = expand
    self.contract = contract
  }
}

/// One sub-network: every searched decision, with the geometry it belongs to.
///
/// Embedding width and activation bits hold for the whole network; heads, MLP ratio and shares of 8-bit rows
/// for each block. Patch embedding and head always have 8-bit rows and 8-bit inputs.
public struct Architecture: Codable, Hashable, Sendable {
  public var geometry: ImageGeometry
  public var embedDimension: Int
  /// Bits of the codes between the layers: 8 or 6 (4 is allowed).
  public var activationBits: Int
  public var blocks: [BlockGenes]

  public init(geometry: ImageGeometry, embedDimension: Int, activationBits: Int, blocks: [BlockGenes]) {
    self.geometry = geometry
    self.embedDimension = embedDimension
    self.activationBits = activationBits
    self.blocks = blocks
  }

  public var depth: Int { blocks.count }

  /// heads·headDimension of block i: the width of q, of k and of v.
  public func attentionWidth(_ block: Int) -> Int { blocks[block].heads * geometry.headDimension }

  /// Hidden width of the MLP of block i: embedDimension·mlpRatio, rounded to a multiple of 8.
  public func hiddenWidth(_ block: Int) -> Int {
    max(8, Int((Double(embedDimension) * blocks[block].mlpRatio / 8).rounded()) * 8)
  }

  /// The same shape with one precision everywhere: `bits` 4 or 8 for all blocks.
  public func uniform(share: RowShare, activationBits: Int) -> Architecture {
    var copy = self
    copy.activationBits = activationBits
    for i in copy.blocks.indices {
      copy.blocks[i].qkv = share
      copy.blocks[i].projection = share
      copy.blocks[i].expand = share
      copy.blocks[i].contract = share
    }
    return copy
  }
}
