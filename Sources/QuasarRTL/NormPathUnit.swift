import QuasarHardware

/// `quasar_norm_path`: LayerNorm from the residual memory to the operand memory. The bench makes tokens, parameters and
/// what it expects of them.
struct NormPathUnit: RTLUnit {
  static let module = "quasar_norm_path"

  var lanes: Int
  /// Columns of the operand memory and tokens of its words.
  var inputs: Int
  var wordTokens: Int
  var maximumTokens: Int
  var maximumWidth: Int
  var codeBits: Int
  /// From the address of a read of the residual memory to its values.
  var residualCycles: Int

  var name: String { "norm-path-\(maximumWidth)-by-\(lanes)-x\(inputs)-w\(wordTokens)-a\(codeBits)" }

  static var everything: [NormPathUnit] {
    [
      NormPathUnit(
        lanes: 4, inputs: 8, wordTokens: 9, maximumTokens: 64, maximumWidth: 64, codeBits: 8, residualCycles: 7),
      NormPathUnit(
        lanes: 1, inputs: 4, wordTokens: 3, maximumTokens: 10, maximumWidth: 12, codeBits: 8, residualCycles: 2),
      NormPathUnit(
        lanes: 2, inputs: 4, wordTokens: 16, maximumTokens: 20, maximumWidth: 20, codeBits: 6, residualCycles: 2),
      NormPathUnit(
        lanes: 8, inputs: 8, wordTokens: 4, maximumTokens: 17, maximumWidth: 48, codeBits: 8, residualCycles: 7),
    ]
  }

  /// The tests of whole engines have it inside.
  static var tested: [NormPathUnit] { [] }
  static func units(of use: EngineUse) -> [NormPathUnit] { [] }

  private var chunks: Int { maximumWidth / lanes }

  var parameters: [UnitParameter] {
    [
      ("NORM", lanes), ("INPUTS", inputs), ("WORD_TOKENS", wordTokens),
      ("MAX_TOKENS", maximumTokens), ("MAX_WIDTH", maximumWidth), ("DEPTH", depth), ("CODE_BITS", codeBits),
      ("RESIDUAL_CYCLES", residualCycles),
    ]
  }

  /// Words of the operand memory.
  private var depth: Int {
    (maximumTokens + wordTokens - 1) / wordTokens * ((maximumWidth + inputs - 1) / inputs)
  }

  /// From start to the first write: one cycle to the first read, then the memory and the unit.
  var cycles: UnitCycles {
    UnitCycles(latency: 2 * chunks + EnginePipeline.norm(lanes: lanes) + 1 + residualCycles, interval: chunks)
  }

  func cases(vectors count: Int, seed: UInt64) -> [UnitCase] {
    [UnitCase(self, vectors: min(count, 200), files: [])]
  }
}
