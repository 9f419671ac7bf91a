import QuasarTensor

extension ImageSource {
  /// Images range as a [n, channels, height, width] array; throws where one cannot be read.
  public func array(_ range: Range<Int>) throws -> NDArray<UInt8> {
    let array = NDArray<UInt8>(uninitialized: [range.count, channels, height, width])
    for (slot, index) in range.enumerated() {
      try copyImage(at: index, to: array.pointer + slot * bytesPerImage)
    }
    return array
  }
}

extension ImageSet {
  /// Images range as a [n, channels, height, width] array.
  public func array(_ range: Range<Int>) -> NDArray<UInt8> {
    let array = NDArray<UInt8>(uninitialized: [range.count, channels, height, width])
    images.withUnsafeBufferPointer { source in
      guard let base = source.baseAddress else { return }
      array.pointer.update(from: base + range.lowerBound * bytesPerImage, count: array.count)
    }
    return array
  }
}
