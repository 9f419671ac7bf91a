import QuasarTensor
import Testing

@testable import QuasarData

@Suite struct ImageFileTests {
  /// A PNG file of raw scanlines (each with its filter byte), any colour type, packed in stored blocks.
  func png(
    width: Int, height: Int, depth: UInt8, colour: UInt8, interlaced: Bool = false, chunks: [(String, [UInt8])] = [],
    _ scanlines: [UInt8]
  ) -> [UInt8] {
    func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
      let body = Array(type.utf8) + data
      return Fixture.bigEndian(UInt32(data.count)) + body + Fixture.bigEndian(Fixture.crc32(body))
    }
    var (low, high): (UInt32, UInt32) = (1, 0)
    var packed: [UInt8] = [0x78, 0x01]
    for start in stride(from: 0, to: scanlines.count, by: 60_000) {
      let part = scanlines[start..<min(start + 60_000, scanlines.count)]
      let size = UInt16(part.count)
      packed += [part.endIndex == scanlines.count ? 1 : 0]
      packed += [size, ~size].flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] } + part
    }
    for byte in scanlines {
      low = (low + UInt32(byte)) % 65521
      high = (high + low) % 65521
    }
    packed += Fixture.bigEndian(high << 16 | low)
    let header =
      Fixture.bigEndian(UInt32(width)) + Fixture.bigEndian(UInt32(height)) + [depth, colour, 0, 0, interlaced ? 1 : 0]
    return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + chunk("IHDR", header)
      + chunks.flatMap { chunk($0.0, $0.1) } + chunk("IDAT", packed) + chunk("IEND", [])
  }

  func decode(_ bytes: [UInt8], covering: Int? = nil) throws -> Raster {
    try ImageFile.decode(bytes, file: "f", covering: covering)
  }

  @Test func ourOwnPNGsComeBack() throws {
    var random = SmallRandom(state: 1)
    for (width, height, channels) in [(1, 1, 1), (7, 3, 3), (64, 65, 3), (33, 1, 1)] {
      let samples = (0..<width * height * channels).map { _ in UInt8(truncatingIfNeeded: random.next() >> 9) }
      let picture = Raster(width: width, height: height, channels: channels, samples: samples)
      let file = try PNGWriter.encode(picture)
      #expect(try decode(file) == picture)
      #expect(try ImageFile.channels(file, file: "f") == channels)
    }
  }

  @Test func sixteenBitSamplesAreRounded() throws {
    // Every 16-bit value once.
    var rows: [UInt8] = []
    for high in 0...255 as ClosedRange<UInt8> {
      rows.append(0)
      for low in 0...255 as ClosedRange<UInt8> { rows += [high, low] }
    }
    let found = try decode(png(width: 256, height: 256, depth: 16, colour: 0, rows))
    #expect(found.channels == 1)
    let rounded = (0..<65536).map { (value: Int) in UInt8((value * 510 + 65535) / 131_070) }
    #expect(found.samples == rounded)
  }

  @Test func fewBitsPalettesAndInterlacing() throws {
    #expect(
      try decode(png(width: 4, height: 1, depth: 2, colour: 0, [0, 0b00_01_10_11])).samples == [0, 85, 170, 255])
    let palette: [(String, [UInt8])] = [("PLTE", [1, 2, 3, 40, 50, 60])]
    let indexed = try decode(png(width: 3, height: 1, depth: 1, colour: 3, chunks: palette, [0, 0b0110_0000]))
    #expect(indexed == Raster(width: 3, height: 1, channels: 3, samples: [1, 2, 3, 40, 50, 60, 40, 50, 60]))
    // Adam7 of 2×2 points: pass 1 holds (0, 0), pass 6 (1, 0), pass 7 row 1.
    let woven = try decode(png(width: 2, height: 2, depth: 8, colour: 0, interlaced: true, [0, 9, 0, 8, 0, 7, 6]))
    #expect(woven.samples == [9, 8, 7, 6])
  }

  @Test func transparencyLiesOverWhite() throws {
    func over(_ value: Int, _ alpha: Int) -> UInt8 { UInt8((value * alpha + 255 * (255 - alpha) + 127) / 255) }
    let values = stride(from: 0, through: 255, by: 5).map { $0 }
    var row: [UInt8] = [0]
    for value in values { row += [UInt8(value), 100, 7, UInt8(255 - value)] }
    let colour = try decode(png(width: values.count, height: 1, depth: 8, colour: 6, row))
    #expect(colour.channels == 3)
    let laid = values.flatMap { (value: Int) -> [UInt8] in [value, 100, 7].map { over($0, 255 - value) } }
    #expect(colour.samples == laid)
    let grey = try decode(png(width: 2, height: 1, depth: 8, colour: 4, [0, 10, 255, 10, 0]))
    #expect(grey == Raster(width: 2, height: 1, channels: 1, samples: [10, 255]))
    let key: [(String, [UInt8])] = [("tRNS", [0, 77])]
    #expect(try decode(png(width: 2, height: 1, depth: 8, colour: 0, chunks: key, [0, 77, 78])).samples == [255, 78])
  }

  @Test func everyTruncatedPNGIsAnError() throws {
    let whole = try PNGWriter.encode(Raster(width: 9, height: 5, channels: 3, fill: 77))
    for length in 0..<whole.count {
      expectError(.badData, holding: "f: ") { _ = try decode(Array(whole[..<length])) }
    }
    var random = SmallRandom(state: 3)
    for _ in 0..<3000 {
      var bytes = whole
      for _ in 0..<2 {
        bytes[Int.random(in: 8..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if let picture = try? decode(bytes) {
        #expect(picture.samples.count == picture.width * picture.height * picture.channels)
      }
    }
    let huge = png(width: 1 << 15, height: 1 << 15, depth: 8, colour: 0, [0])
    expectError(.badData, holding: "f: more than 134217728 points") { _ = try decode(huge) }
  }

  // MARK: JPEG

  func jpeg(_ picture: Raster, quality: Int = 100, progressive: Bool = false) throws -> [UInt8] {
    try Fixture.jpeg(
      picture.samples, width: picture.width, height: picture.height, samples: picture.channels, quality: quality,
      progressive: progressive)
  }

  /// Slopes in every channel, which survive compression.
  func slopes(_ width: Int, _ height: Int, _ channels: Int) -> Raster {
    let samples = (0..<width * height * channels).map { i in
      let (x, y, c) = (i / channels % width, i / channels / width, i % channels)
      return UInt8(20 + [2 * x + y, x + 2 * y, 3 * x][c] * 200 / (3 * (width + height)))
    }
    return Raster(width: width, height: height, channels: channels, samples: samples)
  }

  @Test func jpegsAreThePictureUpToCompression() throws {
    for (width, height, channels) in [(1, 1, 1), (17, 5, 1), (40, 23, 3), (3, 90, 3)] {
      for progressive in [false, true] {
        let picture = slopes(width, height, channels)
        let found = try decode(jpeg(picture, progressive: progressive))
        #expect([found.width, found.height, found.channels] == [width, height, channels])
        // Quality 100 rounds each of 64 coefficients by ½ and the colour transform three times: far below 8 on slopes.
        #expect(zip(found.samples, picture.samples).allSatisfy { abs(Int($0) - Int($1)) <= 8 })
      }
    }
  }

  @Test func largeJPEGsAreDecodedSmaller() throws {
    let file = try jpeg(slopes(101, 67, 3))
    for (covering, side) in [(68, 67), (67, 67), (35, 67), (34, 34), (17, 17), (10, 17), (9, 9), (1, 9)] {
      #expect(try decode(file, covering: covering).height == side, "covering \(covering)")
    }
    let eighth = try decode(file, covering: 9)
    #expect(eighth.width == 13)
    let mean = eighth.samples.reduce(0) { $0 + Int($1) } / eighth.samples.count
    let whole = slopes(101, 67, 3)
    #expect(abs(mean - whole.samples.reduce(0) { $0 + Int($1) } / whole.samples.count) <= 4)
  }

  @Test func inksAreMixed() throws {
    // Inks 255, 128, 64 and black 191 in Adobe's convention, where 255 means no ink.
    let inks = (0..<64).flatMap { _ in [255, 128, 64, 191] as [UInt8] }
    let found = try decode(Fixture.jpeg(inks, width: 8, height: 8, samples: 4))
    #expect([found.width, found.height, found.channels] == [8, 8, 3])
    #expect(Array(found.samples[..<3]) == Array(found.samples[189...]))
    for (value, ink) in zip(found.samples, [255, 128, 64]) {
      // The compressor converts inks through a colour transform that rounds each by at most 1.
      #expect(abs(Int(value) - ink * 191 / 255) <= 2)
    }
  }

  @Test func truncatedAndDamagedJPEGsAreErrors() throws {
    for progressive in [false, true] {
      let whole = try jpeg(slopes(30, 20, 3), quality: 80, progressive: progressive)
      for length in 0..<whole.count - 2 {
        expectError(.badData, holding: "f: ") { _ = try decode(Array(whole[..<length])) }
      }
      var random = SmallRandom(state: 7)
      for _ in 0..<2000 {
        var bytes = whole
        for _ in 0..<3 {
          bytes[Int.random(in: 3..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        if let picture = try? decode(bytes) {
          #expect(picture.samples.count == picture.width * picture.height * picture.channels)
        }
      }
    }
  }

  @Test func orientationTurnsThePicture() throws {
    // 32×16 points, grey left half, white right half, black upper left corner block.
    let samples = (0..<32 * 16).map { i in i % 32 >= 16 ? 255 : (i / 32 < 8 && i % 32 < 8 ? 0 : UInt8(128)) }
    let file = try jpeg(Raster(width: 32, height: 16, channels: 1, samples: samples))
    /// Values at the four corners: upper left, upper right, lower left, lower right.
    func corners(_ orientation: UInt8, big: Bool) throws -> [UInt8] {
      let entry: [UInt8] =
        big ? [1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0] : [0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]
      let tiff: [UInt8] =
        (big ? [0x4d, 0x4d, 0, 0x2a, 0, 0, 0, 8, 0, 1] : [0x49, 0x49, 0x2a, 0, 8, 0, 0, 0, 1, 0]) + entry + [
          0, 0, 0, 0,
        ]
      let body = Array("Exif\0\0".utf8) + tiff
      let segment: [UInt8] = [0xff, 0xe1, 0, UInt8(body.count + 2)] + body
      let p = try decode(Array(file[..<2]) + segment + file[2...])
      #expect(p.width == (orientation >= 5 ? 16 : 32) && p.height == (orientation >= 5 ? 32 : 16))
      func at(_ x: Int, _ y: Int) -> UInt8 {
        let value = p.samples[y * p.width + x]
        return value < 64 ? 0 : (value < 192 ? 128 : 255)
      }
      return [at(2, 2), at(p.width - 3, 2), at(2, p.height - 3), at(p.width - 3, p.height - 3)]
    }
    // The Exif standard in words: the sides at which row 0 and column 0 of the file are shown.
    let expected: [UInt8: [UInt8]] = [
      1: [0, 255, 128, 255], 2: [255, 0, 255, 128], 3: [255, 128, 255, 0], 4: [128, 255, 0, 255],
      5: [0, 128, 255, 255], 6: [128, 0, 255, 255], 7: [255, 255, 128, 0], 8: [255, 255, 0, 128],
    ]
    for (orientation, values) in expected {
      #expect(try corners(orientation, big: false) == values, "orientation \(orientation)")
      #expect(try corners(orientation, big: true) == values, "orientation \(orientation)")
    }
    #expect(EXIFOrientation(jpeg: file) == .upright)
  }
}
