import QuasarTensor
import Testing

@testable import QuasarData

@Suite struct PictureTests {
  /// Reads a PNG back by its definition: chunks, their CRCs, the Adler-32 of the rows, the deflate stream.
  func scanlines(_ png: [UInt8], expected: [UInt8]) throws -> [String: [UInt8]] {
    #expect(png.starts(with: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]))
    var chunks: [String: [UInt8]] = [:]
    var offset = 8
    while offset < png.count {
      let length = Int(png[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) })
      let body = Array(png[offset + 4..<offset + 8 + length])
      chunks[String(decoding: body[..<4], as: UTF8.self)] = Array(body[4...])
      #expect(
        Array(png[offset + 8 + length..<offset + 12 + length]) == Fixture.bigEndian(Fixture.crc32(body)))
      offset += 12 + length
    }
    let packed = try #require(chunks["IDAT"])
    var low: UInt32 = 1
    var high: UInt32 = 0
    for byte in expected {
      low = (low + UInt32(byte)) % 65521
      high = (high + low) % 65521
    }
    #expect(Array(packed.suffix(4)) == Fixture.bigEndian(high << 16 | low))
    let member = Fixture.gzip(deflated: Array(packed[2...].dropLast(4)), of: expected)
    #expect(try Gzip.unpackIfPacked(member, file: "png") == expected)
    return chunks
  }

  @Test func greyAndColourPNG() throws {
    var grey = Raster(width: 3, height: 2, channels: 1)
    grey.set(x: 1, y: 1, to: 200)
    let chunks = try scanlines(PNGWriter.encode(grey), expected: [0, 0, 0, 0, 0, 0, 200, 0])
    #expect(chunks["IHDR"] == [0, 0, 0, 3, 0, 0, 0, 2, 8, 0, 0, 0, 0] && chunks["IEND"] == [])
    var colour = Raster(width: 2, height: 1, channels: 3)
    colour.draw(planar: [1, 2, 3, 4, 5, 6], channels: 3, height: 1, width: 2, scale: 1, x: 0, y: 0)
    let rgb = try scanlines(PNGWriter.encode(colour), expected: [0, 1, 3, 5, 2, 4, 6])
    #expect(rgb["IHDR"]?[9] == 2)
  }

  @Test func contactSheetShowsEverySample() throws {
    let set = try ImageSet(
      name: "s", split: "train", channels: 1, height: 2, width: 2,
      images: [10, 20, 30, 40] + [50, 60, 70, 80],
      labels: [1, 0], classNames: ["a", "longer name than twenty letters é <&>"])
    let sheet = try ContactSheet.draw(set, samplesPerClass: 3, scale: 8)
    let label = 12 + BitmapFont.width(of: 20, scale: 2) + 12
    #expect(sheet.width == label + 3 * 16 + 2 * 4 + 12 && sheet.height == 24 + 16 + 4 + 16)
    func sample(_ x: Int, _ y: Int) -> UInt8 { sheet.samples[y * sheet.width + x] }
    #expect(sample(label, 12) == 50 && sample(label + 15, 27) == 80)
    #expect(sample(label, 32) == 10 && sample(label + 15, 32) == 20 && sample(label + 15, 47) == 40)
    #expect(sample(label + 20, 12) == 255)
    #expect(sheet.samples.contains(48))
    expectError(.usage, holding: "0 samples") { _ = try ContactSheet.draw(set, samplesPerClass: 0) }
    expectError(.usage, holding: "fewer samples") { _ = try ContactSheet.draw(set, samplesPerClass: .max) }
  }
}
