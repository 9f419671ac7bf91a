import Foundation
import QuasarTensor
import Testing

@testable import QuasarData

/// Class folders through shards and back. Size 1024 makes shards of ten coloured images.
@Suite struct ImageCacheTests {
  static let size = 1024
  static let perShard = 10

  /// 2 classes of 12 and 13 training images and 1 and 2 test images, PNGs of 4×4 points of one colour each.
  func write(_ folder: borrowing TemporaryFolder, grey: Bool = false) throws {
    for (className, train, test) in [("ant", 12, 1), ("bee", 13, 2)] {
      for (split, count) in [("train", train), ("val", test)] {
        for i in 0..<count {
          var picture = Raster(width: 4, height: 4, channels: grey || i == 3 ? 1 : 3, fill: value(className, split, i))
          picture.set(x: 0, y: 0, to: 255)
          try folder.write(PNGWriter.encode(picture), "in/\(split)/\(className)/\(i + 100).png")
        }
      }
    }
  }

  func value(_ className: String, _ split: String, _ i: Int) -> UInt8 {
    UInt8((className == "ant" ? 0 : 80) + (split == "val" ? 40 : 0) + i)
  }

  func cache(
    _ folder: borrowing TemporaryFolder, size: Int = ImageCacheTests.size, skip: Bool = false, workers: Int = 2,
    stopAfter: Int = .max
  ) throws -> CacheWriter.Summary {
    var writer = try CacheWriter(
      DataSpecification(parsing: "folder:\(folder.path)/in"), size: size, output: folder.path + "/out")
    writer.workers = workers
    writer.skipsDamaged = skip
    var done = 0
    return try writer.run(progress: { finished, _ in done = finished }, shouldStop: { done >= stopAfter })
  }

  func open(_ folder: borrowing TemporaryFolder) throws -> ImageSources {
    try DataSpecification(parsing: "cache:\(folder.path)/out").open()
  }

  func bytes(_ folder: borrowing TemporaryFolder, _ name: String) throws -> [UInt8] {
    try InputFile.read(folder.path + "/out/" + name)
  }

  @Test func sameImagesAsInMemory() throws {
    let folder = try TemporaryFolder()
    try write(folder)
    let summary = try cache(folder)
    #expect(summary.images == 28 && summary.shards == 4 && summary.kept == 0 && summary.damaged == [])
    let memory = try DataSpecification(parsing: "folder:\(folder.path)/in").load(size: ImageCacheTests.size)
    let disk = try open(folder)
    #expect(disk.name == "in" && disk.classNames == ["ant", "bee"] && disk.test.split == "val")
    for (a, b) in [(memory.train, disk.train), (memory.test, disk.test)] {
      #expect(b.channels == 3 && b.height == 1024 && b.width == 1024 && b.count == a.count)
      #expect(a.labels == b.labels && !b.isInMemory)
      #expect(try b.channelSums() == a.channelSums())
      for index in 0..<a.count { #expect(try b.pixels(at: index) == Array(a.image(at: index)), "image \(index)") }
    }
    // The images are read in any order and in parts.
    let (kept, heldOut) = try memory.train.splittingEvery(5)
    let parts = try CachedImages.parts(folder.path + "/out").train.splittingEvery(5)
    #expect(parts.kept.labels == kept.labels && parts.heldOut.labels == heldOut.labels)
    #expect(try parts.heldOut.channelSums() == heldOut.channelSums())
    for index in (0..<heldOut.count).reversed() {
      #expect(try parts.heldOut.pixels(at: index) == Array(heldOut.image(at: index)))
    }
    #expect(try DataSpecification.cache(directory: folder.path + "/out").load().train == memory.train)
  }

  @Test func shardsByTheDocumentedLayout() throws {
    let folder = try TemporaryFolder()
    try write(folder, grey: true)
    _ = try cache(folder, size: 2)
    let manifest = try #require(
      JSONSerialization.jsonObject(with: Data(bytes(folder, "manifest.json"))) as? [String: Any])
    #expect(manifest["schema"] as? Int == 1 && manifest["channels"] as? Int == 1 && manifest["size"] as? Int == 2)
    let shard = try bytes(folder, "val-00000.shard")
    let listed = ((manifest["test"] as? [String: Any])?["shards"] as? [[String: Any]])?.first
    let crc = Fixture.crc32(Array(shard.dropLast(4)))
    #expect(listed?["crc32"] as? String == ShardFile.hexadecimal(crc) && listed?["bytes"] as? Int == shard.count)
    #expect(Array(shard.suffix(4)) == Fixture.littleEndian(crc))
    #expect(Array(shard[..<8]) == Array("QSRIMGS\n".utf8))
    #expect(Array(shard[8..<12]) == Fixture.littleEndian(1))
    // Grey, side 2, three images from index 0 on.
    let header = [1, 2, 3, 0].flatMap { (word: UInt32) in Fixture.littleEndian(word) }
    #expect(Array(shard[16..<32]) == header)
    // 3 images of 4 points: 40, 120, 121 with a quarter of the corner's 255 in the first point.
    let pixels = [94, 40, 40, 40, 154, 120, 120, 120, 155, 121, 121, 121] as [UInt8]
    #expect(Array(shard[84..<96]) == pixels)
    let (sum, squares) = (94 + 3 * 40, 94 * 94 + 3 * 40 * 40)
    let sums = [sum, 0, squares, 0].flatMap { (word: Int) in Fixture.littleEndian(UInt32(word)) }
    #expect(Array(shard[32..<48]) == sums)
    #expect(Array(shard[80..<84]) == Fixture.littleEndian(Fixture.crc32(Array(shard[..<80]))))
  }

