import Foundation
import QuasarTensor
import Testing

@testable import QuasarInterchange

@Suite struct HalfPrecisionTests {
  private func tensor(_ words: [UInt16], _ type: ElementType) throws -> RawTensor {
    try RawTensor(elementType: type, shape: [words.count], bytes: words.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] })
  }

  /// Every one of the 65,536 codes, by the definition of the format.
  @Test func everyHalfIsItsFormula() throws {
    let words = (0...UInt16.max).map { $0 }
    let found = try tensor(words, .float16).floats()
    for word in words {
      let (exponent, fraction) = (Int(word >> 10 & 31), Double(word & 1023))
      let sign: Double = word >> 15 == 1 ? -1 : 1
      let value = found[Int(word)]
      if exponent == 31 {
        #expect(fraction == 0 ? Double(value) == sign * .infinity : value.isNaN)
      } else {
        let expected = exponent == 0 ? fraction * 0x1p-24 : (1 + fraction / 1024) * pow(2, Double(exponent - 15))
        #expect(Double(value) == sign * expected && (value.sign == .minus) == (sign < 0), "\(word)")
      }
    }
  }

  @Test func everyBfloat16IsTheUpperHalfOfASingle() throws {
    let words = (0...UInt16.max).map { $0 }
    let raw = try tensor(words, .bfloat16)
    #expect(try raw.floats().map(\.bitPattern) == words.map { UInt32($0) * 65536 })
    #expect(try raw.widened.values(as: Float.self).map(\.bitPattern) == words.map { UInt32($0) * 65536 })
  }

  @Test func safetensorsAndNumPyCarryThem() throws {
    var file = SafetensorsFile()
    try file.add(tensor([0x3555, 0xc000], .float16), named: "half")
    try file.add(tensor([0x3fc0, 0xc000], .bfloat16), named: "brain")
    let read = try SafetensorsFile(decoding: file.encode(), file: "f")
    #expect(read == file)
    #expect(try read.tensor(named: "half").floats() == [0.33325195, -2])
    let brain = try read.tensor(named: "brain")
    #expect(try brain.floats() == [1.5, -2])
    #expect(try NumPyFile.decode(NumPyFile.encode(read.tensor(named: "half")), file: "h") == read.tensor(named: "half"))
    let written = try NumPyFile.decode(NumPyFile.encode(brain), file: "b")
    #expect(try written.elementType == .float32 && written.values() == [Float(1.5), -2])
  }

  @Test func integersAreNoFloats() throws {
    let codes = try RawTensor([Int8(1)], shape: [1])
    do {
      _ = try codes.floats(name: "w")
      Issue.record("no error")
    } catch {
      #expect(error.kind == .badData && error.message.hasPrefix("w: holds I8"))
    }
  }
}
