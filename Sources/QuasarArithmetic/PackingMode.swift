import CKernels
import QuasarTensor

/// The multiplier slice of a device family.
public enum DSPGeneration: String, Codable, Hashable, Sendable {
  /// DSP48E1 of the 7 series: 25-bit pre-adder, 25 × 18 multiplier, 48-bit P.
  case e1 = "E1"
  /// DSP48E2 of UltraScale and UltraScale+: 27-bit pre-adder, 27 × 18 multiplier, 48-bit P.
  case e2 = "E2"

  /// Width of pre-adder and of the wide multiplier operand, in bits.
  public var preAdderBits: Int { Int(qk_dsp_pre_adder_bits(descriptor)) }

  var descriptor: qk_dsp_generation { self == .e1 ? QK_DSP48E1 : QK_DSP48E2 }
}

/// The way in which several products share one DSP slice: weights on the pre-adder side, activations on the 18-bit
/// port.
///
/// AD = Σ_i w_i·2^(pitch·a·i) and B = Σ_j x_j·2^(pitch·j) for w weights and a activations, so the product AD·B holds
/// w_i·x_j in lane i·a + j, at bit pitch·(i·a + j). A chain adds products of the same shape in P. Depths are computed
/// from the operands, never typed in. Derivations: article Facts, Packing.
public struct PackingMode: Codable, Hashable, Sendable {
  /// The form of one weight on the pre-adder side.
  public enum WeightForm: String, Codable, Hashable, Sendable {
    /// The whole code in one lane.
    case whole
    /// An 8-bit code as two atoms w = 16·h + l: l = 0…15 unsigned in the low lane, h = −8…7 in the next.
    case atoms
  }

  /// The knowledge of the decoder beyond the fields themselves.
  public enum Repair: String, Codable, Hashable, Sendable {
    /// Only the borrow of each signed lane is given back.
    case none
    /// One more bit for each field from the parity of the product (one AND, one XOR): single products only.
    case restoredBit
    /// Two low bits of every upper lane kept in fabric count the carries: any number of products.
    case carryCounters
  }

  /// The name used on the command line; DSP48E1 forms end in "-e1".
  public var name: String
  public var generation: DSPGeneration
  /// Nominal widths of the operands; narrower operands fit as well.
  public var weightBits: Int
  public var activationBits: Int
  public var weightForm: WeightForm
  /// Weights per word (an atom pair counts as one weight).
  public var weights: Int
  /// Activations per word.
  public var activations: Int
  /// Distance of neighbouring lanes in bits.
  public var pitch: Int
  public var repair: Repair
  /// True if the pre-adder overflows for the lowest code, −2^(b−1): narrow weights only.
  public var needsNarrowWeights: Bool

  /// weights·activations: products per DSP and cycle (ρ).
  public var productsPerDSP: Int { weights * activations }

  /// Lanes in P: products, times two for atoms.
  public var lanes: Int { weightParts * activations }

  /// Parts on the pre-adder side: weights, times two for atoms.
  public var weightParts: Int { weightForm == .atoms ? 2 * weights : weights }

  /// (lanes − 1)·pitch: bits that the borrow correction is added to, about one LUT each.
  ///
  /// Example: four lanes of 11 bits → 33 (yosys counts 30 for the two-by-two block).
  public var correctedBits: Int { (lanes - 1) * pitch }

  /// The mode in the form that the datapath models of CKernels read.
  public var descriptor: qk_packing_mode {
    let repairs: [Repair: qk_packing_repair] = [
      .none: QK_REPAIR_NONE, .restoredBit: QK_REPAIR_RESTORED_BIT, .carryCounters: QK_REPAIR_CARRY_COUNTERS,
    ]
    return qk_packing_mode(
      generation: generation.descriptor, weights: Int32(weights), activations: Int32(activations),
      pitch: Int32(pitch), atoms: weightForm == .atoms ? 1 : 0, repair: repairs[repair]!)
  }

  /// True if AD fits the pre-adder and B the 18-bit port for every combination of these operands.
  public func fits(weight: OperandRange, activation: OperandRange) -> Bool {
    var mode = descriptor
    return qk_packing_fits(&mode, weight.descriptor, activation.descriptor) == 1
  }

  /// max n such that every sum of n products stays inside its field of P; 0 if not even one product does.
  ///
  /// nil means no limit (all products are zero). Lanes are read as `qk_packing_depth` says: activations are unsigned if
  /// their range has no negative code. Example: W4A6 two by two, narrow: 7·31 = 217 in 11 bits signed → 1023 / 217 = 4.
  public func depth(weight: OperandRange, activation: OperandRange) -> Int? {
    var mode = descriptor
    let depth = qk_packing_depth(&mode, weight.descriptor, activation.descriptor)
    return depth == Int64.max ? nil : Int(depth)
  }

  /// The depth for nominal operand widths.
  public func depth(narrow: Bool, unsignedActivations: Bool) -> Int? {
    depth(
      weight: .signed(bits: weightBits, narrow: narrow),
      activation: unsignedActivations
        ? .unsigned(bits: activationBits) : .signed(bits: activationBits, narrow: narrow))
  }
}

