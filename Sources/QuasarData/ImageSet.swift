import QuasarTensor

/// Labelled images of one size: pixels [count, channels, height, width] as bytes, one class a picture.
///
/// A value is always whole: at least one image, as many labels as images, every label a class. The first
/// initialiser checks that, so nothing that takes an `ImageSet` has to check again.
public struct ImageSet: Sendable, Equatable {
  /// The data set, for people: "Fashion-MNIST".
  public let name: String
  /// "train", "test", "val", …
  public let split: String
  /// 1 (grey) or 3 (red, green, blue).
  public let channels: Int
  /// Rows of one image.
  public let height: Int
  /// Columns of one image.
  public let width: Int
  /// Pixels, planar and row-major: byte ((i·channels + c)·height + y)·width + x; 0 is black.
  public let images: [UInt8]
  /// Class of each image, an index into `classNames`.
  public let labels: [UInt8]
  /// Names of the classes, at most 256.
  public let classNames: [String]

  /// The set of these pixels and labels.
  ///
  /// Throws `badData` for zero images, a size below 1, no class or more than 256, a number of pixel bytes
  /// other than labels·channels·height·width, and a label without a class.
  public init(
    name: String, split: String, channels: Int, height: Int, width: Int, images: [UInt8], labels: [UInt8],
    classNames: [String]
  ) throws(QuasarError) {
    let place = "\(name), \(split)"
    guard channels == 1 || channels == 3 else {
      throw QuasarError(
        .badData,
        "\(place): \(channels) channels, but only 1 (grey) and 3 (RGB) are known; convert the images")
    }
    guard height > 0, width > 0 else {
      throw QuasarError(
        .badData,
        "\(place): images of \(height)×\(width) pixels have no pixel; check the header of the image file")
    }
    guard !labels.isEmpty else {
      throw QuasarError(
        .badData, "\(place): 0 images, but at least 1 is needed; check that the files are complete")
    }
    guard (1...256).contains(classNames.count) else {
      throw QuasarError(
        .badData, "\(place): \(classNames.count) classes, but 1 to 256 fit; merge or drop classes")
    }
    let expected = checkedProduct([labels.count, channels, height, width])
    guard images.count == expected else {
      throw QuasarError(
        .badData,
        "\(place): \(images.count) bytes of pixels, but \(labels.count) labels and images of "
          + "\(channels)×\(height)×\(width) need \(expected.map(String.init) ?? "more than fit in memory"); "
          + "check that images and labels belong together")
    }
    if let index = labels.firstIndex(where: { Int($0) >= classNames.count }) {
      throw QuasarError(
        .badData,
        "\(place): label \(labels[index]) of image \(index), but there are only classes 0 to "
          + "\(classNames.count - 1); check that the label file belongs to this data set")
    }
    self.name = name
    self.split = split
    self.channels = channels
    self.height = height
    self.width = width
    self.images = images
    self.labels = labels
    self.classNames = classNames
  }

  /// The images at `indices` of a checked set; no check of its own is needed.
  private init(_ whole: ImageSet, indices: [Int]) {
    name = whole.name
    split = whole.split
    channels = whole.channels
    height = whole.height
    width = whole.width
    classNames = whole.classNames
    labels = indices.map { whole.labels[$0] }
    var pixels: [UInt8] = []
    pixels.reserveCapacity(indices.count * whole.bytesPerImage)
    for index in indices { pixels.append(contentsOf: whole.image(at: index)) }
    images = pixels
  }

  /// Number of images.
  public var count: Int { labels.count }

  /// channels·height·width
  public var bytesPerImage: Int { channels * height * width }

  /// Number of images of each class.
  public var classCounts: [Int] {
    var counts = [Int](repeating: 0, count: classNames.count)
    for label in labels { counts[Int(label)] += 1 }
    return counts
  }

  /// The pixels [channels, height, width] of one image, 0 ≤ index < count.
  public func image(at index: Int) -> ArraySlice<UInt8> {
    precondition(labels.indices.contains(index), "image \(index) of a set of \(count)")
    return images[index * bytesPerImage..<(index + 1) * bytesPerImage]
  }

  /// The images at these places, in this order; an index may come more than once.
  ///
  /// Throws `usage` for an empty list or an index outside 0..<count.
  public func selecting(_ indices: [Int]) throws(QuasarError) -> ImageSet {
    guard !indices.isEmpty else {
      throw QuasarError(.usage, "\(name), \(split): a selection of 0 images; ask for at least 1")
    }
    if let wrong = indices.first(where: { !labels.indices.contains($0) }) {
      throw QuasarError(
        .usage, "\(name), \(split): image \(wrong) is asked for, but the images are 0 to \(count - 1)")
    }
    return ImageSet(self, indices: indices)
  }

  /// The first n images of each class, in the order of the file.
  ///
  /// Throws `usage` when n < 1 or a class has fewer than n images, so the result is always even.
  public func firstOfEachClass(_ n: Int) throws(QuasarError) -> ImageSet {
    guard n >= 1 else {
      throw QuasarError(.usage, "\(name), \(split): \(n) images of each class; ask for at least 1")
    }
    if let scarce = classCounts.firstIndex(where: { $0 < n }) {
      throw QuasarError(
        .usage,
        "\(name), \(split): \(n) images of each class are asked for, but class “\(classNames[scarce])” has "
          + "\(classCounts[scarce]); ask for at most \(classCounts.min() ?? 0)")
    }
    var taken = [Int](repeating: 0, count: classNames.count)
    var chosen: [Int] = []
    chosen.reserveCapacity(n * classNames.count)
    for (index, label) in labels.enumerated() where taken[Int(label)] < n {
      taken[Int(label)] += 1
      chosen.append(index)
    }
    return ImageSet(self, indices: chosen)
  }

  /// Two sets: without every k-th image of each class, and those images; both in the order of the file.
  ///
  /// No random number is involved: of each class the images k−1, 2k−1, 3k−1, … (counted from 0 within the
  /// class) are held out. Example: 2,000 images of each of 10 classes and k = 10 → 18,000 and 2,000.
  /// Throws `usage` when k < 2 or no class has k images.
  public func splittingEvery(_ k: Int) throws(QuasarError) -> (kept: ImageSet, heldOut: ImageSet) {
    guard k >= 2 else {
      throw QuasarError(
        .usage, "\(name), \(split): every \(k)-th image held out leaves nothing; use 2 or more")
    }
    var seen = [Int](repeating: 0, count: classNames.count)
    var kept: [Int] = []
    var heldOut: [Int] = []
    for (index, label) in labels.enumerated() {
      seen[Int(label)] += 1
      if seen[Int(label)] % k == 0 { heldOut.append(index) } else { kept.append(index) }
    }
    guard !heldOut.isEmpty else {
      throw QuasarError(
        .usage,
        "\(name), \(split): every \(k)-th image of a class is to be held out, but the largest class has "
          + "\(seen.max() ?? 0); use a smaller number")
    }
    return (ImageSet(self, indices: kept), ImageSet(self, indices: heldOut))
  }
}

/// Product of the factors, nil where it does not fit.
func checkedProduct(_ factors: [Int]) -> Int? {
  var product = 1
  for factor in factors {
    let (next, overflow) = product.multipliedReportingOverflow(by: factor)
    if overflow { return nil }
    product = next
  }
  return product
}
