import CKernels
import QuasarTensor

/// The deviations of an engine's arithmetic from the contract; the C record of CKernels.
public typealias HardwareSpec = qk_hardware_spec

extension HardwareSpec {
  /// Exact: 32-bit accumulators, exact decode, proved chains, rounding shifts, whole tables.
  public static var exact: HardwareSpec { qk_hardware_spec_exact() }

  /// Throws when a field exceeds its range.
  public func validate() throws {
    var copy = self
    try qk_hardware_spec_check(&copy).check("hardware spec")
  }

  /// True if shifts of this unit leave out their rounding constant (`QK_TRUNCATE_…`).
  public func truncates(_ unit: Int) -> Bool { truncated & Int32(unit) != 0 }
}

/// The processing elements of an engine, as far as its arithmetic depends on them.
public struct DatapathEngine: Hashable, Sendable {
  public var fourBitMode: PackingMode
  public var eightBitMode: PackingMode
  public var attentionMode: PackingMode
  /// Slices along the inputs: P_k.
  public var inputLanes: Int
  /// Slices along the tokens.
  public var tokenElements: Int
  /// Tokens of a tile whose multipliers are made of LUTs.
  public var fabricTokens: Int
  /// Upper limit of L; the packing depth limits it too.
  public var maximumChainLength: Int

  public init(
    fourBitMode: PackingMode, eightBitMode: PackingMode, attentionMode: PackingMode, inputLanes: Int,
    tokenElements: Int, fabricTokens: Int = 0, maximumChainLength: Int = 4095
  ) {
    self.fourBitMode = fourBitMode
    self.eightBitMode = eightBitMode
    self.attentionMode = attentionMode
    self.inputLanes = inputLanes
    self.tokenElements = tokenElements
    self.fabricTokens = fabricTokens
    self.maximumChainLength = maximumChainLength
  }

  /// The processing elements of one product, and whether they are proved to give the plain integers of the product.
  ///
  /// L is the packing depth for codes in these ranges, at most `maximumChainLength`; or the chain length of the spec,
  /// which may exceed the depth. `largestSum` bounds |Σ X·W|. Throws with the name of the product when not even one
  /// product fits.
  public func element(
    _ mode: PackingMode, weight: OperandRange, activation: OperandRange, largestSum: Int, spec: HardwareSpec,
    product: String
  ) throws -> (element: qk_datapath_element, isProved: Bool) {
    let depth = mode.depth(weight: weight, activation: activation) ?? maximumChainLength
    let limit = Int(spec.chain_limit)
    guard depth >= 1 || limit > 0 else {
      throw QuasarError(
        .badData,
        "\(product): packing mode \(mode.name) cannot hold one product of weights \(weight.lowest)…"
          + "\(weight.highest) and activations \(activation.lowest)…\(activation.highest); choose a mode with wider "
          + "lanes")
    }
    if mode.repair == .restoredBit && limit > 1 {
      throw QuasarError(
        .badData, "\(product): mode \(mode.name) drains after every product; a chain of \(limit) has no meaning")
    }
    let chain = limit > 0 ? limit : min(depth, maximumChainLength)
    let element = qk_datapath_element(
      mode: mode.descriptor, decode: spec.decode, chain: Int32(chain), input_lanes: Int32(inputLanes),
      dsp_tokens: Int32(tokenElements * mode.activations), fabric_tokens: Int32(fabricTokens),
      accumulator_bits: spec.accumulator_bits, accumulator_saturates: spec.accumulator_saturates)
    // The parallel decoder has a corner case at inner lanes, so only two lanes count as proved with it.
    let decodes = spec.decode == QK_DECODE_EXACT || (spec.decode == QK_DECODE_PARALLEL && mode.lanes <= 2)
    let fits = largestSum < 1 << (Int(spec.accumulator_bits) - 1)
    return (element, chain <= depth && (decodes || mode.repair != .none) && fits)
  }
}
