// The row-mixed integer product Y = X·Wᵀ as timed work.
import CKernels
import Quasar

/// The output of a product, by its number in the C interface.
enum ProductForm: Int32 {
  /// int32: the accumulators themselves.
  case accumulators = 0
  /// int8: requantised and clamped to −127…127.
  case requantised = 1
}

/// One layer with its input codes.
final class ProductWork: TimedWork {
  private let layer: IntegerLinear
  private let input: IntegerLinear.Input
  private let form: ProductForm
  private var accumulators: NDArray<Int32>?
  private var codes: NDArray<Int8>?

  init(layer: IntegerLinear, input: IntegerLinear.Input, form: ProductForm) {
    self.layer = layer
    self.input = input
    self.form = form
  }

  // The last result is released first, so that every run writes into the same recycled memory.
  override func run() throws {
    switch form {
    case .accumulators:
      accumulators = nil
      accumulators = try layer.accumulators(input)
    case .requantised:
      codes = nil
      codes = try layer.codes(input, range: .signedNarrow(bits: 8))
    }
  }

  override func copyResult(to target: UnsafeMutableRawPointer, capacity: Int) -> Int {
    switch form {
    case .accumulators: copy(accumulators, to: target, capacity: capacity)
    case .requantised: copy(codes, to: target, capacity: capacity)
    }
  }
}

/// A product of `tokens` × `depth` activation codes and `rows` × `depth` weight codes, both copied.
///
/// `rowBits` has 4 or 8 for each row. `activationsUnsigned` is true for uint8 activations, false for int8. `form` 0
/// gives int32 accumulators, 1 int8 codes round(factor·accumulator). There is no bias.
@_cdecl("qpb_product")
public func product(
  _ tokens: Int32, _ rows: Int32, _ depth: Int32, _ activations: UnsafeRawPointer, _ activationsUnsigned: Int32,
  _ weights: UnsafePointer<Int8>, _ rowBits: UnsafePointer<UInt8>, _ form: Int32, _ factor: Double
) -> UnsafeMutableRawPointer? {
  handle {
    let (tokens, rows, depth) = (Int(tokens), Int(rows), Int(depth))
    guard tokens > 0, rows > 0, depth > 0, let form = ProductForm(rawValue: form) else {
      throw QuasarError(.usage, "a product of \(tokens)×\(rows)×\(depth) in form \(form): use sizes ≥ 1, form 0 or 1")
    }
    let codes = NDArray<Int8>(uninitialized: [rows, depth])
    codes.pointer.update(from: weights, count: rows * depth)
    let layer = try IntegerLinear(
      name: "product", codes: codes, rowBits: Array(UnsafeBufferPointer(start: rowBits, count: rows)),
      realBias: Array(repeating: 0, count: rows),
      scales: IntegerLinear.Scales(
        input: Float(factor), rows: Array(repeating: 1, count: rows), output: Array(repeating: 1, count: rows)))
    let input: IntegerLinear.Input
    if activationsUnsigned != 0 {
      input = .unsigned(copied(activations.assumingMemoryBound(to: UInt8.self), [tokens, depth]))
    } else {
      input = .signed(copied(activations.assumingMemoryBound(to: Int8.self), [tokens, depth]))
    }
    return ProductWork(layer: layer, input: input, form: form)
  }
}

/// A new array with the scalars at `source`.
func copied<Scalar: ArrayScalar>(_ source: UnsafePointer<Scalar>, _ shape: [Int]) -> NDArray<Scalar> {
  let array = NDArray<Scalar>(uninitialized: shape)
  array.pointer.update(from: source, count: array.count)
  return array
}
