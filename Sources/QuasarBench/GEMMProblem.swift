import CKernels
import Quasar

/// What a product writes.
enum ProductOutput: String, CaseIterable {
  case accumulator, int32, int8, uint8, int16, residual, gelu, float
  /// Another word for int8.
  case requantised

  var form: qk_output_form {
    switch self {
    case .accumulator: QK_OUTPUT_ACCUMULATOR
    case .int32: QK_OUTPUT_INT32
    case .int8, .requantised: QK_OUTPUT_INT8
    case .uint8: QK_OUTPUT_UINT8
    case .int16: QK_OUTPUT_INT16
    case .residual: QK_OUTPUT_RESIDUAL
    case .gelu: QK_OUTPUT_TABLE
    case .float: QK_OUTPUT_FLOAT
    }
  }

  /// The clamp of the requantised forms.
  var range: CodeRange {
    switch self {
    case .accumulator, .float, .int32: CodeRange(low: .min, high: .max)
    case .int8, .requantised, .gelu: .signedNarrow(bits: 8)
    case .uint8: .unsigned(bits: 8)
    case .int16, .residual: .residual
    }
  }
}

/// A row-mixed product with random operands in the panels of the kernels; runs into the same memory every time.
final class GEMMProblem {
  let tokens: Int
  let rows: Int
  let depth: Int
  private let weights: PackedWeights
  private let activations: NDArray<Int8>
  private let bias: NDArray<Int32>
  private let scales: NDArray<Float>
  private let residual: NDArray<Int16>
  private let table: [UInt8]
  private let output: NDArray<UInt8>
  private let memory: NDArray<UInt8>
  private let requantisers: UnsafeMutablePointer<qk_requantiser>
  private let descriptor: UnsafeMutablePointer<qk_packed_weights>
  private let constants: UnsafeMutablePointer<qk_row_constants>
  private var arguments = qk_gemm_arguments()

  /// 8-bit rows lie scattered, as a ranking would scatter them; factors spread the results over the output's range.
  init(
    tokens: Int, rows: Int, depth: Int, share: RowShare, activationBits: Int, unsigned: Bool, output form: ProductOutput
  ) throws {
    (self.tokens, self.rows, self.depth) = (tokens, rows, depth)
    let rows8 = share.rows8(of: rows)
    let bits = (0..<rows).map { row in UInt8((row + 1) * rows8 / rows > row * rows8 / rows ? 8 : 4) }
    let codes = NDArray<Int8>(uninitialized: [rows, depth])
    for row in 0..<rows {
      BenchData.fill(codes.pointer + row * depth, depth, .signedNarrow(bits: Int(bits[row])), stream: row)
    }
    weights = try PackedWeights(name: "bench", codes: codes, rowBits: bits)
    activations = NDArray(uninitialized: [tokens, depth])
    BenchData.fill(
      activations.pointer, tokens * depth,
      unsigned ? .unsigned(bits: activationBits) : .signedNarrow(bits: activationBits), stream: -1)
    bias = NDArray(repeating: 100, shape: [rows])
    scales = NDArray(repeating: 1e-4, shape: [rows])
    residual = NDArray(repeating: 1000, shape: form == .residual ? [tokens, rows] : [1])
    table = GELUTable(inputStep: 0.05, output: GELUQuantizer(step: 0.02, bits: 8)).entries
    output = NDArray(uninitialized: [tokens, rows, qk_output_bytes(form.form)])
    requantisers = .allocate(capacity: rows)
    descriptor = .allocate(capacity: 1)
    descriptor.initialize(to: weights.descriptor)
    constants = .allocate(capacity: 1)
    constants.initialize(to: qk_row_constants())
    memory = NDArray(uninitialized: [max(1, qk_row_constants_bytes(descriptor))])
    let top = min(32767, Double(form.range.high))
    for row in 0..<rows {
      let deviation = Double(depth).squareRoot() * (bits[row] == 8 ? 73 : 4) * Double(1 << activationBits) / 3.5
      requantisers[row] = try Requantiser(factor: top / (4 * deviation), layer: "bench")
    }
    try qk_prepare_rows(descriptor, bias.pointer, requantisers, scales.pointer, memory.pointer, constants)
      .check("bench: preparing \(rows) rows")
    arguments.tokens = Int32(tokens)
    arguments.activations_unsigned = unsigned ? 1 : 0
    arguments.activations = UnsafeRawPointer(activations.pointer)
    arguments.activation_stride = depth
    arguments.weights = UnsafePointer(descriptor)
    arguments.bias = UnsafePointer(bias.pointer)
    arguments.requantisers = UnsafePointer(requantisers)
    arguments.scales = UnsafePointer(scales.pointer)
    arguments.constants = UnsafePointer(constants)
    arguments.form = form.form
    arguments.lo = form.range.low
    arguments.hi = form.range.high
    arguments.residual = form == .residual ? UnsafePointer(residual.pointer) : nil
    arguments.residual_stride = rows
    arguments.output = UnsafeMutableRawPointer(output.pointer)
    arguments.output_stride = rows
  }

  deinit {
    requantisers.deallocate()
    descriptor.deallocate()
    constants.deallocate()
  }

  var operations: Double { 2 * Double(tokens) * Double(rows) * Double(depth) }

  func run() throws {
    try table.withUnsafeBufferPointer { table in
      arguments.table = table.baseAddress
      try qk_gemm(&arguments).check("gemm \(tokens)x\(rows)x\(depth)")
    }
  }
}

/// Random operands.
enum BenchData {
  /// Uniform codes of a range that fits into a byte, stored as their low 8 bits.
  static func fill(_ target: UnsafeMutablePointer<Int8>, _ count: Int, _ range: CodeRange, stream: Int) {
    var random = RandomSource(seed: 1).generator("codes", stream)
    let span = UInt32(range.high - range.low + 1)
    var i = 0
    while i < count {
      var word = random.next()
      for _ in 0..<min(4, count - i) {
        let code = Int32((UInt32(truncatingIfNeeded: word) & 0xFFFF) * span >> 16) + range.low
        target[i] = Int8(truncatingIfNeeded: code)
        word >>= 16
        i += 1
      }
    }
  }

  /// Floats of mean 0 and the given deviation.
  static func floats(_ shape: [Int], _ name: String, deviation: Float = 1) -> NDArray<Float> {
    RandomSource(seed: 1).normal(name, shape: shape, deviation: deviation)
  }
}
