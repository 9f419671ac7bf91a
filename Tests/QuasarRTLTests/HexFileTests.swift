import Testing

@testable import QuasarRTL

@Suite("Words for $readmemh")
struct HexFileTests {
  @Test("Fields lie at their bits, negative ones in two's complement, also across 64-bit limbs")
  func fields() {
    var file = HexFile(bits: 92)
    file.put(-1, at: 0, width: 4)
    file.put(5, at: 4, width: 8)
    file.put(-2, at: 28, width: 64)
    file.next()
    file.put(1, at: 91, width: 1)
    file.next()
    let lines = String(decoding: file.bytes, as: UTF8.self).split(separator: "\n")
    // −2 in 64 bits at bit 28; 5 at bit 4; 15 at bit 0.
    #expect(lines[0] == "fffffffffffffffe000005f")
    #expect(lines[1] == "8" + String(repeating: "0", count: 22))
    #expect(file.words == 2)
  }

  @Test("A width that is no multiple of four is filled up with zeros")
  func padding() {
    var file = HexFile(bits: 5)
    file.put(-1, at: 0, width: 5)
    file.next()
    #expect(String(decoding: file.bytes, as: UTF8.self) == "1f\n")
  }
}
