import QuasarTensor

/// Labelled images of one size, in memory (`ImageSet`) or in shards on disk (`CachedImages`).
///
/// A value is always complete: at least one image, as many labels as images, every label a class.
public protocol ImageSource: Sendable {
  /// The name of the data set, for people: "Fashion-MNIST".
  var name: String { get }
  /// "train", "test", "val", …
  var split: String { get }
  /// 1 (grey) or 3 (red, green, blue).
  var channels: Int { get }
  /// Rows of one image.
  var height: Int { get }
  /// Columns of one image.
  var width: Int { get }
  /// Class of each image, an index into `classNames`.
  var labels: [UInt16] { get }
  /// Names of the classes, at most 65,536.
  var classNames: [String] { get }
  /// True if reading an image is a copy in memory, which cannot fail and needs no reading ahead.
  var isInMemory: Bool { get }

  /// Writes the bytesPerImage pixels [channels, height, width] of image 0 ≤ index < count to `target`.
  ///
  /// Several threads may call it at once. Throws `missing`, `badData` or `inputOutput` where a file is missing, damaged
  /// or unreadable.
  func copyImage(at index: Int, to target: UnsafeMutablePointer<UInt8>) throws(QuasarError)

  /// Σp and Σp² of each channel over all images.
  func channelSums() throws(QuasarError) -> [ChannelSums]

  /// The images at these indices, in this order; an index may occur more than once.
  ///
  /// Throws `usage` for an empty list or an index outside 0..<count.
  func selecting(_ indices: [Int]) throws(QuasarError) -> Self
}

/// Σp and Σp² of the bytes p of one channel.
///
/// Example: a byte 3 and a byte 5 give 8 and 34. 2⁴⁰ bytes fit.
public struct ChannelSums: Sendable, Equatable {
  public var sum = 0
  public var squares = 0

  mutating func add(_ pixels: UnsafeBufferPointer<UInt8>) {
    for pixel in pixels {
      sum &+= Int(pixel)
      squares &+= Int(pixel) &* Int(pixel)
    }
  }

  static func += (total: inout ChannelSums, part: ChannelSums) {
    total.sum += part.sum
    total.squares += part.squares
  }
}

extension ImageSource {
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

  /// The pixels [channels, height, width] of one image; throws the errors of `copyImage`.
  public func pixels(at index: Int) throws(QuasarError) -> [UInt8] {
    var failure: QuasarError?
    let pixels = [UInt8](unsafeUninitializedCapacity: bytesPerImage) { room, count in
      guard let base = room.baseAddress else { return }
      do throws(QuasarError) {
        try copyImage(at: index, to: base)
        count = bytesPerImage
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return pixels
  }

  /// The first n images of each class, in the order of the file.
  ///
  /// Throws `usage` when n < 1 or a class has fewer than n images, so the result is always balanced.
  public func firstOfEachClass(_ n: Int) throws(QuasarError) -> Self {
    guard n >= 1 else {
      throw QuasarError(.usage, "\(name), \(split): \(n) images of each class; ask for at least 1")
    }
    let counts = classCounts
    if let scarce = counts.firstIndex(where: { $0 < n }) {
      throw QuasarError(
        .usage,
        "\(name), \(split): \(n) images of each class are asked for, but class “\(classNames[scarce])” has "
          + "\(counts[scarce]); ask for at most \(counts.min() ?? 0)")
    }
    return try selecting(firstIndices(n))
  }

  /// The indices of the first n images of each class, or of all where a class has fewer, in the order of the file.
  func firstIndices(_ n: Int) -> [Int] {
    var taken = [Int](repeating: 0, count: classNames.count)
    var chosen: [Int] = []
    for (index, label) in labels.enumerated() where taken[Int(label)] < n {
      taken[Int(label)] += 1
      chosen.append(index)
    }
    return chosen
  }

  /// Two sets: the images without every k-th image of each class, and those k-th images; both in the order of the file.
  ///
  /// No random number is involved: the images k−1, 2k−1, 3k−1, … of each class (counted from 0 within the class) are
  /// held out. Example: 2,000 images of each of 10 classes and k = 10 → 18,000 and 2,000. Throws `usage` when k < 2 or
  /// no class has k images.
  public func splittingEvery(_ k: Int) throws(QuasarError) -> (kept: Self, heldOut: Self) {
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
        "\(name), \(split): every \(k)-th image of each class is to be held out, but the largest class has "
          + "\(seen.max() ?? 0); use a smaller number")
    }
    return (try selecting(kept), try selecting(heldOut))
  }

  /// Throws `usage` for an empty list or an index outside 0..<count.
  func requireSelection(_ indices: [Int]) throws(QuasarError) {
    guard !indices.isEmpty else {
      throw QuasarError(.usage, "\(name), \(split): a selection of 0 images; ask for at least 1")
    }
    let range = 0..<count
    if let wrong = indices.first(where: { !range.contains($0) }) {
      throw QuasarError(
        .usage, "\(name), \(split): image \(wrong) is asked for, but the images are 0 to \(count - 1)")
    }
  }
}
