import QuasarArithmetic
import QuasarTensor

/// Chains of operands as a CSV table, and the same table with the words of a DSP slice added.
///
/// The columns are `chain`, `w0, w1, …`, `x0, x1, …`. Each cell holds the operands of that lane over the chain,
/// separated by blanks. The result repeats them and adds `A, D, B, C, P` in hexadecimal (A, D and B one word per
/// product) and `y0, y1, …`, y index = weight·activations + activation.
/// `y0, y1, …`, y index = weight·activations + activation.
public struct ChainTable {
  struct Row {
    var name: String
    var weights: [[Int]]
    var activations: [[Int]]
  }

  let mode: PackingMode
  let unsignedActivations: Bool
  let file: String
  private(set) var rows: [Row] = []

  private var columns: [String] {
    ["chain"] + (0..<mode.weights).map { "w\($0)" } + (0..<mode.activations).map { "x\($0)" }
  }

  /// Reads a table; errors name file, line and column.
  public init(text: String, file: String, mode: PackingMode, unsignedActivations: Bool) throws {
    self.mode = mode
    self.unsignedActivations = unsignedActivations
    self.file = file
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
    let header = lines.first.map { ChainTable.cells($0) } ?? []
    guard header == columns else {
      throw QuasarError(
        .badData,
        "\(file):1: columns '\(header.joined(separator: ","))', mode \(mode.name) takes "
          + "'\(columns.joined(separator: ","))'")
    }
    for (index, line) in lines.enumerated().dropFirst() where !line.allSatisfy(\.isWhitespace) {
      rows.append(try row(ChainTable.cells(line), line: index + 1))
    }
  }

  private static func cells(_ line: String) -> [String] {
    line.split(separator: ",", omittingEmptySubsequences: false).map { cell in
      var text = Substring(cell)
      while text.first?.isWhitespace == true { text.removeFirst() }
      while text.last?.isWhitespace == true { text.removeLast() }
      return String(text)
    }
  }

  private func row(_ cells: [String], line: Int) throws -> Row {
    guard cells.count == columns.count else {
      throw QuasarError(.badData, "\(file):\(line): \(cells.count) cells instead of \(columns.count)")
    }
    let lanes = try zip(cells, columns).dropFirst().map { cell, column in
      try cell.split(whereSeparator: \.isWhitespace).map { text in
        guard let code = Int(text) else {
          throw QuasarError(.badData, "\(file):\(line): \(column): '\(text)' is not a whole number")
        }
        return code
      }
    }
    let length = lanes[0].count
    guard length > 0, lanes.allSatisfy({ $0.count == length }) else {
      throw QuasarError(
        .badData, "\(file):\(line): lanes of \(lanes.map(\.count)) operands; all need the same number, at least one")
    }
    let products = (0..<length).map { n in lanes.map { $0[n] } }
    return Row(
      name: cells[0], weights: products.map { Array($0[..<mode.weights]) },
      activations: products.map { Array($0[mode.weights...]) })
  }

  /// Number of chains.
  public var count: Int { rows.count }

  /// The table with its words, and the number of chains that are longer than the proved depth for full-range codes.
  public func words(decode: LaneDecoder) throws -> (text: String, beyondDepth: Int) {
    let outputs = (0..<mode.productsPerDSP).map { "y\($0)" }
    let depth = mode.depth(
      weight: mode.weightRange, activation: mode.activationRange(unsigned: unsignedActivations))
    var text = (columns + ["A", "D", "B", "C", "P"] + outputs).joined(separator: ",") + "\n"
    var beyondDepth = 0
    for (index, row) in rows.enumerated() {
      let chain: PackedChain
      do {
        chain = try mode.chain(
          weights: row.weights, activations: row.activations, decode: decode,
          unsignedActivations: unsignedActivations)
      } catch let error as QuasarError {
        throw QuasarError(error.kind, "\(file): chain \(index + 1) ('\(row.name)'): \(error.message)")
      }
      if let depth, row.weights.count > depth { beyondDepth += 1 }
      let lanes =
        (0..<mode.weights).map { lane in row.weights.map { $0[lane] } }
        + (0..<mode.activations).map { lane in row.activations.map { $0[lane] } }
      let words = [chain.a, chain.d, chain.b].map { port in port.map { hex(UInt64($0)) }.joined(separator: " ") }
      let cells =
        [row.name] + lanes.map { $0.map(String.init).joined(separator: " ") } + words
        + [hex(chain.c), hex(chain.p)] + chain.products.map(String.init)
      text += cells.joined(separator: ",") + "\n"
    }
    return (text, beyondDepth)
  }

  private func hex(_ word: UInt64) -> String { String(word, radix: 16) }
}
