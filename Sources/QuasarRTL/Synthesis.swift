import Foundation
import QuasarTensor

/// Cells that yosys maps a unit to (`synth_xilinx -family xcup -flatten -nowidelut`).
public struct Synthesis: Codable, Hashable, Sendable {
  public var name: String
  public var unit: String
  public var dsp: Int
  /// LUT1…LUT6, without those in LUT RAM.
  public var lut: Int
  /// LUTs of LUT RAM and shift registers.
  public var memoryLUT: Int
  public var ff: Int
  public var carry: Int
  public var bram18: Int

  /// Runs yosys over every case of an exported folder.
  public static func run(_ folder: RTLFolder, observe: (Int) -> Void = { _ in }) throws -> [Synthesis] {
    guard SystemProgram.find("yosys") != nil, SystemProgram.find("make") != nil else {
      throw QuasarError(.missing, "yosys or make is not installed (Debian: apt-get install yosys make)")
    }
    return try folder.cases.enumerated().map { index, unit in
      let result = try SystemProgram.run("make", ["-C", folder.path, "-s", "synth/\(unit.name).txt"])
      guard result.status == 0 else {
        throw QuasarError(.internal, "\(unit.name): yosys refuses the unit: \(result.output.suffix(2000))")
      }
      observe(index + 1)
      let text = try InputFile.read("\(folder.path)/synth/\(unit.name).txt")
      return Synthesis(name: unit.name, unit: unit.unit, statistics: String(decoding: text, as: UTF8.self))
    }
  }

  /// LUTs of one cell of LUT RAM or shift register.
  private static let memoryLUTs = [
    "RAM32X1S": 1, "RAM64X1S": 1, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1S": 4, "RAM32M": 4,
    "RAM64M": 4, "RAM32M16": 8, "RAM64M8": 8, "RAM512X1S": 8, "SRL16E": 1, "SRLC32E": 1,
  ]

  /// From the text of yosys's `stat`: lines of a cell's name and its number.
  init(name: String, unit: String, statistics: String) {
    var cells: [String: Int] = [:]
    for line in statistics.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 2, let count = Int(words[1]) { cells[String(words[0])] = count }
    }
    func sum(_ isWanted: (String) -> Bool) -> Int {
      cells.reduce(0) { isWanted($1.key) ? $0 + $1.value : $0 }
    }
    self.name = name
    self.unit = unit
    dsp = sum { $0.hasPrefix("DSP48") }
    lut = sum { ["LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "INV"].contains($0) }
    memoryLUT = cells.reduce(0) { $0 + $1.value * (Self.memoryLUTs[$1.key] ?? 0) }
    ff = sum { $0.hasPrefix("FD") }
    carry = sum { $0.hasPrefix("CARRY") }
    bram18 = sum { $0.hasPrefix("RAMB18") } + 2 * sum { $0.hasPrefix("RAMB36") }
  }
}
