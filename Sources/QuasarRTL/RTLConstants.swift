import CKernels
import QuasarArithmetic
import QuasarEngine
import QuasarHardware

/// The numbers of `quasar_pkg.sv`, derived from the arithmetic contract; a test compares both, in both directions.
enum RTLConstants {
  static func value(_ generation: DSPGeneration) -> Int {
    Int((generation == .e1 ? QK_DSP48E1 : QK_DSP48E2).rawValue)
  }

  static func value(_ form: PackingMode.WeightForm) -> Int { form == .atoms ? 1 : 0 }

  static func value(_ repair: PackingMode.Repair) -> Int {
    switch repair {
    case .none: Int(QK_REPAIR_NONE.rawValue)
    case .restoredBit: Int(QK_REPAIR_RESTORED_BIT.rawValue)
    case .carryCounters: Int(QK_REPAIR_CARRY_COUNTERS.rawValue)
    }
  }

  static func value(_ decoder: LaneDecoder) -> Int { Int(decoder.descriptor.rawValue) }

  static func value(_ form: RequantiserUnit.Form) -> Int { Int(form.descriptor.rawValue) }

  /// Enumerations by name, enumerators by name.
  static var enumerations: [String: [String: Int]] {
    [
      "generation_e": ["GENERATION_DSP48E1": value(DSPGeneration.e1), "GENERATION_DSP48E2": value(DSPGeneration.e2)],
      "base_e": [
        "BASE_ZERO": Int(QK_DSP_ZERO.rawValue), "BASE_P": Int(QK_DSP_P.rawValue),
        "BASE_CASCADE": Int(QK_DSP_CASCADE.rawValue), "BASE_CASCADE_SHIFTED": Int(QK_DSP_CASCADE_SHIFTED.rawValue),
      ],
      "weight_form_e": [
        "WEIGHT_WHOLE": value(PackingMode.WeightForm.whole), "WEIGHT_ATOMS": value(PackingMode.WeightForm.atoms),
      ],
      "repair_e": [
        "REPAIR_NONE": value(PackingMode.Repair.none), "REPAIR_RESTORED_BIT": value(PackingMode.Repair.restoredBit),
        "REPAIR_CARRY_COUNTERS": value(PackingMode.Repair.carryCounters),
      ],
      "decode_e": Dictionary(
        uniqueKeysWithValues: LaneDecoder.allCases.map { ("DECODE_" + $0.rawValue.uppercased(), value($0)) }),
      "form_e": Dictionary(
        uniqueKeysWithValues: RequantiserUnit.Form.allCases.map { ("FORM_" + $0.rawValue.uppercased(), value($0)) }),
      "lane_form_e": [
        "LANE_CODES": EngineCommand.Form.codes.rawValue, "LANE_TABLE": EngineCommand.Form.table.rawValue,
        "LANE_RESIDUAL": EngineCommand.Form.residual.rawValue, "LANE_LOGITS": EngineCommand.Form.logits.rawValue,
      ],
      "target_e": [
        "TARGET_X": EngineCommand.Target.operand.rawValue, "TARGET_H": EngineCommand.Target.hidden.rawValue,
        "TARGET_QKV": EngineCommand.Target.attention.rawValue,
        "TARGET_RESIDUAL": EngineCommand.Target.residual.rawValue,
        "TARGET_LOGITS": EngineCommand.Target.logits.rawValue,
      ],
      "kind_e": [
        "KIND_DIRECT": EngineCommand.RowKind.direct.rawValue, "KIND_QUERY": EngineCommand.RowKind.query.rawValue,
        "KIND_KEY": EngineCommand.RowKind.key.rawValue, "KIND_VALUE": EngineCommand.RowKind.value.rawValue,
      ],
    ]
  }

