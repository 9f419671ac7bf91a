import Foundation
import QuasarInterchange
import QuasarTensor
import Synchronization

/// Decodes and scales class folders and writes them to shards, which appear completely or not at all.
///
/// A run that was stopped, or whose shards were damaged or deleted, continues with the same folder, size and output:
/// complete shards are read through and kept, the others are written. The bytes of a shard depend only on its images,
/// never on the number of workers.
public struct CacheWriter: Sendable {
  /// The result of a run.
  public struct Summary: Sendable, Equatable {
    /// Number of images of both parts that can be read.
    public var images: Int
    public var shards: Int
    /// Number of shards that already existed.
    public var kept: Int
    /// Files that could not be decoded, as "train/CLASS/IMAGE".
    public var damaged: [String]
    public var bytes: Int
  }

  /// Number of threads that decode; each works on one shard.
  public var workers = 1
  /// Leaves damaged images out instead of stopping at the first one.
  public var skipsDamaged = false
  /// Reads the shards of a finished cache through. If false, a finished cache whose files have the right sizes is left
  /// as it is: reading an image checks its shard's checksum first.
  public var verifiesFinished = true
  /// The number of channels that the images must have, if known: 1 is grey, 3 is colour.
  public var channels: Int?

  private let folders: ClassFolders
  private let output: String
  private let size: Int

  /// A writer of the class folders of a specification at `size` × `size` points.
  ///
  /// Throws `usage` for a size outside 1…4096 and for data that is not class folders.
  public init(_ specification: DataSpecification, size: Int, output: String) throws(QuasarError) {
    guard case .folder(let directory) = specification else {
      throw QuasarError(
        .usage, "data “\(specification)”: only folder:DIR is cached; the other sets fit in memory as they are")
    }
    guard (1...SquareResize.largestSize).contains(size) else {
      throw QuasarError(.usage, "size \(size): use 1 to \(SquareResize.largestSize) points")
    }
    folders = try ClassFolders(directory)
    self.output = output
    self.size = size
  }

  /// The classes of the folders.
  public var classNames: [String] { folders.train.classNames }

  private struct Task {
    let part: ClassFolders.Part
    let layout: ShardFile
    let path: String
  }

  private struct Result {
    var crc: UInt32
    var wasKept: Bool
    var damaged: [Int]
  }

