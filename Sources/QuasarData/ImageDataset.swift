import QuasarTensor

/// A training set and a test set of the same images in memory: equal size, channels and classes.
public struct ImageDataset: Sendable {
  /// The images to learn from.
  public let train: ImageSet
  /// The images to measure on.
  public let test: ImageSet

  /// The pair; throws `badData` when size, channels or classes differ.
  public init(train: ImageSet, test: ImageSet) throws(QuasarError) {
    try requireSameKind(train, test)
    self.train = train
    self.test = test
  }

  /// The name of the data set, for people.
  public var name: String { train.name }
  /// Names of the classes of both parts.
  public var classNames: [String] { train.classNames }
}

/// A training set and a test set of the same images, in memory or on disk: equal size, channels and classes.
public struct ImageSources: Sendable {
  /// The images to learn from.
  public let train: any ImageSource
  /// The images to measure on.
  public let test: any ImageSource

  /// The pair; throws `badData` when size, channels or classes differ.
  public init(train: any ImageSource, test: any ImageSource) throws(QuasarError) {
    try requireSameKind(train, test)
    self.train = train
    self.test = test
  }

  /// The pair in memory.
  public init(_ data: ImageDataset) {
    train = data.train
    test = data.test
  }

  /// The name of the data set, for people.
  public var name: String { train.name }
  /// Names of the classes of both parts.
  public var classNames: [String] { train.classNames }
}

private func requireSameKind(_ train: any ImageSource, _ test: any ImageSource) throws(QuasarError) {
  let shapes = [train, test].map { "\($0.channels)×\($0.height)×\($0.width)" }
  guard shapes[0] == shapes[1] else {
    throw QuasarError(
      .badData,
      "\(train.name): \(train.split) images are \(shapes[0]) but \(test.split) images are \(shapes[1]); "
        + "convert one of them")
  }
  try requireSameClasses(train.name, (train.split, train.classNames), (test.split, test.classNames))
}

/// Throws `badData` with the first class that differs between two parts of a data set.
func requireSameClasses(
  _ name: String, _ train: (split: String, classNames: [String]), _ test: (split: String, classNames: [String])
) throws(QuasarError) {
  guard train.classNames != test.classNames else { return }
  let place = zip(train.classNames, test.classNames).first { $0 != $1 }
  let difference =
    place.map { "“\($0)” stands against “\($1)”" }
    ?? "\(train.classNames.count) stand against \(test.classNames.count)"
  throw QuasarError(
    .badData,
    "\(name): \(train.split) and \(test.split) have different classes (\(difference)); "
      + "both need the same class folders")
}
