/// LUT, FF and DSP of the engine's parts, with their sources. None of the figures is fitted to a published design.
///
/// "yosys" is a count of this package's own RTL (`quasar cosim --synthesis`: yosys 0.23, `synth_xilinx -family xcup
/// -flatten -nowidelut`). Its LUTs include shift registers and LUT RAM. Yosys does not count the pass-through LUTs of
/// carry chains, so corrections are counted at one LUT per bit in addition. "FINN" is Xilinx/finn (commit 39f0c9a;
/// article Facts, FINN costs). "counted" is a count of the circuit's bits. "allowance" is a round figure that nobody
/// has checked yet. Figures of a vendor's tool are another value of this type (`HardwareModel.costs`).
public struct CostConstants: Codable, Hashable, Sendable {
  // MARK: Processing elements

  /// LUT per bit that a borrow correction is added to (one pass-through; 18, 22 and 33 bits in the three shapes).
  public var lutPerCorrectedBit = 1
  /// LUT per bit of an accumulator (yosys: 64 of the 75 of `w8a8-pair`, 128 of the 145 of `w4a6-2x2`).
  public var lutPerAccumulatorBit = 1
  /// FF per bit of an accumulator: decoded value, accumulator, held result (yosys).
  public var ffPerAccumulatorBit = 3
  /// LUT per bit and adder of an adder tree (yosys: about 1.5·(N−1)·W).
  public var lutPerTreeBit = 1.5
  /// LUT per restored bit of a lane (yosys: 4 for three lanes).
  public var lutPerRestoredLane = 2
  /// LUT per lane with carry counters of 14 bits (yosys: 132 for three lanes).
  public var lutPerCounterLane = 44
  /// FF per DSP: the 18-bit operand handed to the neighbour (counted; the other operand uses the DSP cascade).
  public var ffPerDSP = 18

  // MARK: Multipliers in fabric

  /// LUT of one 8 × 8 signed multiplier (yosys) and the bits of its product.
  public var lutPerMultiplier = 116
  public var multiplierBits = 16
  /// FF per LUT of multipliers and adder trees: registers after every level (allowance).
  public var ffPerPipelinedLUT = 1.0

  // MARK: Requantisation

  /// LUT and FF of a lane with residual adder (yosys: 297 and 16 in shift registers), and the LUT and FF that a second
  /// DSP adds.
  public var lutPerRequantisationLane = 313
  public var ffPerRequantisationLane = 62
  public var lutOfSecondRequantisationDSP = 22
  public var ffOfSecondRequantisationDSP = 52
  /// LUT of the GELU table next to each lane (yosys: 34 and 64 of LUT RAM).
  public var lutPerTable = 98

  // MARK: Attention

  /// LUT, FF and DSP of a softmax lane (yosys, A = 8: 208, 64 of LUT RAM for the table) and of the unit (433).
  public var lutPerSoftmaxLane = 272
  public var ffPerSoftmaxLane = 268
  public var dspPerSoftmaxLane = 1
  public var lutOfSoftmaxUnit = 433
  public var ffOfSoftmaxUnit = 634
  /// LUT and FF of a context lane (yosys: 139 and 5 in shift registers).
  public var lutPerContextLane = 144
  public var ffPerContextLane = 313
  /// O·R and U·M: DSPs of a context lane, one more when O exceeds the wide operand of a DSP (yosys).
  public var dspPerContextLane = 2

  // MARK: LayerNorm

  /// LUT, FF and DSP of a lane (yosys, D = 192, eight lanes: 265 and 83 of LUT RAM for rings and parameters; c² 1, c·F
  /// 2, ·M 2) and of the unit (1340 and 106 in shift registers: root, dividers, sums).
  public var lutPerNormLane = 348
  public var ffPerNormLane = 575
  public var dspPerNormLane = 5
  public var lutOfNormUnit = 1446
  public var ffOfNormUnit = 2214

  // MARK: Control

  /// LUT of control: FINN's constant per matrix unit; FF (allowance).
  public var lutOfControl = 300
  public var ffOfControl = 600
  /// LUT and FF of one memory port with its address generator (allowance).
  public var lutPerPort = 1200
  public var ffPerPort = 1800

  public init() {}

  /// The figures counted by open synthesis.
  public static let openSynthesis = CostConstants()
}
