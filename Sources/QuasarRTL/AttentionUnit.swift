import CKernels
import QuasarArithmetic
import QuasarHardware
import QuasarTensor

/// `quasar_attention`: score beats as the drain sends them, to probability codes and inverses. The bench makes scores and
/// what it expects of them; only the scale and the table come from here.
struct AttentionUnit: RTLUnit {
  static let module = "quasar_attention"

  /// DSPs along rows and tokens of the array: 2·`rows` queries and `tokens` keys a tile.
  var rows: Int
  var tokens: Int
  /// Inverses read a cycle.
  var drainLanes: Int
  /// Scores a cycle of each of the two softmax units.
  var softmaxLanes: Int
  var maximumTokens: Int
  var scoreBits: Int
  var activationBits: Int

  var name: String { "attention-\(rows)-by-\(tokens)-r\(drainLanes)-e\(softmaxLanes)-a\(activationBits)" }

  static var everything: [AttentionUnit] {
    [
      AttentionUnit(
        rows: 2, tokens: 9, drainLanes: 3, softmaxLanes: 3, maximumTokens: 64, scoreBits: 24, activationBits: 8),
      AttentionUnit(
        rows: 1, tokens: 3, drainLanes: 1, softmaxLanes: 1, maximumTokens: 10, scoreBits: 20, activationBits: 6),
      AttentionUnit(
        rows: 1, tokens: 4, drainLanes: 2, softmaxLanes: 2, maximumTokens: 17, scoreBits: 22, activationBits: 8),
      AttentionUnit(
        rows: 4, tokens: 8, drainLanes: 4, softmaxLanes: 4, maximumTokens: 50, scoreBits: 23, activationBits: 6),
      AttentionUnit(
        rows: 2, tokens: 8, drainLanes: 2, softmaxLanes: 8, maximumTokens: 65, scoreBits: 24, activationBits: 8),
    ]
  }

  /// The tests of whole engines have it inside.
  static var tested: [AttentionUnit] { [] }
  static func units(of use: EngineUse) -> [AttentionUnit] { [] }

  var parameters: [UnitParameter] {
    [
      ("ROWS", rows), ("TOKENS", tokens), ("DRAIN", drainLanes), ("SOFTMAX", softmaxLanes),
      ("MAX_TOKENS", maximumTokens), ("SCORE_BITS", scoreBits), ("ACTIVATION_BITS", activationBits),
    ]
  }

  /// From the beat that completes a row pair of one chunk to the signal that its block is ready: score ring 4, one row of
  /// one chunk in the softmax unit, inverse file 1. Row pairs of the longest rows follow each other directly.
  var cycles: UnitCycles {
    UnitCycles(
      latency: 4 + (1 + EnginePipeline.softmax(lanes: softmaxLanes)) + 1,
      interval: (maximumTokens + softmaxLanes - 1) / softmaxLanes)
  }

  func cases(vectors count: Int, seed: UInt64) throws -> [UnitCase] {
    // One octave of probability for 2^(scoreBits − 8) of score.
    let octave = 1 << max(2, scoreBits - 8)
    let score = try Requantiser(factor: 256.0 / Double(octave) * 1.09, layer: name)
    var table = [UInt16](repeating: 0, count: Int(QK_EXPONENT_TABLE_SIZE))
    try qk_exponent_table(Int32(activationBits), &table).check(name)
    var constants = HexFile(bits: 24)
    constants.put(Int(score.multiplier), at: 0, width: 16)
    constants.put(Int(score.shift), at: 16, width: 8)
    constants.next()
    for entry in table {
      constants.put(Int(entry), at: 0, width: 16)
      constants.next()
    }
    return [UnitCase(self, vectors: min(count, 200), files: [("parameters", constants.bytes)])]
  }
}
