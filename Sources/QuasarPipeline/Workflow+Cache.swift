import QuasarData
import QuasarNetwork
import QuasarTensor

extension Workflow {
  /// The images of class folders at the size of a model, from an image cache; a missing cache is made, an unfinished
  /// one is continued.
  ///
  /// A finished cache of the same files and size is opened as it is; shards are checked when they are first used.
  /// Throws `usage` for data that is not class folders, `badData` for classes or channels that the geometry does not
  /// have, and the errors of `CacheWriter.run`.
  public static func cached(
    _ data: DataSpecification, for geometry: ImageGeometry, in directory: String, workers: Int = 1,
    skipsDamaged: Bool = false, progress: ProgressReporter
  ) throws -> ImageSources {
    guard case .folder = data else {
      throw QuasarError(
        .usage,
        "--cache \(directory): caches folder:DIR, but the data are “\(data)”"
          + (isCache(data) ? ", a cache already" : ", which fit in memory as they are") + "; leave --cache out")
    }
    var writer = try CacheWriter(data, size: geometry.imageSize, output: directory)
    guard writer.classNames.count == geometry.classes else {
      throw QuasarError(
        .badData,
        "“\(data)”: \(writer.classNames.count) classes, but the model has \(geometry.classes); choose another space "
          + "or data set")
    }
    writer.channels = geometry.channels
    writer.workers = workers
    writer.skipsDamaged = skipsDamaged
    writer.verifiesFinished = false
    progress.begin("cache")
    let clock = ContinuousClock()
    let start = clock.now
    let summary = try writer.run(
      progress: { progress.update(done: $0, total: $1, note: "images") }, shouldStop: { progress.shouldStop })
    progress.end(
      "cache", seconds: start.duration(to: clock.now).seconds,
      result: "\(summary.images) images in \(directory), \(summary.kept) of \(summary.shards) shards were there"
        + (summary.damaged.isEmpty ? "" : ", \(summary.damaged.count) left out as damaged"))
    return try DataSpecification.cache(directory: directory).open()
  }

  private static func isCache(_ data: DataSpecification) -> Bool {
    if case .cache = data { return true }
    return false
  }
}
