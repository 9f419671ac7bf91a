import QuasarTensor

/// Counts, classes and the first images of every class, without reading the rest of a data set.
public struct DataOverview: Sendable {
  /// The name of the data set, for people.
  public let name: String
  public let classNames: [String]
  /// Number of training images of each class.
  public let trainCounts: [Int]
  /// Number of test images of each class.
  public let testCounts: [Int]
  /// The first training images of each class.
  public let samples: ImageSet
  /// "150×120 to 500×375" if the samples of class folders differ in size and were scaled to squares; otherwise nil.
  public let sizes: String?

  /// Side of the squares to which samples of different sizes are scaled.
  static let thumbnail = 64
  /// Largest number of points of all samples together: 2²⁶, as in a contact sheet.
  static let largestArea = 1 << 26

  /// Looks into a data set. At most `samplesPerClass` images of each class are read, fewer where they would fill more
  /// than 2²⁶ points.
  ///
  /// `size` scales the samples of class folders. Throws the errors of `DataSpecification.load`.
  public init(
    of specification: DataSpecification, samplesPerClass: Int = 12, size: Int? = nil
  ) throws(QuasarError) {
    switch specification {
    case .folder(let directory):
      try self.init(ClassFolders(directory), samplesPerClass: samplesPerClass, size: size)
    case .cache(let directory):
      let (train, test) = try CachedImages.parts(directory)
      try self.init(train, test: test, samplesPerClass: samplesPerClass) { part throws(QuasarError) in
        try part.loaded()
      }
    default:
      let data = try specification.load()
      try self.init(data.train, test: data.test, samplesPerClass: samplesPerClass) { part in part }
    }
  }

  private init(_ folders: ClassFolders, samplesPerClass: Int, size: Int?) throws(QuasarError) {
    name = folders.name
    classNames = folders.train.classNames
    trainCounts = folders.train.classCounts
    testCounts = folders.test.classCounts
    let side = size ?? DataOverview.thumbnail
    let chosen = DataOverview.first(
      DataOverview.samples(samplesPerClass, classes: classNames.count, height: side, width: side), of: trainCounts)
    if let size {
      (samples, sizes) = (try DataOverview.set(folders, chosen, size: size), nil)
      return
    }
    let shapes = try DataOverview.shapes(folders, chosen)
    let isOneSize = shapes.allSatisfy { $0 == shapes[0] }
    samples = try DataOverview.set(folders, chosen, size: isOneSize ? nil : DataOverview.thumbnail)
    let byArea = shapes.sorted { ($0.width * $0.height, $0.width) < ($1.width * $1.height, $1.width) }
    sizes =
      isOneSize
      ? nil
      : "\(byArea[0].width)×\(byArea[0].height) to \(byArea[byArea.count - 1].width)×"
        + "\(byArea[byArea.count - 1].height)"
  }

  private init<Source: ImageSource>(
    _ train: Source, test: Source, samplesPerClass: Int, load: (Source) throws(QuasarError) -> ImageSet
  ) throws(QuasarError) {
    name = train.name
    classNames = train.classNames
    trainCounts = train.classCounts
    testCounts = test.classCounts
    let count = DataOverview.samples(
      samplesPerClass, classes: classNames.count, height: train.height, width: train.width)
    samples = try load(train.selecting(train.firstIndices(count)))
    sizes = nil
  }

  private static func samples(_ wanted: Int, classes: Int, height: Int, width: Int) -> Int {
    max(1, min(wanted, largestArea / max(1, classes * height * width)))
  }

  /// Indices of the first n files of each class.
  private static func first(_ n: Int, of counts: [Int]) -> [Int] {
    var start = 0
    return counts.flatMap { count in
      defer { start += count }
      return Array(start..<start + min(n, count))
    }
  }

  private struct Shape: Equatable {
    var width: Int
    var height: Int
  }

  private static func shapes(_ folders: ClassFolders, _ indices: [Int]) throws(QuasarError) -> [Shape] {
    var shapes: [Shape] = []
    for index in indices {
      let picture = try folders.picture(folders.train.files[index])
      shapes.append(Shape(width: picture.width, height: picture.height))
    }
    return shapes
  }

  private static func set(
    _ folders: ClassFolders, _ indices: [Int], size: Int?
  ) throws(QuasarError) -> ImageSet {
    let part = try folders.load(folders.train, indices: indices, size: size)
    return try part.set(name: folders.name, channels: part.channels)
  }
}
