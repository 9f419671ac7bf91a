/// The image size and the number of classes, the same for every sub-network of a space.
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
  /// channels·patchSize²: inputs per patch of the patch embedding.
  public var patchInputs: Int { channels * patchSize * patchSize }
}

/// One sub-network: every searched decision, with the geometry it belongs to.
///
/// Embedding width and activation bits hold for the whole network. Heads, MLP ratio and shares of 8-bit rows belong to
/// each block. Patch embedding and head always have 8-bit rows and 8-bit inputs.
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
    for i in copy.blocks.indices { copy.blocks[i].shares = RowShares(share) }
    return copy
  }
}