  @Test func goesOnWithWhatIsThere() throws {
    let folder = try TemporaryFolder()
    try write(folder)
    expectError(.missing, holding: "no such folder") { _ = try open(folder) }
    // Stops when the clock is first checked after an image, or reaches the end on a fast machine.
    do {
      _ = try cache(folder, workers: 1, stopAfter: 1)
    } catch let error as QuasarError {
      #expect(error.kind == .interrupted && error.message.contains("of 4 shards"))
      expectError(.missing, holding: "not finished", "quasar data cache") { _ = try open(folder) }
    }
    _ = try cache(folder)
    let names = ["manifest.json", "train-00000.shard", "train-00001.shard", "train-00002.shard", "val-00000.shard"]
    let whole = try names.map { try bytes(folder, $0) }
    #expect(try cache(folder, workers: 1).kept == 4)
    // One shard is missing, one is cut, one has a wrong bit: the three are written again, with the same bytes.
    try FileManager.default.removeItem(atPath: folder.path + "/out/train-00000.shard")
    try folder.write(Array(whole[2].dropLast(1000)), "out/train-00001.shard")
    try folder.write(flipped(whole[4], at: 100_000), "out/val-00000.shard")
    #expect(try cache(folder).kept == 1)
    #expect(try names.map { try bytes(folder, $0) } == whole)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/out").sorted() == names)
    expectError(.usage, holding: "at size 1024", "at size 512", "another folder") { _ = try cache(folder, size: 512) }
    try folder.write(PNGWriter.encode(Raster(width: 9, height: 9, channels: 3)), "in/val/ant/100.png")
    expectError(.usage, holding: "another folder", "source list") { _ = try cache(folder) }
  }

  func flipped(_ bytes: [UInt8], at place: Int) -> [UInt8] {
    var bytes = bytes
    bytes[place] ^= 4
    return bytes
  }

  @Test func damageIsFoundAtTheFirstUse() throws {
    let folder = try TemporaryFolder()
    try write(folder)
    _ = try cache(folder)
    let whole = try bytes(folder, "train-00001.shard")
    let advice = "run 'quasar data cache' again"
    // Every image of the shard is affected, not only the damaged one, and no other shard.
    for place in [whole.count - 5, 600, 40, 20, 2, whole.count - 1] {
      try folder.write(flipped(whole, at: place), "out/train-00001.shard")
      let data = try open(folder)
      #expect(try data.train.pixels(at: 9).count == data.train.bytesPerImage)
      for index in [10, 19] {
        expectError(.badData, holding: "out/train-00001.shard: ", advice) { _ = try data.train.pixels(at: index) }
      }
    }
    try folder.write(Array(whole.dropLast()), "out/train-00001.shard")
    expectError(.badData, holding: "\(whole.count - 1) bytes", "has \(whole.count)") {
      _ = try open(folder).train.pixels(at: 10)
    }
    // Another shard under this name, and another complete shard at the same index.
    try folder.write(bytes(folder, "train-00000.shard"), "out/train-00001.shard")
    expectError(.badData, holding: "train-00001.shard: the header is that of another shard") {
      _ = try open(folder).train.pixels(at: 10)
    }
    var other = flipped(whole, at: whole.count / 2)
    other.replaceSubrange((other.count - 4)..., with: Fixture.littleEndian(ShardFile.crc(other.dropLast(4))))
    try folder.write(other, "out/train-00001.shard")
    expectError(.badData, holding: "the manifest say") { _ = try open(folder).train.pixels(at: 10) }
    try FileManager.default.removeItem(atPath: folder.path + "/out/train-00001.shard")
    let data = try open(folder)
    expectError(.missing, holding: "train-00001.shard: cannot be opened", advice) {
      _ = try data.train.pixels(at: 10)
    }
    expectError(.missing, holding: "train-00001.shard") { _ = try data.train.channelSums() }
    // A shard that shrinks after its check is an error of the next read.
    _ = try data.train.pixels(at: 0)
    try folder.write([1, 2, 3], "out/train-00000.shard")
    expectError(.badData, holding: "train-00000.shard: ends before byte 516") { _ = try data.train.pixels(at: 0) }
  }

