/// The genes of one transformer block.
public struct BlockGenes: Hashable, Sendable {
  public var heads: Int
  /// Hidden width of the MLP as a multiple of the embedding width.
  public var mlpRatio: Double
  public var shares: RowShares

  public init(heads: Int, mlpRatio: Double, shares: RowShares) {
    self.heads = heads
    self.mlpRatio = mlpRatio
    self.shares = shares
  }
}

extension BlockGenes: Codable {
  /// "heads", "mlpRatio" and the roles of the matrices, all at one level.
  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }

    static let heads = Key(stringValue: "heads")
    static let mlpRatio = Key(stringValue: "mlpRatio")
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    heads = try values.decode(Int.self, forKey: .heads)
    mlpRatio = try values.decode(Double.self, forKey: .mlpRatio)
    shares = try RowShares { try values.decode(RowShare.self, forKey: Key(stringValue: $0.rawValue)) }
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    try values.encode(heads, forKey: .heads)
    try values.encode(mlpRatio, forKey: .mlpRatio)
    for role in LayerID.Role.mixed { try values.encode(shares[role], forKey: Key(stringValue: role.rawValue)) }
  }
}
