import Foundation
import QuasarInterchange
import QuasarTensor

/// `manifest.json` of an image cache: the images in it, their size, and the checksum of every shard.
///
/// It is written twice: first without shards, so that a second run can tell whether it continues with the same images,
/// and complete at the end.
struct CacheManifest: Codable, Equatable, Sendable {
  /// One shard: its file, images and bytes, and the CRC-32 of everything before its last four bytes, as 8 digits.
  struct Shard: Codable, Equatable, Sendable {
    var file: String
    var images: Int
    var bytes: Int
    var crc32: String
  }

  /// An image that could not be decoded and is left out when the cache is read.
  struct Damaged: Codable, Equatable, Sendable {
    /// Index among the files of its part.
    var index: Int
    var file: String
  }

  struct Part: Codable, Equatable, Sendable {
    /// "train", "val" or "test".
    var split: String
    /// Number of files of each class; the images are in the order of the classes.
    var classCounts: [Int]
    var shards: [Shard] = []
    var damaged: [Damaged] = []

    var count: Int { classCounts.reduce(0, +) }
  }

  var schema = 1
  var name: String
  /// CRC-32 of the lines "FILE BYTES" of all source images, as 8 digits.
  var source: String
  var channels: Int
  /// Side of the square images.
  var size: Int
  /// Number of images in every shard but the last one of a part.
  var imagesPerShard: Int
  var classNames: [String]
  var train: Part
  var test: Part
  var complete = false

  static let fileName = "manifest.json"

  /// Approximate bytes of pixels in a shard: 32 MiB.
  static let shardBytes = 32 << 20

  static func imagesPerShard(channels: Int, size: Int) -> Int { max(1, shardBytes / (channels * size * size)) }

  /// The manifest without the fields that the end of a run adds: equal for runs that may use each other's shards.
  var plan: CacheManifest {
    var plan = self
    plan.complete = false
    for part in [\CacheManifest.train, \.test] {
      plan[keyPath: part].shards = []
      plan[keyPath: part].damaged = []
    }
    return plan
  }

  /// The layout of shard k of a part.
  func shard(_ k: Int, of part: Part) -> ShardFile {
    let first = k * imagesPerShard
    return ShardFile(
      source: UInt32(source, radix: 16) ?? 0, channels: channels, size: size, first: first,
      count: min(imagesPerShard, part.count - first))
  }

  func shardCount(of part: Part) -> Int { (part.count + imagesPerShard - 1) / imagesPerShard }

  /// "train-00007.shard"
  static func shardName(_ split: String, _ k: Int) -> String {
    let digits = String(k)
    return "\(split)-\(String(repeating: "0", count: max(0, 5 - digits.count)))\(digits).shard"
  }

  /// The manifest in a folder, nil if there is none; throws `badData` for one that makes no sense.
  static func read(_ directory: String) throws(QuasarError) -> CacheManifest? {
    let path = InputFile.join(directory, fileName)
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    let bytes = try InputFile.read(path)
    let manifest: CacheManifest
    do {
      manifest = try JSONDecoder().decode(CacheManifest.self, from: Data(bytes))
    } catch {
      throw QuasarError(
        .badData, "\(path): is not the manifest of an image cache; write the cache anew into an empty folder")
    }
    guard let fault = manifest.fault else { return manifest }
    throw QuasarError(.badData, "\(path): \(fault); write the cache anew into an empty folder")
  }

  /// The reason why the numbers cannot be those of a cache, or nil.
  private var fault: String? {
    if schema != 1 { return "schema \(schema), but this version reads schema 1" }
    if channels != 1 && channels != 3 { return "\(channels) channels, but only 1 and 3 are known" }
    guard (1...SquareResize.largestSize).contains(size) else {
      return "size \(size), but 1 to \(SquareResize.largestSize) is possible"
    }
    if imagesPerShard != CacheManifest.imagesPerShard(channels: channels, size: size) {
      return "\(imagesPerShard) images per shard, but size \(size) has "
        + "\(CacheManifest.imagesPerShard(channels: channels, size: size))"
    }
    if UInt32(source, radix: 16) == nil { return "“\(source)” is not a checksum of the source" }
    guard (1...largestClassCount).contains(classNames.count) else {
      return "\(classNames.count) classes, but 1 to \(largestClassCount) fit"
    }
    for part in [train, test] {
      if part.classCounts.count != classNames.count || part.classCounts.contains(where: { !(1...1 << 31).contains($0) })
        || !(1...1 << 31).contains(part.count) || part.split.isEmpty || part.split.contains("/")
      {
        return "\(part.split): impossible numbers of images"
      }
      guard complete else { continue }
      let layouts = (0..<shardCount(of: part)).map { shard($0, of: part) }
      let isAsPlanned =
        layouts.count == part.shards.count
        && zip(layouts, part.shards).enumerated().allSatisfy { k, pair in
          pair.1.file == CacheManifest.shardName(part.split, k) && pair.1.images == pair.0.count
            && pair.1.bytes == pair.0.byteCount && UInt32(pair.1.crc32, radix: 16) != nil
        }
      if !isAsPlanned { return "\(part.split): the list of shards does not fit \(part.count) images" }
      if part.damaged.contains(where: { !(0..<part.count).contains($0.index) }) {
        return "\(part.split): a damaged image outside 0..<\(part.count)"
      }
    }
    return nil
  }

  func write(_ directory: String) throws(QuasarError) {
    guard let text = try? JSONText.encode(self) else {
      throw QuasarError(.internal, "\(directory): the manifest cannot be written as JSON")
    }
    try AtomicFile.write(text, to: InputFile.join(directory, CacheManifest.fileName))
  }
}
