import QuasarData
import QuasarTensor
import Testing

@Suite struct IDXFileTests {
  let images = Fixture.idxImages(count: 4, height: 2, width: 3)
  let labels = Fixture.idxLabels([0, 1, 1, 0])

  func imageSet(_ images: [UInt8], _ labels: [UInt8]) throws -> ImageSet {
    try IDXFile.imageSet(
      name: "set", split: "train", images: (images, "images.idx"), labels: (labels, "labels.idx"),
      classNames: ["a", "b"])
  }

  @Test func readsPlainAndGzip() throws {
    let plain = try imageSet(images, labels)
    #expect(plain.count == 4)
    #expect([plain.channels, plain.height, plain.width] == [1, 2, 3])
    #expect(plain.images == Array(images[16...]))
    #expect(plain.labels == [0, 1, 1, 0])
    #expect(try imageSet(Fixture.gzip(images), Fixture.gzip(labels)) == plain)
  }

  @Test func joinsGzipMembers() throws {
    let parts = Fixture.gzip(Array(images[..<20])) + Fixture.gzip(Array(images[20...]))
    #expect(try imageSet(parts, labels) == imageSet(images, labels))
  }

  @Test func wrongMagicShowsBothInHexadecimal() {
    expectError(.badData, holding: "images.idx", "0x00000801", "0x00000803", "byte 0") {
      _ = try IDXFile.images(labels, file: "images.idx")
    }
    expectError(.badData, holding: "labels.idx", "0x00000803", "0x00000801") {
      _ = try IDXFile.labels(images, file: "labels.idx")
    }
  }

  @Test func truncatedAndSurplusPayload() {
    expectError(.badData, holding: "truncated", "23 bytes", "need 24", "record 3", "byte 39") {
      _ = try IDXFile.images(Array(images.dropLast()), file: "f")
    }
    expectError(.badData, holding: "2 surplus bytes", "byte 40", "24 in all") {
      _ = try IDXFile.images(images + [0, 0], file: "f")
    }
    expectError(.badData, holding: "1 surplus", "byte 12") { _ = try IDXFile.labels(labels + [0], file: "f") }
    expectError(.badData, holding: "truncated", "3 bytes", "need 4") {
      _ = try IDXFile.labels(Array(labels.dropLast()), file: "f")
    }
  }

  @Test func sizesThatOverflowAreTruncationsNotCrashes() {
    let huge = [0x803, UInt32.max, UInt32.max, UInt32.max].flatMap(Fixture.bigEndian) + [1, 2, 3]
    expectError(.badData, holding: "more than memory holds") { _ = try IDXFile.images(huge, file: "f") }
  }

  @Test func zeroImages() {
    expectError(.badData, holding: "0 images") {
      _ = try IDXFile.images(Fixture.idxImages(count: 0, height: 2, width: 2), file: "f")
    }
    expectError(.badData, holding: "5 images of 0×2") {
      _ = try IDXFile.images(Fixture.idxImages(count: 5, height: 0, width: 2), file: "f")
    }
    expectError(.badData, holding: "0 labels") { _ = try IDXFile.labels(Fixture.idxLabels([]), file: "f") }
  }

  @Test func countsAndLabelsHaveToFit() {
    expectError(.badData, holding: "images.idx: 4 images", "labels.idx has 3 labels") {
      _ = try imageSet(images, Fixture.idxLabels([0, 1, 1]))
    }
    expectError(.badData, holding: "labels.idx: label 7 in record 2 (byte 10", "classes 0 to 1") {
      _ = try imageSet(images, Fixture.idxLabels([0, 1, 7, 0]))
    }
  }

  @Test func truncatedAndDamagedGzip() {
    let packed = Fixture.gzip(images)
    expectError(.badData, holding: "truncated gzip", "byte 30") {
      _ = try IDXFile.images(Array(packed[..<30]), file: "f")
    }
    var damaged = packed
    damaged[packed.count - 6] ^= 1
    expectError(.badData, holding: "damaged gzip", "incorrect data check") {
      _ = try IDXFile.images(damaged, file: "f")
    }
    expectError(.badData, holding: "3 bytes after the end of the gzip stream at byte \(packed.count)") {
      _ = try IDXFile.images(packed + [0, 0, 0], file: "f")
    }
  }

  @Test func everyTruncationIsAnError() {
    for whole in [images, Fixture.gzip(images)] {
      for length in 0..<whole.count {
        expectError(.badData, holding: "f") { _ = try IDXFile.images(Array(whole[..<length]), file: "f") }
      }
    }
    for whole in [labels, Fixture.gzip(labels)] {
      for length in 0..<whole.count {
        expectError(.badData, holding: "f") { _ = try IDXFile.labels(Array(whole[..<length]), file: "f") }
      }
    }
  }

  @Test func flippedBitsGiveAnErrorOrAWholeSet() {
    var random = SmallRandom(state: 17)
    for (images, labels) in [(images, labels), (Fixture.gzip(images), Fixture.gzip(labels))] {
      for _ in 0..<2000 {
        var files = [images, labels]
        for _ in 0..<Int.random(in: 1...4, using: &random) {
          let file = Int.random(in: 0...1, using: &random)
          let place = Int.random(in: 0..<files[file].count, using: &random)
          files[file][place] ^= 1 << UInt8.random(in: 0...7, using: &random)
        }
        do {
          let set = try imageSet(files[0], files[1])
          #expect(set.images.count == set.count * set.bytesPerImage && set.labels.allSatisfy { $0 < 2 })
        } catch let error as QuasarError {
          #expect(error.kind == .badData)
        } catch {
          Issue.record("another kind of error: \(error)")
        }
      }
    }
  }
}
