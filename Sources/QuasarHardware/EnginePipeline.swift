import QuasarTensor

/// Registers between the ends of the engine's units, in cycles. They are those of the RTL; simulation compares them.
public enum EnginePipeline {
  /// Operands to accumulated sum: DSP 4, decoder 2, accumulator 1 (`quasar_pe`).
  public static let element = 7

  /// Sum to code: DSP 4, or 5 for two of them; shift and saturate 1; clamp, residual sum or GELU table 1
  /// (`quasar_requantiser`).
  public static func requantisation(wide: Bool) -> Int { wide ? 7 : 6 }

  /// Weighted sum to code of the attention output (`quasar_context`).
  public static let context = 13

  /// The cycles of a run of T tokens of n chunks beyond (T + 2)·n: mean 17, square 5, root 22, reciprocal 31, codes 11,
  /// less 2, and the sum tree over the lanes twice (`quasar_layer_norm`).
  public static func norm(lanes: Int) -> Int { 84 + 2 * ceilLog2(lanes) }

  /// The cycles of a row of n chunks beyond n, from its first score to its first probability code: read-back, distance,
  /// product, shift, table and the maximum over the lanes (`quasar_softmax`).
  public static func softmaxCodes(lanes: Int) -> Int { 10 + ceilLog2(lanes) }

  /// The cycles of a run of T rows of n chunks beyond (T + 1)·n, until the last row's sum and reciprocal: the codes,
  /// their sum over the lanes and a divider of 16 bits.
  public static func softmax(lanes: Int) -> Int { 28 + 2 * ceilLog2(lanes) }

  /// Cycles to read the descriptor of a layer and start it (allowance).
  static let layerStart = 8
}

/// Bits stored per output row in addition to the codes: bias 32, multiplier 17, shift 6, rounded up to bytes.
let parameterBits = 56

/// ⌈bits / perCycle⌉.
@inline(__always)
func transferCycles(_ bits: Int, _ perCycle: Double) -> Int {
  bits == 0 ? 0 : Int((Double(bits) / perCycle).rounded(.up))
}