  @Test func damagedImagesStopOrAreLeftOut() throws {
    let folder = try TemporaryFolder()
    try write(folder)
    try folder.write([0xff, 0xd8, 0xff, 0xe0, 1], "in/train/bee/104.png")
    expectError(.badData, holding: "in/train/bee/104.png: damaged JPEG", "--skip-damaged") { _ = try cache(folder) }
    let summary = try cache(folder, skip: true)
    #expect(summary.damaged == ["train/bee/104.png"] && summary.images == 27)
    let train = try open(folder).train
    #expect(train.count == 24 && train.classCounts == [12, 12])
    // The image after the gap, at point (1023, 1023).
    #expect(try train.pixels(at: 16).last == value("bee", "train", 5))
    #expect(try train.pixels(at: 15).last == value("bee", "train", 3))
    let again = try cache(folder, skip: true)
    #expect(again.kept == 4 && again.damaged == summary.damaged)
    expectError(.badData, holding: "bee/104.png: was left out", "--skip-damaged") { _ = try cache(folder) }
  }

  /// Among grey files the search for colour reads every header, damaged ones included.
  @Test func damagedHeadersStopOrAreLeftOut() throws {
    let folder = try TemporaryFolder()
    try write(folder, grey: true)
    try folder.write([1, 2, 3], "in/train/ant/105.png")
    expectError(.badData, holding: "in/train/ant/105.png: ", "--skip-damaged") { _ = try cache(folder, size: 4) }
    #expect(try cache(folder, size: 4, skip: true).damaged == ["train/ant/105.png"])
    #expect(try open(folder).train.channels == 1 && open(folder).train.count == 24)
  }

  @Test func everyManifestIsSafe() throws {
    let folder = try TemporaryFolder()
    try write(folder, grey: true)
    _ = try cache(folder, size: 3)
    let whole = try bytes(folder, "manifest.json")
    for length in stride(from: 0, to: whole.count, by: 7) {
      try folder.write(Array(whole[..<length]), "out/manifest.json")
      expectError(.badData, holding: "manifest.json: ") { _ = try open(folder) }
    }
    let text = String(decoding: whole, as: UTF8.self)
    for (found, planted) in [
      ("\"size\" : 3", "\"size\" : 99999"), ("\"size\" : 3", "\"size\" : 0"), ("\"channels\" : 1", "\"channels\" : 2"),
      ("\"schema\" : 1", "\"schema\" : 2"), ("\"imagesPerShard\"", "\"images\""), ("12,", "9000000000000000000,"),
      ("12,", "13,"), ("12,", "-1,"), ("val-00000.shard", "../val-00000.shard"), ("\"images\" : 25", "\"images\" : 24"),
    ] {
      #expect(text.contains(found))
      try folder.write(Array(text.replacing(found, with: planted).utf8), "out/manifest.json")
      expectError(.badData, holding: "manifest.json: ") { _ = try open(folder) }
    }
  }

  /// A training accepts a finished cache as it is while all files have their sizes.
  @Test func finishedCachesAreLeftAlone() throws {
    let folder = try TemporaryFolder()
    try write(folder)
    let first = try cache(folder)
    let whole = try bytes(folder, "train-00001.shard")
    var writer = try CacheWriter(
      DataSpecification(parsing: "folder:\(folder.path)/in"), size: ImageCacheTests.size, output: folder.path + "/out")
    writer.verifiesFinished = false
    // A wrong bit is noticed only when the shard is read, a missing byte or file at once.
    try folder.write(flipped(whole, at: 100_000), "out/train-00001.shard")
    let summary = try writer.run()
    #expect(summary.kept == 4 && summary.images == first.images && summary.bytes == first.bytes && summary.shards == 4)
    #expect(try bytes(folder, "train-00001.shard") != whole)
    try folder.write(Array(whole.dropLast()), "out/train-00001.shard")
    #expect(try writer.run().kept == 3)
    #expect(try bytes(folder, "train-00001.shard") == whole)
    try FileManager.default.removeItem(atPath: folder.path + "/out/val-00000.shard")
    #expect(try writer.run().kept == 3)
    #expect(try open(folder).test.count == 3)
    // An unfinished cache is read through.
    let manifest = try String(decoding: bytes(folder, "manifest.json"), as: UTF8.self)
    try folder.write(
      Array(manifest.replacing("\"complete\" : true", with: "\"complete\" : false").utf8), "out/manifest.json")
    try folder.write(flipped(whole, at: 100_000), "out/train-00001.shard")
    #expect(try writer.run().kept == 3)
    #expect(try bytes(folder, "train-00001.shard") == whole)
    // Other images are refused, and so are numbers of channels that a model does not accept.
    writer.channels = 1
    expectError(.badData, holding: "3 channels", "1 are asked for") { _ = try writer.run() }
    writer.channels = 3
    #expect(try writer.run().kept == 4 && writer.classNames == ["ant", "bee"])
    try folder.write(PNGWriter.encode(Raster(width: 9, height: 9, channels: 3)), "in/val/ant/100.png")
    expectError(.usage, holding: "another folder") { _ = try writer.run() }
  }

  @Test func onlyClassFoldersAreCached() throws {
    expectError(.usage, holding: "embedded", "folder:DIR") {
      _ = try CacheWriter(.embedded, size: 8, output: "x")
    }
    for size in [0, -1, 4097] {
      expectError(.usage, holding: "1 to 4096") {
        _ = try CacheWriter(.folder(directory: "x"), size: size, output: "x")
      }
    }
  }
}
