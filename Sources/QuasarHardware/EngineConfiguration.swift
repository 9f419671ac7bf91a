import QuasarArithmetic
import QuasarTensor

/// The parameters of one engine: the array of DSPs, its packing modes, the vector units and the memory plan.
///
/// The array has `outputElements` × `inputElements` × `tokenElements` DSPs. In a mode with w weights and a activations
/// per DSP, it works on P_n = outputElements·w output rows, P_k = inputElements inputs and P_t = tokenElements·a +
/// fabricTokens tokens in every cycle. Buffers are sized for the network at hand.
public struct EngineConfiguration: Codable, Hashable, Sendable {
  /// The place of weights or activations during an image.
  public enum Placement: String, Codable, Hashable, Sendable {
    /// On chip if the memory suffices, otherwise streamed.
    case automatic
    case onChip
    case streamed
  }

  /// DSPs along the output rows.
  public var outputElements: Int
  /// DSPs along the inputs: P_k.
  public var inputElements: Int
  /// DSPs along the tokens.
  public var tokenElements: Int
  /// Extra tokens per cycle whose multipliers are made of LUTs, one product each.
  public var fabricTokens = 0
  /// DSPs along the inputs that take turns at one drain unit (correction and accumulator), one per cycle.
  public var drainGroup = 1
  /// Upper limit of L, the number of products of a chain in P; the packing depth limits it too.
  public var maximumChainLength = 4095
  public var fourBitMode: PackingMode
  public var eightBitMode: PackingMode
  public var attentionMode: PackingMode
  /// Outputs requantised per cycle.
  public var requantisationLanes = 16
  /// Outputs of attention divided by their softmax sum and requantised per cycle.
  public var contextLanes = 8
  /// Scores turned into softmax codes per cycle.
  public var softmaxLanes = 16
  /// Elements per cycle of each phase of layer normalisation.
  public var normLanes = 8
  /// Tokens per block when activations are streamed.
  public var tokenTile = 64
  public var weights = Placement.automatic
  public var activations = Placement.automatic
  public var axiPorts: Int
  public var axiBits: Int

  /// An array with its modes and memory ports; everything else has a default and is set afterwards.
  public init(
    outputElements: Int, inputElements: Int, tokenElements: Int, fourBitMode: PackingMode, eightBitMode: PackingMode,
    attentionMode: PackingMode, axiPorts: Int, axiBits: Int
  ) {
    self.outputElements = outputElements
    self.inputElements = inputElements
    self.tokenElements = tokenElements
    self.fourBitMode = fourBitMode
    self.eightBitMode = eightBitMode
    self.attentionMode = attentionMode
    self.axiPorts = axiPorts
    self.axiBits = axiBits
  }

  /// outputElements·inputElements·tokenElements: DSPs of the array alone.
  public var arrayDSP: Int { outputElements * inputElements * tokenElements }

  /// P_n of a mode.
  public func outputLanes(_ mode: PackingMode) -> Int { outputElements * mode.weights }
  /// P_t of a mode.
  public func tokenLanes(_ mode: PackingMode) -> Int { tokenElements * mode.activations + fabricTokens }

  /// The three modes.
  public var modes: [PackingMode] { [fourBitMode, eightBitMode, attentionMode] }
  /// The largest P_t of the modes.
  public var largestTokenLanes: Int { modes.map { tokenLanes($0) }.max()! }