  /// Widths, limits and cycles by name.
  static var numbers: [String: Int] {
    let spec = ArithmeticSpec.standard
    let multiplier = signedBits(
      largest(below: 1 << 30) { qk_requantiser_check(.init(multiplier: $0, shift: 1)) == QK_OK })
    let shift = Int(QK_REQUANTISER_MAX_SHIFT)
    var longest: Int32 = 0
    // Z of 4,096 tokens, the longest row that attention takes in RTL.
    let reciprocal = qk_reciprocal16(UInt32(4096 * 255), &longest)
    let (reciprocalBits, logBits) = (unsignedBits(Int(reciprocal)), unsignedBits(Int(longest)))
    let narrow = EnginePipeline.requantisation(wide: false)
    return [
      "DSP_A_BITS": DSPGeneration.e2.preAdderBits,
      "DSP48E1_PRE_ADDER_BITS": DSPGeneration.e1.preAdderBits,
      "DSP48E2_PRE_ADDER_BITS": DSPGeneration.e2.preAdderBits,
      "DSP_B_BITS": width { step(a: 1, b: $0) },
      "DSP_P_BITS": width { step(c: $0, withC: true) },
      "DSP_CASCADE_SHIFT": 40 - unsignedBits(Int(step(base: QK_DSP_CASCADE_SHIFTED, cascade: 1 << 40))) + 1,
      "ACCUMULATOR_BITS": Int(HardwareSpec.exact.accumulator_bits),
      "BIAS_BITS": signedBits(Int(QK_BIAS_LIMIT) - 1),
      "MULTIPLIER_BITS": multiplier,
      "SHIFT_BITS": unsignedBits(shift),
      "LARGEST_SHIFT": shift,
      "RESIDUAL_BITS": Int(spec.residual_bits),
      "SCALE_BITS": multiplier + unsignedBits(shift),
      "CODE_BITS": signedBits(Int(GELUTable.inputRange.high)),
      "GELU_ADDRESS_BITS": signedBits(Int(GELUTable.inputRange.high)),
      "EXPONENT_FRACTION_BITS": Int(spec.exponent_fraction_bits),
      "EXPONENT_ENTRY_BITS": UInt16.bitWidth,
      "RECIPROCAL_BITS": reciprocalBits,
      "LOG_BITS": logBits,
      "INVERSE_BITS": reciprocalBits + logBits,
      "CONTEXT_FRACTION_BITS": Int(spec.context_fraction_bits),
      "NORM_FRACTION_BITS": Int(spec.layer_norm_fraction_bits),
      // E < 2^40 and |B| < 2^62: `qk_layer_norm_check`.
      "EPSILON_BITS": 40,
      "OFFSET_BITS": signedBits((1 << 62) - 1),
      "ELEMENT_CYCLES": EnginePipeline.element,
      "REQUANTISER_CYCLES": narrow,
      "SECOND_DSP_CYCLES": EnginePipeline.requantisation(wide: true) - narrow,
      "CONTEXT_CYCLES": EnginePipeline.context,
      "LANE_CYCLES": EngineTiming.lanes,
      "LANE_RESIDUAL_CYCLES": EngineTiming.laneResidual,
      "RESIDUAL_CYCLES": EngineTiming.residual,
      "STEP_BITS": EngineRecord.stepBits,
      "LANE_BITS": EngineRecord.laneBits,
      "KIND_BITS": EngineRecord.kindBits,
    ]
  }

  /// Bundles whose width is a number of the package.
  static var bundles: [String: String] { ["quasar_scale_t": "SCALE_BITS", "quasar_inverse_t": "INVERSE_BITS"] }

  private static func unsignedBits(_ value: Int) -> Int { Int.bitWidth - value.leadingZeroBitCount }
  private static func signedBits(_ magnitude: Int) -> Int { unsignedBits(magnitude) + 1 }

  /// The largest 2^n − 1 below the limit that is accepted.
  private static func largest(below limit: Int32, _ accepts: (Int32) -> Bool) -> Int {
    var value: Int32 = 1 << 15
    while value < limit, accepts(value << 1 | 1) { value = value << 1 | 1 }
    return Int(value)
  }

  /// One step of a DSP48E2 whose P is 0.
  private static func step(
    a: Int64 = 0, b: Int64 = 0, c: Int64 = 0, base: qk_dsp_base = QK_DSP_ZERO, withC: Bool = false, cascade: Int64 = 0
  ) -> Int64 {
    var slice = qk_dsp_slice(generation: QK_DSP48E2, p: 0)
    var ports = qk_dsp_ports(a: a, b: b, c: c, d: 0)
    return qk_dsp_step(&slice, &ports, base, withC ? 1 : 0, cascade)
  }

  /// Bits of a signed port: the first power of two that comes out negative is its sign.
  private static func width(_ passes: (Int64) -> Int64) -> Int { (0..<63).first { passes(1 << Int64($0)) < 0 }! + 1 }
}
