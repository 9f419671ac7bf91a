import Foundation
import Quasar
import QuasarTestSupport
import Testing

/// Class folders trained from memory and from a cache, with every augmentation, through the program.
@Suite struct CachedTrainingTests {
  /// 10 classes of 12 training and 2 test images as PGM files of different sizes; their specification.
  private func classFolders(_ work: Workplace, classes: Int = 10) throws -> String {
    for (split, count) in [("train", 12), ("val", 2)] {
      for label in 0..<classes {
        let folder = work.path("images/\(split)/class\(label)")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for i in 0..<count {
          let (width, height) = (28 + i % 3, 28 + label % 2)
          let pixels = (0..<width * height).map { UInt8(truncatingIfNeeded: $0 * (label + 2) + 37 * i) }
          _ = try work.write(
            Array("P5 \(width) \(height) 255\n".utf8) + pixels, "images/\(split)/class\(label)/\(i + 10).pgm")
        }
      }
    }
    return "folder:\(work.path("images"))"
  }

  private let recipe = [
    "--epochs", "2", "--batch-size", "24", "--schedule", "step", "--decay-points", "0.4,0.8", "--decay-factor", "0.5",
    "--crop-scale", "0.3", "--rand-augment", "2", "--rand-augment-magnitude", "12", "--repeats", "3", "--mixup", "0.4",
  ]

  @Test func aCacheTrainsAsMemoryDoes() throws {
    let work = try Workplace()
    let (data, space) = (try classFolders(work), try work.smallSpace())
    func train(_ out: String, _ more: [String] = []) throws -> ChildProcess.Result {
      try CommandRunner.run(
        ["train", "--space", space, "--data", data, "--out", work.path(out)] + recipe + more)
    }
    #expect(try train("memory").status == 0)
    let cached = try train("disk", ["--cache", work.path("cache")])
    #expect(cached.status == 0, "\(cached.errors)")
    #expect(cached.errors.contains("140 images in \(work.path("cache")), 0 of 2 shards were there"), "\(cached.errors)")
    let checkpoint = try work.bytes("memory/checkpoint.safetensors")
    #expect(try work.bytes("disk/checkpoint.safetensors") == checkpoint)
    let again = try train("again", ["--cache", work.path("cache")])
    #expect(again.errors.contains("2 of 2 shards were there"), "\(again.errors)")
    #expect(try work.bytes("again/checkpoint.safetensors") == checkpoint)

    // The options are those of the checkpoint, so that others are refused on resuming.
    let text = String(decoding: checkpoint.prefix(20_000), as: UTF8.self)
    for part in ["decayPoints", "[0.4,0.8]", "randAugmentMagnitude", "cropScale", "repeats"] {
      #expect(text.contains(part), "\(part)")
    }
    let other = try train("disk", ["--cache", work.path("cache"), "--resume", "--rand-augment", "1"])
    #expect(other.status == 64)

    // Fine-tuning takes the same cache.
    let subnet = try JSONEncoder().encode(SearchSpace.load(space).largest)
    _ = try work.write([UInt8](subnet), "subnet.json")
    let tuned = try CommandRunner.run([
      "finetune", "--run", work.path("memory"), "--subnet", work.path("subnet.json"), "--data", data, "--cache",
      work.path("cache"), "--out", work.path("tuned"), "--epochs", "1", "--batch-size", "24",
    ])
    #expect(tuned.status == 0 && tuned.errors.contains("2 of 2 shards"), "\(tuned.errors)")
  }

  @Test func mistakesWithCaches() throws {
    let work = try Workplace()
    let (data, space) = (try classFolders(work, classes: 9), try work.smallSpace())
    func expect(_ status: Int32, _ parts: [String], _ arguments: [String]) throws {
      let result = try CommandRunner.run(
        ["train", "--space", space, "--out", work.path("net"), "--epochs", "1"] + arguments)
      #expect(result.status == status, "\(arguments): \(result.errors)")
      for part in parts { #expect(result.errors.contains(part), "“\(part)” is not in: \(result.errors)") }
    }
    let cache = ["--cache", work.path("cache")]
    try expect(64, ["--cache", "embedded", "leave --cache out"], ["--data", "embedded"] + cache)
    try expect(64, ["a cache already"], ["--data", "cache:x"] + cache)
    try expect(64, ["--skip-damaged", "--cache DIR"], ["--data", data, "--skip-damaged"])
    try expect(65, ["9 classes", "the model has 10"], ["--data", data] + cache)
    try expect(64, ["--decay-points 0.5,x", "'x' is not a number"], ["--decay-points", "0.5,x"])
    try expect(64, ["--repeats 7:", "64 images are not a multiple of 7"], ["--repeats", "7"])
    #expect(!FileManager.default.fileExists(atPath: work.path("cache")))
    #expect(!FileManager.default.fileExists(atPath: work.path("net")))

    // A damaged image stops the cache, or is left out.
    _ = try classFolders(work)
    _ = try work.write(Array("P5 28 28 255\n123".utf8), "images/train/class4/11.pgm")
    try expect(65, ["class4/11.pgm", "--skip-damaged"], ["--data", data] + cache)
    try expect(0, ["139 images", "1 left out as damaged"], ["--data", data, "--skip-damaged"] + cache)
  }

  @Test func sheetsShowAugmentedImages() throws {
    let work = try Workplace()
    let data = try classFolders(work)
    func sheet(_ name: String, _ more: [String]) throws -> [UInt8] {
      let result = try CommandRunner.run(["data", "inspect", data, "--size", "28", "--sheet", work.path(name)] + more)
      #expect(result.status == 0, "\(result.errors)")
      return try work.bytes(name)
    }
    let augment = ["--augment", "--rand-augment", "2", "--crop-scale", "0.3"]
    let (plain, changed) = (try sheet("plain.png", []), try sheet("changed.png", augment))
    #expect(plain != changed)
    #expect(try sheet("same.png", augment + ["--seed", "1"]) == changed)
    #expect(try sheet("other.png", augment + ["--seed", "2"]) != changed)
    let result = try CommandRunner.run(["data", "inspect", data, "--size", "28", "--augment"])
    #expect(result.status == 64 && result.errors.contains("--sheet FILE"))
  }
}
