import QuasarArithmetic
import QuasarHardware

/// `quasar_gelu`: all 255 codes over and over, against the table itself.
struct GELUUnit: RTLUnit {
  static let module = "quasar_gelu"
  static var everything: [GELUUnit] { [GELUUnit()] }
  static func units(of use: EngineUse) -> [GELUUnit] { everything }

  let name = "gelu"
  var parameters: [UnitParameter] { [] }
  var cycles: UnitCycles { UnitCycles(latency: 1, interval: 1) }
  /// LUTs alone: in the cost model the register of the code is that of the requantiser behind which the table stands.
  var resources: ResourceUse? { ResourceUse(lut: CostConstants.openSynthesis.lutPerTable) }

  func cases(vectors count: Int, seed: UInt64) -> [UnitCase] {
    var codes = CornerCodes(seed: seed, name)
    let table = GELUTable(inputStep: 0.05, output: GELUQuantizer(step: 0.02, bits: 8)).entries
    var input = HexFile(bits: 8)
    var output = HexFile(bits: 8)
    for n in 0..<count {
      let code = n < 255 ? n - 127 : codes.code(-127...127)
      input.put(code, at: 0, width: 8)
      input.next()
      output.put(Int(table[code + 128]), at: 0, width: 8)
      output.next()
    }
    return [
      UnitCase(
        self, vectors: count,
        files: [("in", input.bytes), ("out", output.bytes), ("table", Self.tableFile(table))])
    ]
  }

  /// 256 entries for the port of the table, in the order of their addresses.
  static func tableFile(_ entries: [UInt8]) -> [UInt8] {
    var file = HexFile(bits: 8)
    for entry in entries {
      file.put(Int(entry), at: 0, width: 8)
      file.next()
    }
    return file.bytes
  }
}
