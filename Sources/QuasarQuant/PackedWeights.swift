import CKernels
import QuasarTensor

/// Rows of codes in the panels of the GEMM kernels (see `qk_packed_weights`).
public final class PackedWeights {
  private let panels: NDArray<UInt8>
  private let slotRow: NDArray<Int32>
  private let slotSum: NDArray<Int32>
  /// Panels and slots as the kernels read them; valid as long as this object.
  public private(set) var descriptor = qk_packed_weights()

  public init(name: String, codes: NDArray<Int8>, rowBits: [UInt8]) throws {
    let rows8 = Int32(rowBits.filter { $0 == 8 }.count)
    let rows4 = Int32(rowBits.count) - rows8
    let slots = max(1, qk_packed_slots(rows8, rows4))
    panels = NDArray(uninitialized: [max(1, qk_packed_bytes(rows8, rows4, Int32(codes.width)))])
    slotRow = NDArray(uninitialized: [slots])
    slotSum = NDArray(uninitialized: [slots])
    try qk_pack_rows(
      codes.pointer, rowBits, Int32(codes.shape[0]), Int32(codes.width), panels.pointer, slotRow.pointer,
      slotSum.pointer, &descriptor
    ).check("\(name): packing weights \(codes.shape)")
  }

  /// Bytes of the packed panels, padding included.
  public var byteCount: Int { panels.count }
}

/// Bias and requantisers of a layer, checked and laid out once for the kernels (see `qk_row_constants`).
final class PreparedRows {
  private let weights: PackedWeights
  private let bias: NDArray<Int32>
  private let requantisers: UnsafeMutableBufferPointer<Requantiser>
  private let memory: NDArray<UInt8>
  private let descriptor: UnsafeMutablePointer<qk_packed_weights>
  private let constants: UnsafeMutablePointer<qk_row_constants>

  init(name: String, weights: PackedWeights, bias: [Int32], requantisers: [Requantiser]) throws {
    self.weights = weights
    self.bias = NDArray(bias, shape: [bias.count])
    self.requantisers = .allocate(capacity: requantisers.count)
    _ = self.requantisers.initialize(from: requantisers)
    descriptor = .allocate(capacity: 1)
    descriptor.initialize(to: weights.descriptor)
    constants = .allocate(capacity: 1)
    constants.initialize(to: qk_row_constants())
    memory = NDArray(uninitialized: [max(1, qk_row_constants_bytes(descriptor))])
    try qk_prepare_rows(
      descriptor, self.bias.pointer, self.requantisers.baseAddress, nil, memory.pointer, constants
    ).check("\(name): bias and requantisers of \(bias.count) rows")
  }

  deinit {
    requantisers.deallocate()
    descriptor.deallocate()
    constants.deallocate()
  }

  /// Runs `body` with the weights, bias, requantisers and constants of the layer filled in.
  func withArguments<Result>(
    _ arguments: inout qk_gemm_arguments, _ body: (inout qk_gemm_arguments) throws -> Result
  ) rethrows -> Result {
    arguments.weights = UnsafePointer(descriptor)
    arguments.bias = UnsafePointer(bias.pointer)
    arguments.requantisers = UnsafePointer(requantisers.baseAddress)
    arguments.constants = UnsafePointer(constants)
    return try withExtendedLifetime(self) { try body(&arguments) }
  }
}
