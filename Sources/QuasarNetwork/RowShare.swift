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
  /// Halves round up. `all` means every row, even when `rows` is not a multiple of 8.
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

/// The share of 8-bit rows of each weight matrix of a block.
///
/// Example: `RowShares(.quarter)[.qkv]` → `.quarter`.
public struct RowShares: Hashable, Sendable {
  /// The shares in the order of execution (`LayerID.Role.mixed`).
  public private(set) var values: [RowShare]

  /// One share for all matrices.
  public init(_ share: RowShare) {
    values = Array(repeating: share, count: LayerID.Role.mixed.count)
  }

  /// A share for each matrix; the closure is called in the order of execution.
  public init(_ share: (LayerID.Role) throws -> RowShare) rethrows {
    values = try LayerID.Role.mixed.map(share)
  }

  /// Every row at 8 bits.
  public static let all = RowShares(.all)

  /// The share of one matrix; `role` is one of `LayerID.Role.mixed`.
  public subscript(role: LayerID.Role) -> RowShare {
    get { values[RowShares.place(role)] }
    set { values[RowShares.place(role)] = newValue }
  }

  private static func place(_ role: LayerID.Role) -> Int {
    guard let place = LayerID.Role.mixed.firstIndex(of: role) else {
      preconditionFailure("\(role.rawValue) has no share of 8-bit rows: its precision is fixed")
    }
    return place
  }
}

extension RowShares: ExpressibleByDictionaryLiteral {
  /// Shares by the role of their matrix; a matrix that is left out has 8-bit rows only.
  ///
  /// Example: `[.qkv: .half, .contract: .none]`.
  public init(dictionaryLiteral elements: (LayerID.Role, RowShare)...) {
    self.init(.all)
    for (role, share) in elements { self[role] = share }
  }
}
