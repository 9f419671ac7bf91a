import QuasarTensor

/// Labelled images of one size in memory: pixels [count, channels, height, width] as bytes, one class per picture.
///
/// A value is always complete: at least one image, as many labels as images, every label a class. The first initialiser
/// checks that, so code that takes an `ImageSet` need not check again.
public struct ImageSet: ImageSource, Equatable {
  /// The name of the data set, for people: "Fashion-MNIST".
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
  public let labels: [UInt16]
  /// Names of the classes, at most 65,536.
  public let classNames: [String]

  /// The set of these pixels and labels.
  ///
  /// Throws `badData` for zero images, a size below 1, no class or more than 65,536, a number of pixel bytes
  /// other than labels·channels·height·width, and a label without a class.
  public init(
    name: String, split: String, channels: Int, height: Int, width: Int, images: [UInt8],
    labels: [some BinaryInteger], classNames: [String]
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
    guard (1...largestClassCount).contains(classNames.count) else {
      throw QuasarError(
        .badData,
        "\(place): \(classNames.count) classes, but 1 to \(largestClassCount) fit; merge or drop classes")
    }
    let expected = checkedProduct([labels.count, channels, height, width])
    guard images.count == expected else {
      throw QuasarError(
        .badData,
        "\(place): \(images.count) bytes of pixels, but \(labels.count) labels and images of "
          + "\(channels)×\(height)×\(width) need \(expected.map(String.init) ?? "more than fit in memory"); "
          + "check that images and labels belong together")
    }
    if let index = labels.firstIndex(where: { $0 < 0 || $0 >= classNames.count }) {
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
    self.labels = labels.map { UInt16($0) }
    self.classNames = classNames
  }

  /// The images at `indices` of a checked set, which need no further check.
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

  /// The pixels [channels, height, width] of one image, 0 ≤ index < count.
  public func image(at index: Int) -> ArraySlice<UInt8> {
    precondition(labels.indices.contains(index), "image \(index) of a set of \(count)")
    return images[index * bytesPerImage..<(index + 1) * bytesPerImage]
  }

  public var isInMemory: Bool { true }

  public func copyImage(at index: Int, to target: UnsafeMutablePointer<UInt8>) {
    image(at: index).withUnsafeBufferPointer { source in
      if let base = source.baseAddress { target.update(from: base, count: source.count) }
    }
  }

  public func channelSums() -> [ChannelSums] {
    let area = height * width
    var sums = [ChannelSums](repeating: ChannelSums(), count: channels)
    images.withUnsafeBufferPointer { images in
      for plane in 0..<count * channels {
        sums[plane % channels].add(UnsafeBufferPointer(rebasing: images[plane * area..<(plane + 1) * area]))
      }
    }
    return sums
  }

  public func selecting(_ indices: [Int]) throws(QuasarError) -> ImageSet {
    try requireSelection(indices)
    return ImageSet(self, indices: indices)
  }
}

/// Number of classes that a label of 16 bits can distinguish.
let largestClassCount = 1 << 16

/// Product of the factors, nil where it overflows.
func checkedProduct(_ factors: [Int]) -> Int? {
  var product = 1
  for factor in factors {
    let (next, overflow) = product.multipliedReportingOverflow(by: factor)
    if overflow { return nil }
    product = next
  }
  return product
}
