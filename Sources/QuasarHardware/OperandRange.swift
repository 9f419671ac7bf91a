/// lowest…highest: the codes one operand of a product can take.
public struct OperandRange: Codable, Hashable, Sendable {
  public var lowest: Int
  public var highest: Int

  public init(lowest: Int, highest: Int) {
    self.lowest = lowest
    self.highest = highest
  }

  /// −2^(b−1)…2^(b−1)−1, or −(2^(b−1)−1)…2^(b−1)−1 when `narrow`.
  public static func signed(bits: Int, narrow: Bool) -> OperandRange {
    let highest = (1 << (bits - 1)) - 1
    return OperandRange(lowest: narrow ? -highest : -highest - 1, highest: highest)
  }

  /// 0…2^b−1.
  public static func unsigned(bits: Int) -> OperandRange { OperandRange(lowest: 0, highest: (1 << bits) - 1) }

  /// [min, max] over a ∈ self, b ∈ other of a·b, from the four corners (the product is bilinear).
  public func products(with other: OperandRange) -> OperandRange {
    let corners = [
      lowest * other.lowest, lowest * other.highest, highest * other.lowest, highest * other.highest,
    ]
    return OperandRange(lowest: corners.min()!, highest: corners.max()!)
  }

  /// The largest n with n·self inside a field of `bits` bits; nil when every n fits (all products zero).
  ///
  /// A field whose products can be negative is read signed: n·highest ≤ 2^(bits−1)−1 and n·lowest ≥
  /// −2^(bits−1). A field whose products cannot be negative is read unsigned: n·highest ≤ 2^bits−1.
  /// Example: int8 × int8 in 18 bits: min(131071 / 16384, 131072 / 16256) = 7.
  public func depth(inBits bits: Int) -> Int? {
    if lowest >= 0 { return highest > 0 ? ((1 << bits) - 1) / highest : nil }
    let below = (1 << (bits - 1)) / -lowest
    return highest > 0 ? min(((1 << (bits - 1)) - 1) / highest, below) : below
  }
}
