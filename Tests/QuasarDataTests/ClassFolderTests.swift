import QuasarData
import QuasarTensor
import Testing

@Suite struct ClassFolderTests {
  func pixmap(_ header: String, _ samples: [UInt8]) -> [UInt8] { Array(header.utf8) + samples }

  func load(_ folder: borrowing TemporaryFolder) throws -> ImageDataset {
    try DataSpecification(parsing: "folder:\(folder.path)").load()
  }

  @Test func readsGreyAndColourTogether() throws {
    let folder = try TemporaryFolder()
    let colour = pixmap("P6\n# a comment\n2 1\n255\n", [1, 2, 3, 4, 5, 6])
    try folder.write(colour, "train/beta/1.ppm")
    try folder.write(pixmap("P5 2 1 255\n", [7, 8]), "train/alpha/1.pgm")
    try folder.write(colour, "val/alpha/x")
    try folder.write(colour, "val/beta/y")
    try folder.write([1], "train/alpha/.hidden")
    let data = try load(folder)
    #expect(data.classNames == ["alpha", "beta"])
    #expect(data.train.channels == 3 && data.train.labels == [0, 1])
    #expect(data.train.images == [7, 8, 7, 8, 7, 8, 1, 4, 2, 5, 3, 6])
    #expect(data.test.split == "val")
  }

  @Test func otherFormatsAreNamedWithTheFirstFile() throws {
    let folder = try TemporaryFolder()
    try folder.write(Array("GIF89a".utf8), "train/a/1.JPEG")
    try folder.write([0x89, 0x50, 0x4e, 0x47], "train/a/2.png")
    try folder.write([0], "test/a/1")
    expectError(.badData, holding: "train/a/1.JPEG: a GIF file", "JPEG, PNG", "PGM (P5)", "PPM (P6)", "convert") {
      _ = try load(folder)
    }
  }

  @Test func sizesAreScaledWhenAskedFor() throws {
    let folder = try TemporaryFolder()
    try folder.write(PNGWriter.encode(Raster(width: 9, height: 6, channels: 3, fill: 9)), "train/a/1.png")
    try folder.write(Fixture.jpeg([UInt8](repeating: 90, count: 40), width: 8, height: 5, samples: 1), "train/b/1.jpg")
    try folder.write(pixmap("P5 2 1 255\n", [7, 8]), "test/a/1.pgm")
    try folder.write(pixmap("P5 1 1 255\n", [7]), "test/b/1.pgm")
    let specification = DataSpecification.folder(directory: folder.path)
    let data = try specification.load(size: 4)
    #expect(data.train.images == [UInt8](repeating: 9, count: 48) + [UInt8](repeating: 90, count: 48))
    #expect(data.test.channels == 3 && data.test.count == 2)
    expectError(.badData, holding: "b/1.jpg: 8×5 pixels", "a/1.png has 9×6", "name a size") {
      _ = try specification.load()
    }
    expectError(.usage, holding: "size 0") { _ = try specification.load(size: 0) }
    let overview = try DataOverview(of: specification)
    #expect(overview.sizes == "8×5 to 9×6" && overview.samples.width == 64 && overview.trainCounts == [1, 1])
    #expect(try DataOverview(of: specification, size: 4).samples == data.train)
  }

  @Test func foldersThatDoNotFit() throws {
    let folder = try TemporaryFolder()
    let image = pixmap("P5 1 1 255\n", [7])
    try folder.write(image, "train/a/1.pgm")
    expectError(.missing, holding: "neither val nor test") { _ = try load(folder) }
    try folder.write(image, "test/b/1.pgm")
    expectError(.badData, holding: "“a” stands against “b”") { _ = try load(folder) }
    try folder.write(image, "test/a/1.pgm")
    try folder.write(image, "train/b/1.pgm")
    try folder.write(pixmap("P5 2 1 255\n", [7, 7]), "train/a/2.pgm")
    expectError(.badData, holding: "a/2.pgm: 2×1 pixels", "a/1.pgm has 1×1") { _ = try load(folder) }
  }

  @Test func scalesSmallLargestValues() throws {
    let image = try PortablePixmap.decode(pixmap("P5 3 1 15\n", [0, 7, 15]), file: "f")
    #expect(image.pixels == [0, 119, 255])
    expectError(.badData, holding: "sample 16 at byte 10", "15") {
      _ = try PortablePixmap.decode(pixmap("P5 1 1 15\n", [16]), file: "f")
    }
    expectError(.badData, holding: "65535") {
      _ = try PortablePixmap.decode(pixmap("P5 1 1 65535\n", [1, 1]), file: "f")
    }
  }

  @Test func everyTruncationAndFlipIsSafe() {
    let whole = pixmap("P6\n# c\n2 2\n255\n", (0..<12).map { $0 * 20 })
    for length in 0..<whole.count {
      expectError(.badData, holding: "f") {
        _ = try PortablePixmap.decode(Array(whole[..<length]), file: "f")
      }
    }
    expectError(.badData, holding: "f") { _ = try PortablePixmap.decode(whole + [0], file: "f") }
    var random = SmallRandom(state: 5)
    for _ in 0..<5000 {
      var bytes = whole
      for _ in 0..<2 { bytes[Int.random(in: 0..<bytes.count, using: &random)] = random.next().byte }
      if let image = try? PortablePixmap.decode(bytes, file: "f") {
        #expect(image.pixels.count == image.channels * image.height * image.width)
      }
    }
  }
}

extension UInt64 {
  fileprivate var byte: UInt8 { UInt8(truncatingIfNeeded: self >> 20) }
}
