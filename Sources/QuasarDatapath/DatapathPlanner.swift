import CKernels
import QuasarArithmetic
import QuasarNetwork
import QuasarTensor

/// Chooses the processing elements of a layer and proves their depth where it can be proved.
struct DatapathPlanner {
  let model: IntegerModel
  let engine: DatapathEngine
  let spec: HardwareSpec

  private var isNarrow: Bool { model.spec.weight_full_range == 0 }

  /// The rows of a linear layer by precision; `activation` is the range of its input codes.
  func groups(_ linear: IntegerLinear, _ activation: OperandRange) throws -> [DatapathUnits.RowGroup] {
    try [(4, engine.fourBitMode), (8, engine.eightBitMode)].compactMap { bits, mode in
      let rows = linear.rowBits.indices.filter { linear.rowBits[$0] == bits }
      guard !rows.isEmpty else { return nil }
      let weight = OperandRange.signed(bits: bits, narrow: isNarrow)
      let reach = max(abs(activation.lowest), abs(activation.highest))
      var largest = 0
      for n in rows {
        let row = UnsafeBufferPointer(start: linear.codes.pointer + n * linear.depth, count: linear.depth)
        if let code = row.first(where: { Int($0) < weight.lowest || Int($0) > weight.highest }) {
          throw QuasarError(
            .badData,
            "\(linear.name): row \(n) holds the code \(code), its \(bits)-bit range is \(weight.lowest)…"
              + "\(weight.highest); the depth proof needs codes within their range")
        }
        largest = max(largest, row.reduce(0) { $0 + abs(Int($1)) } * reach)
      }
      let (element, isProved) = try engine.element(
        mode, weight: weight, activation: activation, largestSum: largest, spec: spec,
        product: "\(linear.name), \(bits)-bit rows")
      return DatapathUnits.RowGroup(bits: bits, rows: rows.map { Int32($0) }, element: element, isProved: isProved)
    }
  }

  /// Scores: |q·k| ≤ d·(2^(A−1) − 1)²; context: |Σ P·v| ≤ T·(2^A − 1)·(2^(A−1) − 1).
  func plan(_ layer: IntegerAttention, tokens: Int, codes: CodeFormat) throws -> DatapathUnits.AttentionPlan {
    let signed = codes.operandRange
    let scores = try engine.element(
      engine.attentionMode, weight: signed, activation: signed,
      largestSum: layer.headDimension * signed.highest * signed.highest, spec: spec, product: "\(layer.name), scores")
    let probability = OperandRange.unsigned(bits: codes.bits)
    let context = try engine.element(
      engine.attentionMode, weight: signed, activation: probability,
      largestSum: tokens * probability.highest * signed.highest, spec: spec, product: "\(layer.name), context")
    return DatapathUnits.AttentionPlan(
      scores: scores.element, context: context.element, isProved: scores.isProved && context.isProved)
  }
}