  /// Throws `QuasarError` naming the parameter that cannot work on the device, and what to change.
  public func validate(on device: Device) throws {
    func positive(_ name: String, _ value: Int) throws {
      guard value >= 1 else {
        throw QuasarError(.badData, "engine: \(name) is \(value): it must be at least 1")
      }
    }
    try positive("outputElements", outputElements)
    try positive("inputElements", inputElements)
    try positive("tokenElements", tokenElements)
    try positive("drainGroup", drainGroup)
    try positive("maximumChainLength", maximumChainLength)
    try positive("requantisationLanes", requantisationLanes)
    try positive("contextLanes", contextLanes)
    try positive("softmaxLanes", softmaxLanes)
    try positive("normLanes", normLanes)
    try positive("tokenTile", tokenTile)
    try positive("axiPorts", axiPorts)
    try positive("axiBits", axiBits)
    guard fabricTokens >= 0 else {
      throw QuasarError(.badData, "engine: fabricTokens is \(fabricTokens): it must be 0 or more")
    }
    guard drainGroup <= inputElements else {
      throw QuasarError(
        .badData,
        "engine: drainGroup \(drainGroup) is larger than inputElements \(inputElements): make it smaller")
    }
    for mode in modes where mode.generation != device.dspGeneration {
      throw QuasarError(
        .badData,
        "engine: mode \(mode.name) is for DSP48\(mode.generation.rawValue), device \(device.name) has"
          + " DSP48\(device.dspGeneration.rawValue): choose a mode of that generation")
    }
    guard axiPorts <= device.axiPorts, axiBits <= device.axiBits else {
      throw QuasarError(
        .badData,
        "engine: \(axiPorts) ports of \(axiBits) bits, device \(device.name) has \(device.axiPorts) of"
          + " \(device.axiBits): use no more than that")
    }
  }
}

/// L of every kind of product: the number of products that a DSP adds before it drains.
///
/// L = min(packing depth of the mode for the operands' exact ranges, maximumChainLength), with narrow codes.
public struct ChainLengths: Codable, Hashable, Sendable {
  public var fourSigned: Int
  public var fourUnsigned: Int
  public var eightSigned: Int
  public var eightUnsigned: Int
  /// 8-bit rows with 8-bit inputs: head (signed) and patch embedding (unsigned pixels).
  public var head: Int
  public var patches: Int
  /// q·kᵀ, both signed.
  public var scores: Int
  /// Softmax codes (unsigned) times v (signed).
  public var context: Int

  /// Throws `QuasarError` if a mode cannot hold even one product of its kind.
  public init(_ engine: EngineConfiguration, activationBits bits: Int) throws {
    func length(_ mode: PackingMode, weightBits: Int, _ activation: OperandRange, _ use: String) throws -> Int {
      let depth = mode.depth(weight: .signed(bits: weightBits, narrow: true), activation: activation)
      guard let depth, depth >= 1 else {
        throw QuasarError(
          .badData,
          "engine: mode \(mode.name) cannot hold one product of \(use): choose a mode with wider lanes")
      }
      return min(depth, engine.maximumChainLength)
    }
    let signed = OperandRange.signed(bits: bits, narrow: true)
    let unsigned = OperandRange.unsigned(bits: bits)
    let four = engine.fourBitMode
    let eight = engine.eightBitMode
    let attention = engine.attentionMode
    fourSigned = try length(four, weightBits: 4, signed, "4-bit rows with signed \(bits)-bit inputs")
    fourUnsigned = try length(four, weightBits: 4, unsigned, "4-bit rows with unsigned \(bits)-bit inputs")
    eightSigned = try length(eight, weightBits: 8, signed, "8-bit rows with signed \(bits)-bit inputs")
    eightUnsigned = try length(eight, weightBits: 8, unsigned, "8-bit rows with unsigned \(bits)-bit inputs")
    head = try length(
      eight, weightBits: 8, .signed(bits: 8, narrow: true), "8-bit rows with signed 8-bit inputs")
    patches = try length(eight, weightBits: 8, .unsigned(bits: 8), "8-bit rows with 8-bit pixels")
    scores = try length(attention, weightBits: bits, signed, "\(bits)-bit q and k")
    context = try length(attention, weightBits: bits, unsigned, "\(bits)-bit softmax codes and v")
  }

  /// The smallest of all lengths: L of an engine whose chain counter is fixed.
  public var smallest: Int {
    min(fourSigned, fourUnsigned, eightSigned, eightUnsigned, head, patches, scores, context)
  }
}
