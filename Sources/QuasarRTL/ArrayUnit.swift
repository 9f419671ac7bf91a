import QuasarArithmetic
import QuasarHardware

/// `quasar_array` with `quasar_edge` and `quasar_drain`: random tiles against plain integer sums, the twin alongside.
///
/// The bench makes its tiles itself; there are no vector files.
struct ArrayUnit: RTLUnit {
  static let module = "quasar_array"

  var generation: DSPGeneration
  /// DSPs along the output rows, the inputs and the tokens.
  var rows: Int
  var inputs: Int
  var tokens: Int
  /// DSPs of one cascade.
  var cascade: Int
  /// With the shape of two weights by two inputs.
  var hasBlockShape: Bool
  /// Register levels between edge and array.
  var broadcast: Int
  /// Tokens of a beat, of a score beat.
  var drain: Int
  var softmax: Int

  static var everything: [ArrayUnit] {
    [
      ArrayUnit(
        generation: .e2, rows: 2, inputs: 8, tokens: 9, cascade: 4, hasBlockShape: false,
        broadcast: 1, drain: 3, softmax: 3),
      ArrayUnit(
        generation: .e2, rows: 2, inputs: 8, tokens: 4, cascade: 4, hasBlockShape: true,
        broadcast: 1, drain: 2, softmax: 4),
      ArrayUnit(
        generation: .e1, rows: 2, inputs: 4, tokens: 4, cascade: 2, hasBlockShape: false,
        broadcast: 0, drain: 4, softmax: 2),
      ArrayUnit(
        generation: .e1, rows: 2, inputs: 4, tokens: 4, cascade: 2, hasBlockShape: true,
        broadcast: 2, drain: 1, softmax: 1),
      // One cascade: no tree. An odd number of tokens in both shapes.
      ArrayUnit(
        generation: .e2, rows: 4, inputs: 4, tokens: 3, cascade: 4, hasBlockShape: true,
        broadcast: 0, drain: 3, softmax: 1),
    ]
  }

  static var tested: [ArrayUnit] { [everything[3]] }
  static func units(of use: EngineUse) -> [ArrayUnit] { [] }

  var name: String {
    let shape = "\(rows)x\(inputs)x\(tokens)-c\(cascade)" + (hasBlockShape ? "-block" : "")
    return "array-\(shape)-\(generation == .e1 ? "e1" : "e2")"
  }

  var parameters: [UnitParameter] {
    let isE1 = generation == .e1
    return [
      ("GENERATION", RTLConstants.value(generation)), ("ROWS", rows), ("INPUTS", inputs), ("TOKENS", tokens),
      ("CASCADE", cascade), ("PAIR_PITCH", isE1 ? 17 : 18), ("BLOCK_PITCH", hasBlockShape ? (isE1 ? 10 : 11) : 0),
      ("BROADCAST", broadcast), ("SUM_BITS", 27),
    ]
  }

  var benchParameters: [UnitParameter] { [("DRAIN", drain), ("SOFTMAX", softmax)] }

  /// From the operands of a tile's last step at the edge to the hold registers: edge 1, broadcast, cascade, DSP 4,
  /// decoder 1, tree, accumulator 1. Then a beat per cycle.
  var cycles: UnitCycles {
    var levels = 0
    while cascade << levels < inputs { levels += 1 }
    return UnitCycles(latency: 1 + broadcast + (cascade - 1) + 4 + 1 + levels + 1, interval: 1)
  }

  /// `count` tiles; the seed of the tiles is a parameter of the bench.
  func cases(vectors count: Int, seed: UInt64) -> [UnitCase] {
    var unit = UnitCase(self, vectors: count, files: [])
    unit.benchParameters.append(("SEED", Int(seed % 65_536)))
    return [unit]
  }
}
