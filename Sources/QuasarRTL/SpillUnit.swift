import QuasarHardware

/// `quasar_spill`: words that have to come out as they went in, whoever stops.
struct SpillUnit: RTLUnit {
  static let module = "quasar_spill"
  static var everything: [SpillUnit] { [SpillUnit(bits: 1), SpillUnit(bits: 64)] }
  static func units(of use: EngineUse) -> [SpillUnit] { [SpillUnit(bits: 64)] }

  /// Bits of a word.
  var bits: Int

  var name: String { "spill-\(bits)" }
  var parameters: [UnitParameter] { [("BITS", bits)] }
  /// A word per cycle while nobody stops.
  var cycles: UnitCycles { UnitCycles(latency: 1, interval: 1) }

  func cases(vectors count: Int, seed: UInt64) -> [UnitCase] {
    var codes = CornerCodes(seed: seed, name)
    var words = HexFile(bits: bits)
    for _ in 0..<count {
      words.put(codes.code(Int.min / 4...Int.max / 4), at: 0, width: bits)
      words.next()
    }
    return [UnitCase(self, vectors: count, files: [("in", words.bytes), ("out", words.bytes)])]
  }
}
