import Foundation
import Testing

@testable import QuasarRTL

/// The assertions of the units, each made to fail.
@Suite("Assertions of the RTL", .serialized)
struct AssertionTests {
  /// What the assertion of each rule of `quasar_violations.sv` says, from rule 1.
  static let words = [
    "divisor 0", "768 / 3 needs more than 8 bits", "in_last without in_valid", "the chain is too long",
    "more than the 25 bits of the pre-adder", "shift 0 is outside", "shift 48 is outside", "multiplier −2^16",
    "does not fit SUM_BITS = 27", "limits 8…7 are empty", "the table is written while results are inside",
    "bias −2^30", "R = 32767, k = 8", "beyond 2^(k+22)", "a row of more than 2 chunks",
    "0 scores in the last chunk", "in_last without in_valid", "the table is written while 1 rows are inside",
    "while the longer row before is still in the second pass", "the multiplier is negative",
    "parameters are written while 1 tokens are inside", "chunk 0, lane 3 is no channel",
    "valid fell before ready", "data changed from 07 to 09 before ready",
  ]

  @Test("Verilator stops at every broken rule of operands, runs, tables and streams, and at no kept one")
  func violations() throws {
    let folder = SimulationTests.Folder()
    _ = try RTLFolder(writing: GELUUnit().cases(vectors: 1, seed: 1), to: folder.path)
    let build = try SystemProgram.run("make", ["-C", folder.path, "-s", "violations-build"])
    #expect(build.status == 0 && !build.output.contains("%Warning"), "\(build.output.suffix(2000))")
    func run(_ rule: Int) throws -> (status: Int32, output: String) {
      try SystemProgram.run("sh", ["-c", "exec '\(folder.path)/build/violations/violations' +rule=\(rule)"])
    }
    let kept = try run(0)
    #expect(kept.status == 0 && kept.output.contains("RULES \(Self.words.count)\n"), "\(kept.output)")
    for (index, words) in Self.words.enumerated() {
      let broken = try run(index + 1)
      #expect(
        broken.status != 0 && broken.output.contains("Assertion failed") && broken.output.contains(words),
        "rule \(index + 1): \(broken.output)")
    }
  }
}
