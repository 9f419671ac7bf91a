import QuasarTensor

/// One tensor as it lies in a file: number format, shape and little-endian bytes in C order.
public struct RawTensor: Sendable, Hashable {
  /// Format of the elements.
  public let elementType: ElementType
  /// Extents, outermost first; empty for a single number. An extent may be 0.
  public let shape: [Int]
  /// Elements, little-endian, the last extent running fastest.
  public let bytes: [UInt8]

  /// The tensor of these bytes.
  ///
  /// Throws `badData` when an extent is negative or shape × element size is another number of bytes. `name`
  /// is what errors call the tensor.
  public init(
    elementType: ElementType, shape: [Int], bytes: [UInt8], name: String = "tensor"
  ) throws(QuasarError) {
    let expected = byteCount(elementType, shape)
    guard expected == bytes.count else {
      throw QuasarError(
        .badData,
        "\(name): \(bytes.count) bytes, but shape \(shape) of \(elementType.rawValue) needs "
          + "\(expected.map(String.init) ?? "a size that does not exist"); correct the shape")
    }
    self.elementType = elementType
    self.shape = shape
    self.bytes = bytes
  }

  /// The tensor of these values; throws `badData` when the shape does not hold exactly that many.
  public init<Element: TensorElement>(
    _ values: [Element], shape: [Int], name: String = "tensor"
  ) throws(QuasarError) {
    guard let expected = byteCount(Element.elementType, shape),
      expected == values.count * Element.elementType.size
    else {
      throw QuasarError(
        .badData, "\(name): \(values.count) values do not fill the shape \(shape); correct the shape")
    }
    elementType = Element.elementType
    self.shape = shape
    // The hosts this is built for (x86-64, AArch64) are little-endian, so memory order is file order.
    bytes = values.withUnsafeBytes { Array($0) }
  }

  /// Product of the extents.
  public var count: Int { bytes.count / elementType.size }

  /// The elements in C order.
  ///
  /// Throws `badData` when the tensor holds another format; nothing is converted. `name` is what errors call
  /// it.
  public func values<Element: TensorElement>(
    as type: Element.Type = Element.self, name: String = "tensor"
  ) throws(QuasarError) -> [Element] {
    guard elementType == Element.elementType else {
      throw QuasarError(
        .badData,
        "\(name): holds \(elementType.rawValue), but \(Element.elementType.rawValue) is expected; "
          + "use a file written for this purpose, or convert the tensor")
    }
    let elements = count
    return [Element](unsafeUninitializedCapacity: elements) { room, initialized in
      bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(room).copyMemory(from: $0) }
      initialized = elements
    }
  }
}

/// shape × element size, nil for a negative extent or a product that does not fit.
func byteCount(_ elementType: ElementType, _ shape: [Int]) -> Int? {
  guard shape.allSatisfy({ $0 >= 0 }) else { return nil }
  // A zero anywhere makes the product zero, however large the other extents are.
  if shape.contains(0) { return 0 }
  var product = elementType.size
  for extent in shape {
    let (next, overflow) = product.multipliedReportingOverflow(by: extent)
    if overflow { return nil }
    product = next
  }
  return product
}
