import QuasarTensor

/// One tensor as stored in a file: number format, shape and little-endian bytes in C order.
public struct RawTensor: Sendable, Hashable {
  /// Format of the elements.
  public let elementType: ElementType
  /// Extents, outermost first; empty for a single number. An extent may be 0.
  public let shape: [Int]
  /// Elements, little-endian, the last extent running fastest.
  public let bytes: [UInt8]

  /// The tensor of these bytes.
  ///
  /// Throws `badData` when an extent is negative or shape × element size is another number of bytes. `name` is the
  /// tensor's name in errors.
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
    // The supported hosts (x86-64, AArch64) are little-endian, so memory order is file order.
    bytes = values.withUnsafeBytes { Array($0) }
  }

  /// Product of the extents.
  public var count: Int { bytes.count / elementType.size }

  /// The elements in C order.
  ///
  /// Throws `badData` when the tensor has another format; nothing is converted. `name` is the tensor's name in errors.
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

extension RawTensor {
  /// The elements of a float32, float16 or bfloat16 tensor as floats, in C order; every value is converted exactly.
  ///
  /// A half of sign s, exponent e and fraction m is (−1)^s·2^(e−15)·(1 + m/1024); a bfloat16 is the upper half of a
  /// single. Throws `badData` for integers. `name` is the tensor's name in errors. Example: F16 0x3555 → 0.33325195.
  public func floats(name: String = "tensor") throws(QuasarError) -> [Float] {
    switch elementType {
    case .float32: return try values(name: name)
    case .float16: return words.map { Float(Float16(bitPattern: $0)) }
    case .bfloat16: return words.map { Float(bitPattern: UInt32($0) << 16) }
    case .int64, .int32, .int16, .int8, .uint8:
      throw QuasarError(
        .badData, "\(name): holds \(elementType.rawValue), but F32, F16 or BF16 is expected; convert the tensor")
    }
  }

  /// A bfloat16 tensor as float32; every other tensor as it is.
  var widened: RawTensor {
    guard elementType == .bfloat16 else { return self }
    return RawTensor(widening: self)
  }

  private init(widening tensor: RawTensor) {
    elementType = .float32
    shape = tensor.shape
    // Adds a zero word below each word of a bfloat16.
    bytes = tensor.words.flatMap { [0, 0, UInt8($0 & 255), UInt8($0 >> 8)] }
  }

  /// The bytes in pairs, little-endian.
  private var words: [UInt16] {
    stride(from: 0, to: bytes.count, by: 2).map { UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8 }
  }
}

/// shape × element size; nil for a negative extent or a product that overflows.
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
