import QuasarTensor
import Synchronization

/// One part of an image cache: images that stay on disk and are read one by one.
///
/// The first read of a shard reads all of it and compares its checksum; later reads take only the image.
public struct CachedImages: ImageSource {
  public let name: String
  public let channels: Int
  public let height: Int
  public let width: Int
  public let labels: [UInt16]
  public let classNames: [String]
  private let shards: ShardStore
  /// Index of each image among the files that were cached.
  private let places: [UInt32]

  public var split: String { shards.part.split }
  public var isInMemory: Bool { false }

  /// Both parts of the cache in a folder.
  ///
  /// Throws `missing` for a missing or unfinished cache, `badData` for a manifest that does not fit a cache.
  public static func open(_ directory: String) throws(QuasarError) -> ImageSources {
    let (train, test) = try parts(directory)
    return try ImageSources(train: train, test: test)
  }

  static func parts(_ directory: String) throws(QuasarError) -> (train: CachedImages, test: CachedImages) {
    try InputFile.requireDirectory(directory)
    guard let manifest = try CacheManifest.read(directory) else {
      throw QuasarError(
        .missing,
        "\(directory): no \(CacheManifest.fileName) is there; make an image cache with 'quasar data cache folder:DIR "
          + "--size N --out \(directory)'")
    }
    guard manifest.complete else {
      throw QuasarError(
        .missing,
        "\(directory): this image cache is not finished; run 'quasar data cache' again with the same folder and size, "
          + "it continues where it stopped")
    }
    return (
      try CachedImages(directory, manifest, manifest.train), try CachedImages(directory, manifest, manifest.test)
    )
  }

  private init(_ directory: String, _ manifest: CacheManifest, _ part: CacheManifest.Part) throws(QuasarError) {
    name = manifest.name
    channels = manifest.channels
    height = manifest.size
    width = manifest.size
    classNames = manifest.classNames
    shards = ShardStore(directory, manifest, part)
    let damaged = Set(part.damaged.map(\.index))
    var labels: [UInt16] = []
    var places: [UInt32] = []
    var place = 0
    for (label, count) in part.classCounts.enumerated() {
      for _ in 0..<count {
        if !damaged.contains(place) {
          labels.append(UInt16(label))
          places.append(UInt32(place))
        }
        place += 1
      }
    }
    guard !labels.isEmpty else {
      throw QuasarError(
        .badData, "\(directory): all \(part.count) images of \(part.split) are damaged; cache other images")
    }
    self.labels = labels
    self.places = places
  }

  private init(_ whole: CachedImages, indices: [Int]) {
    name = whole.name
    channels = whole.channels
    height = whole.height
    width = whole.width
    classNames = whole.classNames
    shards = whole.shards
    labels = indices.map { whole.labels[$0] }
    places = indices.map { whole.places[$0] }
  }

  public func copyImage(at index: Int, to target: UnsafeMutablePointer<UInt8>) throws(QuasarError) {
    precondition(places.indices.contains(index), "image \(index) of a set of \(count)")
    try shards.read(Int(places[index]), to: UnsafeMutableRawBufferPointer(start: target, count: bytesPerImage))
  }

  /// The sums from the tables of the shards; no pixel is read.
  public func channelSums() throws(QuasarError) -> [ChannelSums] {
    var totals = [ChannelSums](repeating: ChannelSums(), count: channels)
    var tables: [Int: [[ChannelSums]?]] = [:]
    for place in places {
      let (k, slot) = shards.slot(Int(place))
      if tables[k] == nil { tables[k] = try shards.table(k) }
      guard let table = tables[k], let sums = table[slot] else { throw shards.disagreement(k) }
      for channel in 0..<channels { totals[channel] += sums[channel] }
    }
    return totals
  }

  public func selecting(_ indices: [Int]) throws(QuasarError) -> CachedImages {
    try requireSelection(indices)
    return CachedImages(self, indices: indices)
  }

  /// All images in memory; throws `badData` above 4 GiB.
  func loaded() throws(QuasarError) -> ImageSet {
    guard count * bytesPerImage <= ClassFolders.largestInMemory else {
      throw QuasarError(
        .badData,
        "\(shards.directory): \(count) images of \(split) take more than \(ClassFolders.largestInMemory >> 30) GiB of "
          + "memory, which this use needs at once; cache them smaller")
    }
    var images: [UInt8] = []
    images.reserveCapacity(count * bytesPerImage)
    for index in 0..<count { images += try pixels(at: index) }
    return try ImageSet(
      name: name, split: split, channels: channels, height: height, width: width, images: images, labels: labels,
      classNames: classNames)
  }
}

/// The shards of one part; each is checked when it is first used.
final class ShardStore: Sendable {
  let directory: String
  let part: CacheManifest.Part
  private let manifest: CacheManifest
  private let isChecked: Mutex<[Bool]>

  static let advice =
    "run 'quasar data cache' again with the same folder, size and --out, which writes missing and damaged shards anew"

  init(_ directory: String, _ manifest: CacheManifest, _ part: CacheManifest.Part) {
    self.directory = directory
    self.manifest = manifest
    self.part = part
    isChecked = Mutex([Bool](repeating: false, count: part.shards.count))
  }

  func slot(_ place: Int) -> (shard: Int, slot: Int) {
    (place / manifest.imagesPerShard, place % manifest.imagesPerShard)
  }

  private func path(_ k: Int) -> String { InputFile.join(directory, part.shards[k].file) }

  func read(_ place: Int, to target: UnsafeMutableRawBufferPointer) throws(QuasarError) {
    let (k, slot) = slot(place)
    let layout = manifest.shard(k, of: part)
    if !isChecked.withLock({ $0[k] }) {
      // Two threads may both check a shard, which only costs time.
      _ = try layout.checksum(
        of: path(k), expected: UInt32(part.shards[k].crc32, radix: 16), advice: ShardStore.advice)
      isChecked.withLock { $0[k] = true }
    }
    try RandomAccessFile(path(k), advice: ShardStore.advice)
      .read(at: layout.pixels + slot * layout.bytesPerImage, into: target)
  }

  func table(_ k: Int) throws(QuasarError) -> [[ChannelSums]?] {
    try manifest.shard(k, of: part).table(of: path(k), advice: ShardStore.advice)
  }

  func disagreement(_ k: Int) -> QuasarError {
    QuasarError(
      .badData, "\(path(k)): marks an image as damaged that the manifest does not; \(ShardStore.advice)")
  }
}
