import CKernels

/// lowest…highest: the codes that one operand of a product can take.
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

  /// The range in the form that the datapath models of CKernels read; codes have at most 16 bits.
  var descriptor: qk_code_range { qk_code_range(lowest: Int32(lowest), highest: Int32(highest)) }
}
