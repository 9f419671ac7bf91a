import QuasarTensor

/// A training set and a test set of the same images: equal size, channels and classes.
public struct ImageDataset: Sendable {
  /// The images to learn from.
  public let train: ImageSet
  /// The images to measure on.
  public let test: ImageSet

  /// The pair; throws `badData` when size, channels or classes differ.
  public init(train: ImageSet, test: ImageSet) throws(QuasarError) {
    let shapes = [train, test].map { "\($0.channels)×\($0.height)×\($0.width)" }
    guard shapes[0] == shapes[1] else {
      throw QuasarError(
        .badData,
        "\(train.name): \(train.split) images are \(shapes[0]) but \(test.split) images are \(shapes[1]); "
          + "convert one of them")
    }
    guard train.classNames == test.classNames else {
      let place = zip(train.classNames, test.classNames).first { $0 != $1 }
      let difference =
        place.map { "“\($0)” stands against “\($1)”" }
        ?? "\(train.classNames.count) stand against \(test.classNames.count)"
      throw QuasarError(
        .badData,
        "\(train.name): \(train.split) and \(test.split) have different classes (\(difference)); "
          + "both need the same class folders")
    }
    self.train = train
    self.test = test
  }

  /// The data set, for people.
  public var name: String { train.name }
  /// Names of the classes of both parts.
  public var classNames: [String] { train.classNames }
}
