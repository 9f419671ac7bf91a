/// Every constant of the resource and latency model, with its source. None is fitted to a published design.
///
/// "yosys" is the table of `synth_xilinx` counts in the research notes (dsp-packing.md, section C); "FINN" is
/// Xilinx/finn (commit 39f0c9a, facts page 2.3); "counted" is a count of the circuit's bits made here, not
/// synthesised; "allowance" is a round figure nobody has checked yet.
public enum CostConstants {
  // MARK: LUT

  /// LUT per bit that a borrow correction adds to (yosys: 18 for 18, 25 for 22, 30 for 33 bits).
  static let lutPerCorrectedBit = 1
  /// LUT per bit of an accumulator (yosys: 32 for 32 bits).
  static let lutPerAccumulatorBit = 1
  /// LUT per bit and adder of an adder tree (yosys: about 1.5·(N−1)·W).
  static let lutPerTreeBit = 1.5
  /// LUT per restored bit of a lane (yosys notes: one AND, one XOR).
  static let lutPerRestoredLane = 2
  /// LUT per lane of a carry counter: two predicted bits, compare, small counter (counted).
  static let lutPerCounterLane = 12
  /// LUT of one 8 × 8 signed multiplier (yosys, -nowidelut).
  static let lutPerMultiplier = 116
  /// Bits of the product of such a multiplier.
  static let multiplierBits = 16
  /// LUT of one requantisation lane: 48-bit shift of six 2:1 levels at two levels per LUT (144), clamp and
  /// residual add with saturation (2·17), rounding in the DSP (counted).
  static let lutPerRequantisationLane = 180
  /// LUT of a 256 × 8 table in LUT RAM, four LUTs a bit: the GELU table beside each requantisation lane
  /// (counted).
  static let lutPerTable = 32
  /// LUT of one softmax lane: 26-bit maximum and difference (52), 8-bit shift (24), table of fractions (16),
  /// adder of the sum (20) (counted).
  static let lutPerSoftmaxLane = 112
  /// LUT of one lane of layer normalisation: mean and difference (2·17), sum of squares (48), shift and clamp
  /// of the product (144) (counted).
  static let lutPerNormLane = 226
  /// LUT of the pipelined square root (32 steps of 34 bits) and reciprocal (31 steps of 32 bits) (counted).
  static let lutOfNormUnit = 32 * 34 + 31 * 32
  /// LUT of the pipelined reciprocal of the softmax sum, 17 steps of 26 bits (counted).
  static let lutOfSoftmaxUnit = 17 * 26
  /// LUT of control: FINN's constant per matrix unit.
  static let lutOfControl = 300
  /// LUT of one memory port with its address generator (allowance).
  static let lutPerPort = 1200

  // MARK: FF

  /// FF per DSP: the 18-bit operand handed to the neighbour (counted; the other operand uses the DSP
  /// cascade).
  static let ffPerDSP = 18
  /// FF per LUT of vector units, adder trees and multipliers: registers behind every level (allowance).
  static let ffPerPipelinedLUT = 1.0
  /// FF of control (allowance) and of one memory port (allowance).
  static let ffOfControl = 600
  static let ffPerPort = 1800

  // MARK: DSP

  /// c², c·F in two parts, and ·M_i in two parts: DSPs per lane of layer normalisation (operand widths of the
  /// arithmetic contract: 17, 17 × 31 and 32 × 17 bits).
  static let dspPerNormLane = 5
  /// d·M_e: DSPs per softmax lane.
  static let dspPerSoftmaxLane = 1
  /// O·R (24 × 17 bits) and its requantisation (40 × 17 bits in two parts): DSPs per context lane.
  static let dspPerContextLane = 3

  // MARK: Bits and cycles

  /// Bits stored per output row beside the codes: bias 32, multiplier 17, shift 6, rounded up to bytes.
  static let parameterBits = 56
  /// Registers of a processing element: DSP 4, decoder 2, accumulator 1 (`quasar_pe`, simulated).
  public static let elementPipeline = 7
  /// Registers of a requantiser: DSP 4, or 5 for two of them; shift and saturate 1; clamp, residual sum or GELU table 1
  /// (`quasar_requantiser`, simulated).
  public static func requantisationPipeline(wide: Bool) -> Int { wide ? 7 : 6 }
  /// From the operands to a requantised code; a requantiser of two DSPs adds one.
  static let arrayPipeline = elementPipeline + 6
  /// Cycles to read the descriptor of a layer and start it (allowance).
  static let layerStart = 8
  /// Registers of layer normalisation beside its three passes: square root 32, reciprocal 31, products 8.
  public static let normPipeline = 71
  /// Registers of softmax: product, shift and table 8, reciprocal 17.
  public static let softmaxPipeline = 25
  /// Registers of a context lane
  public static let contextPipeline = 12
}

/// ⌈a / b⌉ for a ≥ 0, b > 0.
@inline(__always)
func ceilDivide(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }

/// ⌈bits / perCycle⌉.
@inline(__always)
func transferCycles(_ bits: Int, _ perCycle: Double) -> Int {
  bits == 0 ? 0 : Int((Double(bits) / perCycle).rounded(.up))
}
