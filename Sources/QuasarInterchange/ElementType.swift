/// The number formats of tensors in files; all are little-endian.
public enum ElementType: String, Sendable, CaseIterable, Codable {
  /// IEEE 754 single precision.
  case float32 = "F32"
  /// IEEE 754 half precision.
  case float16 = "F16"
  /// The upper half of a single: 8 bits of exponent, 7 of fraction.
  case bfloat16 = "BF16"
  /// Signed, 64 bits.
  case int64 = "I64"
  /// Signed, 32 bits.
  case int32 = "I32"
  /// Signed, 16 bits.
  case int16 = "I16"
  /// Signed, 8 bits.
  case int8 = "I8"
  /// Unsigned, 8 bits.
  case uint8 = "U8"

  /// Bytes of one element: 1, 2, 4 or 8.
  public var size: Int {
    switch self {
    case .int8, .uint8: 1
    case .int16, .float16, .bfloat16: 2
    case .float32, .int32: 4
    case .int64: 8
    }
  }

  /// The name in a NumPy header: "<f4", "|u1", …; nil for bfloat16, which NumPy does not support.
  var numPyName: String? {
    switch self {
    case .float32: "<f4"
    case .float16: "<f2"
    case .bfloat16: nil
    case .int64: "<i8"
    case .int32: "<i4"
    case .int16: "<i2"
    case .int8: "|i1"
    case .uint8: "|u1"
    }
  }
}

/// A Swift number type that tensors in files can hold.
public protocol TensorElement: BitwiseCopyable, Sendable {
  /// Its format in a file.
  static var elementType: ElementType { get }
}

extension Float: TensorElement {
  /// `float32`
  public static var elementType: ElementType { .float32 }
}
extension Int64: TensorElement {
  /// `int64`
  public static var elementType: ElementType { .int64 }
}
extension Int32: TensorElement {
  /// `int32`
  public static var elementType: ElementType { .int32 }
}
extension Int16: TensorElement {
  /// `int16`
  public static var elementType: ElementType { .int16 }
}
extension Int8: TensorElement {
  /// `int8`
  public static var elementType: ElementType { .int8 }
}
extension UInt8: TensorElement {
  /// `uint8`
  public static var elementType: ElementType { .uint8 }
}