  /// Writes the missing shards. `progress` receives, on this thread, the number of images done and of all images.
  ///
  /// Throws `badData` for the first damaged image or the wrong number of channels, `usage` where `output` holds a cache
  /// of other images or another size, and `interrupted` after `shouldStop` returned true.
  public func run(
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }, shouldStop: () -> Bool = { false }
  ) throws(QuasarError) -> Summary {
    var manifest = try plan()
    if let known = try known(manifest), !verifiesFinished, isThere(known) { return summary(known) }
    try manifest.write(output)
    var tasks: [Task] = []
    for (part, planned) in [(folders.train, manifest.train), (folders.test, manifest.test)] {
      for k in 0..<manifest.shardCount(of: planned) {
        tasks.append(
          Task(
            part: part, layout: manifest.shard(k, of: planned),
            path: InputFile.join(output, CacheManifest.shardName(part.split, k))))
      }
    }
    let results = try work(tasks, progress: progress, shouldStop: shouldStop)
    for (place, name) in [(\CacheManifest.train, folders.train.split), (\.test, folders.test.split)] {
      for (task, result) in zip(tasks, results) where task.part.split == name {
        manifest[keyPath: place].shards.append(
          CacheManifest.Shard(
            file: CacheManifest.shardName(name, task.layout.first / manifest.imagesPerShard),
            images: task.layout.count, bytes: task.layout.byteCount, crc32: ShardFile.hexadecimal(result.crc)))
        manifest[keyPath: place].damaged += result.damaged.map {
          CacheManifest.Damaged(index: $0, file: task.part.files[$0])
        }
      }
    }
    manifest.complete = true
    try manifest.write(output)
    return summary(manifest, kept: results.filter(\.wasKept).count)
  }

  /// The summary of a finished manifest; all shards count as kept unless `kept` gives another number.
  private func summary(_ manifest: CacheManifest, kept: Int? = nil) -> Summary {
    let shards = manifest.train.shards + manifest.test.shards
    let damaged = (manifest.train.damaged + manifest.test.damaged).map(\.file)
    return Summary(
      images: manifest.train.count + manifest.test.count - damaged.count, shards: shards.count,
      kept: kept ?? shards.count, damaged: damaged, bytes: shards.reduce(0) { $0 + $1.bytes })
  }

  /// True if a manifest is finished and every shard has its size.
  private func isThere(_ manifest: CacheManifest) -> Bool {
    manifest.complete
      && (manifest.train.shards + manifest.test.shards).allSatisfy { shard in
        var status = stat()
        return stat(InputFile.join(output, shard.file), &status) == 0 && Int(status.st_size) == shard.bytes
      }
  }

  /// The manifest without shards, which is written to disk before the first shard.
  private func plan() throws(QuasarError) -> CacheManifest {
    let channels: Int
    do throws(QuasarError) {
      channels = try folders.channels(skippingDamaged: skipsDamaged)
    } catch {
      throw CacheWriter.advising(error)
    }
    guard self.channels == nil || self.channels == channels else {
      throw QuasarError(
        .badData,
        "\(folders.directory): the images have \(channels) channels, but \(self.channels ?? 0) are asked for; convert "
          + "them, or choose another space")
    }
    var crc: UInt32 = 0
    for file in folders.train.files + folders.test.files {
      var status = stat()
      guard stat(folders.path(file), &status) == 0 else {
        throw QuasarError(.missing, "\(folders.path(file)): is gone; run the command again")
      }
      crc = ShardFile.crc(Array("\(file) \(status.st_size)\n".utf8), after: crc)
    }
    return CacheManifest(
      name: folders.name, source: ShardFile.hexadecimal(crc), channels: channels, size: size,
      imagesPerShard: CacheManifest.imagesPerShard(channels: channels, size: size),
      classNames: folders.train.classNames,
      train: CacheManifest.Part(split: folders.train.split, classCounts: folders.train.classCounts),
      test: CacheManifest.Part(split: folders.test.split, classCounts: folders.test.classCounts))
  }

  /// The manifest in the output folder, which is created if missing; a manifest of another plan is refused.
  private func known(_ plan: CacheManifest) throws(QuasarError) -> CacheManifest? {
    do {
      try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    } catch {
      throw QuasarError(.cannotWrite, "\(output): the folder cannot be made (\(error.localizedDescription))")
    }
    guard let known = try CacheManifest.read(output) else { return nil }
    guard known.plan == plan else {
      throw QuasarError(
        .usage,
        "\(output): holds a cache of “\(known.name)” at size \(known.size) from source list \(known.source), but "
          + "“\(plan.name)” at size \(size) from source list \(plan.source) is asked for; delete it or choose another "
          + "folder for the cache")
    }
    return known
  }

  private struct Progress {
    var next = 0
    var images = 0
    var results: [Int: Result] = [:]
    var failure: (task: Int, error: QuasarError)?
    var isStopped = false
  }

  private final class Shared: Sendable {
    let progress = Mutex(Progress())
  }

  /// One result per task, in the order of the tasks.
  private func work(
    _ tasks: [Task], progress: (Int, Int) -> Void, shouldStop: () -> Bool
  ) throws(QuasarError) -> [Result] {
    let shared = Shared()
    let total = tasks.reduce(0) { $0 + $1.layout.count }
    let group = DispatchGroup()
    for _ in 0..<min(max(1, workers), tasks.count) {
      DispatchQueue.global().async(group: group) { takeTasks(tasks, shared) }
    }
    while group.wait(timeout: .now() + .milliseconds(100)) == .timedOut {
      progress(shared.progress.withLock { $0.images }, total)
      if shouldStop() { shared.progress.withLock { $0.isStopped = true } }
    }
    let end = shared.progress.withLock { $0 }
    if let failure = end.failure { throw failure.error }
    guard end.results.count == tasks.count else {
      throw QuasarError(
        .interrupted,
        "stopped with \(end.results.count) of \(tasks.count) shards in \(output); run the same command again to continue"
      )
    }
    progress(total, total)
    return tasks.indices.compactMap { end.results[$0] }
  }

  private func takeTasks(_ tasks: [Task], _ shared: Shared) {
    while true {
      let mine = shared.progress.withLock { state -> Int? in
        guard !state.isStopped, state.failure == nil, state.next < tasks.count else { return nil }
        defer { state.next += 1 }
        return state.next
      }
      guard let mine else { return }
      do throws(QuasarError) {
        guard let result = try finish(tasks[mine], shared) else { return }
        shared.progress.withLock { $0.results[mine] = result }
      } catch {
        shared.progress.withLock { state in
          if mine < state.failure?.task ?? .max { state.failure = (mine, error) }
        }
      }
    }
  }

  /// A complete shard, found or written; nil when the run is to stop.
  private func finish(_ task: Task, _ shared: Shared) throws(QuasarError) -> Result? {
    if let kept = whole(task) {
      guard skipsDamaged || kept.damaged.isEmpty else {
        throw QuasarError(
          .badData,
          "\(folders.path(task.part.files[kept.damaged[0]])): was left out as damaged by an earlier run; "
            + CacheWriter.adviceOnDamage)
      }
      shared.progress.withLock { $0.images += task.layout.count }
      return kept
    }
    var damaged: [Int] = []
    var isStopped = false
    let bytes = try task.layout.encode { place throws(QuasarError) in
      isStopped = isStopped || shared.progress.withLock { $0.isStopped || $0.failure != nil }
      guard !isStopped else { return nil }
      defer { shared.progress.withLock { $0.images += 1 } }
      do throws(QuasarError) {
        return try image(task.part.files[place], channels: task.layout.channels)
      } catch {
        guard error.kind == .badData, skipsDamaged else { throw CacheWriter.advising(error) }
        damaged.append(place)
        return nil
      }
    }
    guard !isStopped else { return nil }
    try AtomicFile.write(bytes, to: task.path)
    return Result(crc: ShardFile.crc(bytes.dropLast(4)), wasKept: false, damaged: damaged)
  }

  /// An error that also tells the user how to go on with a damaged image.
  private static func advising(_ error: QuasarError) -> QuasarError {
    error.kind == .badData ? QuasarError(.badData, "\(error.message), or \(adviceOnDamage)") : error
  }

  private static let adviceOnDamage = "leave damaged images out with --skip-damaged"

  /// The entry of a shard that is on disk and undamaged.
  private func whole(_ task: Task) -> Result? {
    do throws(QuasarError) {
      let crc = try task.layout.checksum(of: task.path, advice: "")
      let table = try task.layout.table(of: task.path, advice: "")
      return Result(
        crc: crc, wasKept: true, damaged: table.indices.filter { table[$0] == nil }.map { task.layout.first + $0 })
    } catch {
      return nil
    }
  }

  private func image(_ file: String, channels: Int) throws(QuasarError) -> [UInt8] {
    let picture = try folders.picture(file, covering: size)
    let pixels = SquareResize.planar(picture, size: size)
    guard picture.channels != channels else { return pixels }
    guard picture.channels == 1 else {
      throw QuasarError(.internal, "\(folders.path(file)): turned from grey to colour; run the command again")
    }
    return pixels + pixels + pixels
  }
}
