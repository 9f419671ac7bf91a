/// Numbers that an array may hold: Float for values, fixed-width integers for codes.
public protocol ArrayScalar: BitwiseCopyable, Equatable, Sendable {
  static var zero: Self { get }
}
extension Float: ArrayScalar {}
extension Int8: ArrayScalar {}
extension UInt8: ArrayScalar {}
extension Int16: ArrayScalar {}
extension Int32: ArrayScalar {}
extension Int64: ArrayScalar {}

/// A dense row-major n-dimensional array on 64-byte aligned storage.
///
/// It has reference semantics: copies and views (`reshaped`, `rows`) share storage, `copied()` does not. Reshaping and
/// taking leading rows are free; every other rearrangement is an operation that copies.
public struct NDArray<Scalar: ArrayScalar> {
  public let shape: [Int]
  @usableFromInline let storage: StorageReference
  @usableFromInline let offset: Int

  /// Keeps the block alive; the class itself stays internal.
  @usableFromInline
  final class StorageReference {
    private let block: StorageBlock
    @usableFromInline let base: UnsafeMutableRawPointer
    init(byteCount: Int) {
      block = StorageBlock(byteCount: byteCount)
      base = block.base
    }
  }

  /// An array with undefined contents.
  public init(uninitialized shape: [Int]) {
    precondition(shape.allSatisfy { $0 >= 0 }, "negative dimension in shape \(shape)")
    self.shape = shape
    offset = 0
    storage = StorageReference(byteCount: shape.reduce(1, *) * MemoryLayout<Scalar>.stride)
  }

  /// An array filled with one value.
  public init(repeating value: Scalar, shape: [Int]) {
    self.init(uninitialized: shape)
    pointer.update(repeating: value, count: count)
  }

  /// An array of zeros.
  public init(zeros shape: [Int]) {
    self.init(repeating: .zero, shape: shape)
  }

  /// The scalars in row-major order; their number must fit the shape.
  public init(_ scalars: [Scalar], shape: [Int]) {
    precondition(
      scalars.count == shape.reduce(1, *), "\(scalars.count) scalars do not fill shape \(shape)")
    self.init(uninitialized: shape)
    scalars.withUnsafeBufferPointer { source in
      if let base = source.baseAddress { pointer.update(from: base, count: source.count) }
    }
  }

  private init(shape: [Int], storage: StorageReference, offset: Int) {
    self.shape = shape
    self.storage = storage
    self.offset = offset
  }

  /// Number of scalars: the product of the dimensions.
  public var count: Int { shape.reduce(1, *) }
  /// Product of all dimensions but the last (1 for a vector): the number of rows for row-wise kernels.
  public var rowCount: Int { shape.dropLast().reduce(1, *) }
  /// The last dimension (1 for a scalar).
  public var width: Int { shape.last ?? 1 }

  /// A pointer to the first scalar, valid while this array lives. Hold the array in a variable, or in
  /// `withExtendedLifetime`, for as long as a kernel uses the pointer; the storage of a temporary is recycled at once.
  public var pointer: UnsafeMutablePointer<Scalar> {
    storage.base.assumingMemoryBound(to: Scalar.self) + offset
  }

  /// The scalars in row-major order.
  public var scalars: [Scalar] {
    Array(UnsafeBufferPointer(start: pointer, count: count))
  }

  /// The scalar at a flat index.
  public subscript(flat index: Int) -> Scalar {
    get {
      precondition(index >= 0 && index < count, "flat index \(index) outside 0..<\(count)")
      return pointer[index]
    }
    nonmutating set {
      precondition(index >= 0 && index < count, "flat index \(index) outside 0..<\(count)")
      pointer[index] = newValue
    }
  }

  /// A view with another shape of equal count; free.
  public func reshaped(_ shape: [Int]) -> NDArray {
    precondition(shape.reduce(1, *) == count, "cannot view shape \(self.shape) as \(shape)")
    return NDArray(shape: shape, storage: storage, offset: offset)
  }

  /// A view of rows range along the first axis; free.
  public func rows(_ range: Range<Int>) -> NDArray {
    precondition(
      !shape.isEmpty && range.lowerBound >= 0 && range.upperBound <= shape[0],
      "rows \(range) of shape \(shape)")
    let stride = shape.dropFirst().reduce(1, *)
    return NDArray(
      shape: [range.count] + shape.dropFirst(), storage: storage,
      offset: offset + range.lowerBound * stride)
  }

  /// A new array with the same contents.
  public func copied() -> NDArray {
    let copy = NDArray(uninitialized: shape)
    copy.pointer.update(from: pointer, count: count)
    return copy
  }

  /// Overwrites the contents with those of an array of the same count.
  public func assign(_ other: NDArray) {
    precondition(other.count == count, "cannot assign shape \(other.shape) to \(shape)")
    pointer.update(from: other.pointer, count: count)
  }

  /// Sets every scalar to one value.
  public func fill(_ value: Scalar) {
    pointer.update(repeating: value, count: count)
  }

  /// True if the shapes and all scalars are equal.
  public func contentsEqual(_ other: NDArray) -> Bool {
    guard shape == other.shape else { return false }
    let a = pointer
    let b = other.pointer
    for i in 0..<count where a[i] != b[i] { return false }
    return true
  }
}

extension NDArray where Scalar: Comparable {
  /// Index of the largest entry of each row; ties go to the lowest index. Example: [[1, 3], [2, 2]] → [1, 0].
  public func largestPerRow() -> [Int] {
    (0..<rowCount).map { row in
      let x = pointer + row * width
      return (1..<width).reduce(0) { x[$1] > x[$0] ? $1 : $0 }
    }
  }
}

/// Float32 values.
public typealias Tensor = NDArray<Float>
