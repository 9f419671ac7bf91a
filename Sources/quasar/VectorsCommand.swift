import ArgumentParser
import Quasar
import QuasarConsole

struct VectorsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "vectors", abstract: "DSP words, P and decoded sums of chains of packed products.",
    discussion: """
      The input has a line 'chain,w0,…,x0,…' and one chain a row, the operands of a lane separated by blanks; the
      output adds the words on ports A, D, B and C, P, and the decoded sums y0, y1, … (weight·activations +
      activation). Chains beyond the proved depth wrap as the hardware does. Modes:
      \(PackingMode.all.map(\.name).joined(separator: ", ")).

      Example: quasar vectors --mode w4a6-2x2 --in operands.csv --out words.csv
      """)

  @OptionGroup var common: CommonOptions
  @Option(name: .long, help: "Packing mode.") var mode: String
  @Option(name: .customLong("in"), help: "CSV file of operands.") var input: String
  @Option(name: .long, help: "The CSV file to write.") var out: String
  @Flag(name: .long, help: "Activations are unsigned codes.") var unsignedActivations = false
  @Option(name: .long, help: "exact, parallel or naive.") var decode: LaneDecoder = .exact

  func run() throws {
    try common.apply()
    let text = String(decoding: try InputFile.read(input), as: UTF8.self)
    let table = try ChainTable(
      text: text, file: input, mode: .named(mode), unsignedActivations: unsignedActivations)
    let (words, beyond) = try table.words(decode: decode)
    try AtomicFile.write(words, to: out)
    if common.json {
      try Console.json(["words": out, "mode": mode, "chains": table.count, "beyond_depth": beyond])
    } else {
      let note = beyond == 0 ? "" : "; \(beyond) of them longer than the depth proved for full-range codes"
      print("\(out): \(table.count) chains\(note)")
    }
  }
}

extension LaneDecoder: ExpressibleByArgument {}
