import Foundation
import Testing

/// Counts that keep one thing in one place.
@Suite struct SourceRuleTests {
  /// The network is put together in one file. Other files that spell its four linear layers are the genes' names,
  /// timm's names and the training block, which is written by hand.
  @Test func theFourLinearLayersAreSpelledInFewFiles() throws {
    let allowed: Set = [
      "Sources/QuasarNetwork/LayerID.swift", "Sources/QuasarNetwork/LayerGraph.swift",
      "Sources/QuasarExchange/TimmKeys.swift", "Sources/QuasarSupernet/TrainingBlock.swift",
      "Sources/QuasarSupernet/BlockActivations.swift", "Sources/QuasarSupernet/Supernet+Training.swift",
    ]
    var found: Set<String> = []
    for file in try SourceFile.all(in: "Sources") where Self.spellsTheLinears(file.code) { found.insert(file.name) }
    #expect(found == allowed)
  }

  private static func spellsTheLinears(_ code: String) -> Bool {
    // Simple word boundaries: by the default ones, those of Unicode, "block.qkv" is one word.
    [/\bqkv\b/, /\bprojection\b/, /\bexpand\b/, /\bcontract\b/].allSatisfy {
      code.contains($0.wordBoundaryKind(.simple))
    }
  }

  /// "blocks.3" is composed in one place.
  @Test func namesOfBlocksAreComposedOnce() throws {
    let files = try SourceFile.all(in: "Sources").filter { $0.code.contains("\"blocks.\\(") }.map(\.name)
    #expect(files == ["Sources/QuasarNetwork/LayerID.swift"])
  }

  /// The tape holds generic operations; further operations of a transformer join as fused operations.
  @Test func autogradNamesNoPartOfATransformer() throws {
    let words =
      /(?i)attention|transformer|\btokens?\b|\bheads?\b|patch|residual|class ?token|\bqkv\b|drop.?path|supernet/
    for file in try SourceFile.all(in: "Sources/QuasarAutograd") {
      let found = file.text.firstMatch(of: words).map { String($0.0) }
      #expect(found == nil, "\(file.name) says '\(found ?? "")'")
    }
  }

  @Test func initialisersHaveAtMostEightParameters() throws {
    for file in try SourceFile.all(in: "Sources") {
      for (line, count) in Self.initialisers(file.text) {
        #expect(count <= 8, "\(file.name):\(line): an initialiser of \(count) parameters; group what belongs together")
      }
    }
  }

  /// Line and number of parameters of each declared initialiser.
  private static func initialisers(_ text: String) -> [(line: Int, count: Int)] {
    text.matches(of: /(?m)^\s*(?:(?:public|package|private|fileprivate|convenience|required) )*init[?!]?(?:<[^>]*>)?\(/)
      .map { match in
        var (depth, colons) = (1, 0)
        for character in text[match.range.upperBound...] {
          if "([{".contains(character) { depth += 1 }
          if ")]}".contains(character) { depth -= 1 }
          if depth == 0 { break }
          if depth == 1, character == ":" { colons += 1 }
        }
        let line = text[..<match.range.upperBound].count { $0 == "\n" } + 1
        return (line, colons)
      }
  }

  @Test func parametersOfInitialisersAreCounted() {
    let text =
      "struct A {\n  init(a: Int, b: [Int: Int], c: (x: Int, y: Int) = (x: 1, y: 2)) {}\n  public init(d: Int) {}\n}"
    #expect(Self.initialisers(text).map(\.count) == [3, 1] && Self.initialisers(text).map(\.line) == [2, 3])
  }

  @Test func theREADMEIsShort() throws {
    let text = try String(contentsOf: Manifest.root.appendingPathComponent("README.md"), encoding: .utf8)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).count
    #expect(lines <= 101, "README.md has \(lines) lines")
  }

  /// A file has one idea; most have fewer than 400 lines.
  @Test func filesAreShort() throws {
    for file in try SourceFile.all(in: "Sources") {
      let lines = file.text.count { $0 == "\n" }
      #expect(lines <= 400, "\(file.name) has \(lines) lines")
    }
  }
}

extension SourceFile {
  /// The text without comments.
  var code: String { text.replacing(/(?m)\/\/.*$/, with: "") }
}