extension PackingMode {
  private static func e2(
    _ name: String, w weightBits: Int, a activationBits: Int, _ weights: Int, _ activations: Int, pitch: Int,
    form: WeightForm = .whole, repair: Repair = .none
  ) -> PackingMode {
    PackingMode(
      name: name, generation: .e2, weightBits: weightBits, activationBits: activationBits, weightForm: form,
      weights: weights, activations: activations, pitch: pitch, repair: repair, needsNarrowWeights: false)
  }

  private static func e1(
    _ name: String, w weightBits: Int, a activationBits: Int, _ weights: Int, _ activations: Int, pitch: Int,
    needsNarrowWeights: Bool = false, repair: Repair = .none
  ) -> PackingMode {
    PackingMode(
      name: name + "-e1", generation: .e1, weightBits: weightBits, activationBits: activationBits,
      weightForm: .whole, weights: weights, activations: activations, pitch: pitch, repair: repair,
      needsNarrowWeights: needsNarrowWeights)
  }

  public static let w8a8Pair = e2("w8a8-pair", w: 8, a: 8, 2, 1, pitch: 18)
  public static let w4a8Pair = e2("w4a8-pair", w: 4, a: 8, 2, 1, pitch: 22)
  /// Narrow signed operands only, one product: 889 fits 11 bits, 1024 does not.
  public static let w4a8Triple = e2("w4a8-triple", w: 4, a: 8, 3, 1, pitch: 11)
  public static let w4a8TripleRestored = e2(
    "w4a8-triple-restored", w: 4, a: 8, 3, 1, pitch: 11, repair: .restoredBit)
  public static let w4a8TripleCounters = e2(
    "w4a8-triple-counters", w: 4, a: 8, 3, 1, pitch: 11, repair: .carryCounters)
  public static let w4a6Block = e2("w4a6-2x2", w: 4, a: 6, 2, 2, pitch: 11)
  public static let w8a6Pair = e2("w8a6-pair", w: 8, a: 6, 2, 1, pitch: 18)
  public static let w4a4Block = e2("w4a4-2x2", w: 4, a: 4, 2, 2, pitch: 11)
  public static let w8a8Atoms = e2("w8a8-atoms", w: 8, a: 8, 1, 1, pitch: 22, form: .atoms)
  public static let w8a6AtomBlock = e2("w8a6-atoms-2x2", w: 8, a: 6, 1, 2, pitch: 11, form: .atoms)
  public static let a6a6Pair = e2("a6a6-pair", w: 6, a: 6, 2, 1, pitch: 18)
  public static let a8a8Pair = e2("a8a8-pair", w: 8, a: 8, 2, 1, pitch: 18)

  public static let w8a8PairE1 = e1("w8a8-pair", w: 8, a: 8, 2, 1, pitch: 16)
  /// One bit more than in `w8a8PairE1`: −128·2^17 does not fit 25 bits, −127·2^17 does.
  public static let w8a8WidePairE1 = e1("w8a8-pair-17", w: 8, a: 8, 2, 1, pitch: 17, needsNarrowWeights: true)
  public static let w4a8PairE1 = e1("w4a8-pair", w: 4, a: 8, 2, 1, pitch: 20)
  public static let w4a6BlockE1 = e1("w4a6-2x2", w: 4, a: 6, 2, 2, pitch: 10)
  public static let w8a6PairE1 = e1("w8a6-pair", w: 8, a: 6, 2, 1, pitch: 16)
  public static let w8a6WidePairE1 = e1("w8a6-pair-17", w: 8, a: 6, 2, 1, pitch: 17, needsNarrowWeights: true)
  public static let w4a4BlockE1 = e1("w4a4-2x2", w: 4, a: 4, 2, 2, pitch: 10)
  public static let a6a6PairE1 = e1("a6a6-pair", w: 6, a: 6, 2, 1, pitch: 18)
  public static let a8a8WidePairE1 = e1("a8a8-pair-17", w: 8, a: 8, 2, 1, pitch: 17, needsNarrowWeights: true)

  /// Every mode, DSP48E2 first.
  public static let all: [PackingMode] = [
    w8a8Pair, w4a8Pair, w4a8Triple, w4a8TripleRestored, w4a8TripleCounters, w4a6Block, w8a6Pair, w4a4Block,
    w8a8Atoms, w8a6AtomBlock, a6a6Pair, a8a8Pair, w8a8PairE1, w8a8WidePairE1, w4a8PairE1, w4a6BlockE1,
    w8a6PairE1, w8a6WidePairE1, w4a4BlockE1, a6a6PairE1, a8a8WidePairE1,
  ]

  /// The mode of that name; throws a `QuasarError` that lists the known names.
  public static func named(_ name: String) throws -> PackingMode {
    if let mode = all.first(where: { $0.name == name }) { return mode }
    throw QuasarError(
      .usage, "unknown packing mode '\(name)': use one of \(all.map(\.name).joined(separator: ", "))")
  }
}
