import QuasarSupernet
import QuasarTensor
import QuasarTestSupport
import Testing

@Suite struct SpaceFileTests {
  private static let good = """
    name: tiny
    image:
      size: 8
      channels: 1
      patch: 4
      classes: 3
      head_dimension: 8
    genes:
      embed_dimension: [8, 16]
      depth: [1, 2]
      heads: [1, 2]
      mlp_ratio: [1, 2]
      share_8bit: [0, 0.25, 0.5, 0.75, 1]
      activation_bits: [8, 6, 4]
    """

  @Test func readsEveryKey() throws {
    #expect(try SearchSpace(yaml: SpaceFileTests.good, file: "tiny.yaml") == Tiny.space)
  }

  /// A file with one line replaced; the error names file, line and key.
  struct Case: CustomTestStringConvertible, Sendable {
    var line: Int
    var text: String
    /// The text of the message after "tiny.yaml:LINE: ".
    var key: String
    var says: String
    var testDescription: String { text }
  }

  static let cases = [
    Case(line: 3, text: "  size: eight", key: "image.size", says: "whole number"),
    Case(line: 3, text: "  size: 8.5", key: "image.size", says: "'8.5' must be a whole number"),
    Case(line: 3, text: "  size: 2", key: "image.size", says: "from 4 to 1024"),
    Case(line: 4, text: "  channels: [1]", key: "image.channels", says: "whole number"),
    Case(line: 5, text: "  patch: 3", key: "image.patch", says: "3 does not divide the image size 8"),
    Case(line: 7, text: "  head_dimension: 12", key: "image.head_dimension", says: "12 is no multiple of 8"),
    Case(line: 7, text: "  head_dim: 8", key: "image.head_dim", says: "unknown key"),
    Case(line: 9, text: "  embed_dimension: 8", key: "genes.embed_dimension", says: "expected a list"),
    Case(line: 9, text: "  embed_dimension: []", key: "genes.embed_dimension", says: "expected a list"),
    Case(
      line: 9, text: "  embed_dimension: [8, 20]", key: "genes.embed_dimension", says: "20 is no multiple"),
    Case(line: 10, text: "  depth: [1, 1]", key: "genes.depth", says: "1 is listed twice"),
    Case(line: 10, text: "  depth: [0]", key: "genes.depth", says: "from 1 to 64"),
    Case(line: 11, text: "  heads: [1, two]", key: "genes.heads", says: "'two' must be a whole number"),
    Case(line: 12, text: "  mlp_ratio: [.nan]", key: "genes.mlp_ratio", says: "must be a number"),
    Case(line: 13, text: "  share_8bit: [0, 0.3]", key: "genes.share_8bit", says: "0.3 is none of 0, 0.25"),
    Case(line: 13, text: "  share_8bit: [0, 2]", key: "genes.share_8bit", says: "from 0.0 to 1.0"),
    Case(
      line: 14, text: "  activation_bits: [5]", key: "genes.activation_bits", says: "5 is none of 4, 6, 8"),
    Case(line: 14, text: "  activation_bits: [8]\n  colour: [1]", key: "genes.colour", says: "unknown key"),
  ]

  @Test(arguments: cases)
  func refusesWithLineAndKey(_ bad: Case) throws {
    var lines = SpaceFileTests.good.split(separator: "\n").map(String.init)
    lines[bad.line - 1] = bad.text
    let line = bad.line + bad.text.filter { $0 == "\n" }.count
    let error = try #require(
      quasarError { _ = try SearchSpace(yaml: lines.joined(separator: "\n"), file: "tiny.yaml") })
    #expect(error.kind == .badData)
    #expect(error.message.hasPrefix("tiny.yaml:\(line): \(bad.key): "), "\(error.message)")
    #expect(error.message.contains(bad.says), "\(error.message)")
  }

  @Test func everyKeyIsNeeded() throws {
    let lines = SpaceFileTests.good.split(separator: "\n").map(String.init)
    for i in lines.indices where i != 1 && i != 7 {
      let key = lines[i].split(separator: ":")[0].drop { $0 == " " }
      var shorter = lines
      shorter.remove(at: i)
      let error = try #require(
        quasarError { _ = try SearchSpace(yaml: shorter.joined(separator: "\n"), file: "tiny.yaml") })
      #expect(error.kind == .badData && error.message.contains("\(key): missing"), "\(error.message)")
      #expect(error.message.contains(#/^tiny\.yaml:[0-9]+: /#), "\(error.message)")
    }
  }

  @Test func refusesKeysThatComeTwiceAndOtherDocuments() throws {
    for text in [SpaceFileTests.good + "\nname: again", "", "- 1\n- 2", "just text", "a: [1", "image: 3"] {
      let error = try #require(quasarError { _ = try SearchSpace(yaml: text, file: "tiny.yaml") })
      #expect(error.kind == .badData && error.message.hasPrefix("tiny.yaml:"), "\(error.message)")
    }
  }

  @Test func refusesMoreTokensThanTrainingTakes() throws {
    let text = SpaceFileTests.good.replacing("size: 8", with: "size: 68")
    let error = try #require(quasarError { _ = try SearchSpace(yaml: text, file: "tiny.yaml") })
    #expect(error.message.hasPrefix("tiny.yaml:5: image.patch: 290 tokens"), "\(error.message)")
  }

  @Test func unknownNameListsThePresets() throws {
    let error = try #require(quasarError { _ = try SearchSpace.load("no-such-space") })
    #expect(error.kind == .missing)
    for name in SearchSpace.presets { #expect(error.message.contains(name)) }
  }
}
