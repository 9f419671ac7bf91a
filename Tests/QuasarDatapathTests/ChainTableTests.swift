import QuasarArithmetic
import QuasarDatapath
import QuasarTensor
import QuasarTestSupport
import Testing

/// `quasar vectors` on tables worked by hand.
@Suite("Tables of chains")
struct ChainTableTests {
  static func words(_ text: String, _ mode: PackingMode, unsigned: Bool = false, decode: LaneDecoder = .exact) throws
    -> [String]
  {
    let table = try ChainTable(text: text, file: "in.csv", mode: mode, unsignedActivations: unsigned)
    return try table.words(decode: decode).text.split(separator: "\n").map(String.init)
  }

  @Test("Words, P and sums of a pair: P = 15 − 5·2^18")
  func pair() throws {
    let lines = try Self.words("chain,w0,w1,x0\na,3,-1,5\n", .w8a8Pair)
    #expect(lines[0] == "chain,w0,w1,x0,A,D,B,C,P,y0,y1")
    // D = −2^18 in 27 bits, P = 15 − 5·2^18 in 48.
    #expect(lines[1] == "a,3,-1,5,3,7fc0000,5,0,ffffffec000f,15,-5")
  }

  /// w = −7 and 5, x = 10 and −3: AD = −7 + 5·2^22, B = 10 − 3·2^11; P = −70 + 21·2^11 + 50·2^22 − 15·2^33.
  @Test("Two by two, decoded three ways")
  func block() throws {
    let text = "chain,w0,w1,x0,x1\r\nq, -7 ,5,10,-3\r\n\r\n"
    let p = -70 + 21 * 2048 + 50 * 4_194_304 - 15 * 8_589_934_592
    let word = String(p + 281_474_976_710_656, radix: 16)
    for (decode, sums) in [
      (LaneDecoder.exact, "-70,21,50,-15"), (.parallel, "-70,21,50,-15"), (.naive, "-70,20,50,-15"),
    ] {
      let cells = try Self.words(text, .w4a6Block, decode: decode)[1].split(separator: ",")
      #expect(cells[0] == "q" && cells[9] == word)
      #expect(cells[10...].joined(separator: ",") == sums)
    }
  }

  @Test("Atoms, unsigned activations, several products: A holds w & 15, D holds (w >> 4)·2^22")
  func atoms() throws {
    let lines = try Self.words("chain,w0,x0\nc,-1 100,255 3\n", .w8a8Atoms, unsigned: true)
    #expect(lines[1].hasPrefix("c,-1 100,255 3,f 4,7c00000 1800000,ff 3,0,"))
    #expect(lines[1].hasSuffix(",45"))
  }

  @Test("Chains beyond the depth wrap and are counted")
  func beyond() throws {
    let many = Array(repeating: "-128", count: 8).joined(separator: " ")
    let table = try ChainTable(
      text: "chain,w0,w1,x0\na,\(many),\(many),\(many)\n", file: "in.csv", mode: .w8a8Pair, unsignedActivations: false)
    let (text, count) = try table.words(decode: .exact)
    #expect(count == 1)
    // 8·16384 = 2^17 does not fit 18 bits signed, so it reads as −2^17 and the lane above gets one more.
    #expect(text.contains(",-131072,131073\n"))
  }

  @Test(
    "Errors name file, line and column",
    arguments: [
      ("", "in.csv:1: columns ''"), ("chain,w0,x0\n", "takes 'chain,w0,w1,x0'"),
      ("chain,w0,w1,x0\na,1,2\n", "in.csv:2: 3 cells instead of 4"),
      ("chain,w0,w1,x0\n\na,1,two,3\n", "in.csv:3: w1: 'two'"),
      ("chain,w0,w1,x0\na,1 2,3,4\n", "lanes of [2, 1, 1]"), ("chain,w0,w1,x0\na,,,\n", "at least one"),
      ("chain,w0,w1,x0\na,1,128,3\n", "chain 1 ('a'): product 0: weight 128 is outside"),
    ])
  func errors(_ text: String, _ part: String) {
    let error = quasarError { _ = try Self.words(text, .w8a8Pair) }
    #expect(error?.kind == .badData)
    #expect(error?.message.contains(part) == true, "\(error?.message ?? "no error")")
  }

  @Test("A mode that restores a bit takes one product a chain")
  func restored() throws {
    let header = "chain,w0,w1,w2,x0\n"
    #expect(try Self.words(header + "a,-8,7,-8,-128\n", .w4a8TripleRestored)[1].hasSuffix(",1024,-896,1024"))
    #expect(quasarError { _ = try Self.words(header + "a,1 1,1 1,1 1,1 1\n", .w4a8TripleRestored) } != nil)
  }
}
