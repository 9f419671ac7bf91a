import CKernels
import QuasarTensor

/// Rows of codes in the panels of the GEMM kernels (see `qk_packed_weights`).
public final class PackedWeights {
  private let panels: NDArray<UInt8>
  private let slotRow: NDArray<Int32>
  private let slotSum: NDArray<Int32>
  /// Panels and slots in the form that the kernels read; valid as long as this object.
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
  private let bias: StableArray<Int32>
  private let requantisers: StableArray<Requantiser>
  private let memory: NDArray<UInt8>
  private let descriptor: StableArray<qk_packed_weights>
  private let constants = StableArray([qk_row_constants()])

  init(name: String, weights: PackedWeights, bias: [Int32], requantisers: [Requantiser]) throws {
    self.weights = weights
    self.bias = StableArray(bias)
    self.requantisers = StableArray(requantisers)
    descriptor = StableArray([weights.descriptor])
    memory = NDArray(uninitialized: [max(1, qk_row_constants_bytes(descriptor.pointer))])
    try qk_prepare_rows(
      descriptor.pointer, self.bias.pointer, self.requantisers.pointer, nil, memory.pointer, constants.pointer
    ).check("\(name): bias and requantisers of \(bias.count) rows")
  }

  /// Runs `body` with the weights, bias, requantisers and constants of the layer filled in.
  func withArguments<Result>(
    _ arguments: inout qk_gemm_arguments, _ body: (inout qk_gemm_arguments) throws -> Result
  ) rethrows -> Result {
    arguments.weights = UnsafePointer(descriptor.pointer)
    arguments.bias = UnsafePointer(bias.pointer)
    arguments.requantisers = UnsafePointer(requantisers.pointer)
    arguments.constants = UnsafePointer(constants.pointer)
    return try withExtendedLifetime(self) { try body(&arguments) }
  }

  /// The same for the forward pass of a layer of a training block; valid as long as this object.
  func fill(_ layer: inout qk_training_linear) {
    layer.weights = UnsafePointer(descriptor.pointer)
    layer.bias = UnsafePointer(bias.pointer)
    layer.requantisers = UnsafePointer(requantisers.pointer)
    layer.constants = UnsafePointer(constants.pointer)
  }
}
