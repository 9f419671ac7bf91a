/// The codes of one quantiser: low…high, real value = step·(code − zero).
public struct CodeRange: Hashable, Sendable {
  public var low: Int32
  public var high: Int32

  public init(low: Int32, high: Int32) {
    self.low = low
    self.high = high
  }

  /// −(2^(bits−1) − 1)…2^(bits−1) − 1. Example: 6 bits → −31…31.
  public static func signedNarrow(bits: Int) -> CodeRange {
    let limit = Int32(1 << (bits - 1)) - 1
    return CodeRange(low: -limit, high: limit)
  }

  /// 0…2^bits − 1
  public static func unsigned(bits: Int) -> CodeRange {
    CodeRange(low: 0, high: Int32(1 << bits) - 1)
  }

  /// The int16 residual stream.
  public static let residual = CodeRange(low: -32768, high: 32767)
}

/// The unsigned quantiser of GELU outputs: real = step·(code − zero).
public struct GELUQuantizer: Hashable, Sendable {
  /// −min GELU, reached at x = −0.7518.
  public static let depth = 0.1699712

  public var step: Float
  public var bits: Int

  public init(step: Float, bits: Int) {
    self.step = step
    self.bits = bits
  }

  /// round(0.16997/step), at most 2^bits − 1: the code of real 0.
  public var zero: Int32 {
    Int32(min(Double((1 << bits) - 1), (GELUQuantizer.depth / Double(step)).rounded()))
  }

  /// Limits of round(x/step), the code without its offset.
  public var limits: CodeRange {
    CodeRange(low: -zero, high: Int32(1 << bits) - 1 - zero)
  }
}
