import CKernels
import QuasarTensor

/// A linear layer in integers: packed 4-bit and 8-bit rows, bias codes and one requantiser per row.
///
/// acc = bias[n] + Σ_k X[t,k]·W[n,k]; each call chooses how acc becomes its output (`qk_output_form`). Training,
/// packing and integer execution all build and run this one type.
public struct IntegerLinear {
  public let name: String
  /// Weight codes [rows, depth].
  public let codes: NDArray<Int8>
  /// 4 or 8 for each row.
  public let rowBits: [UInt8]
  public let bias: [Int32]
  public let requantisers: [Requantiser]
  public let packed: PackedWeights
  let prepared: PreparedRows

  public var rows: Int { codes.shape[0] }
  public var depth: Int { codes.shape[1] }

  /// A layer of finished integers, as read from a file.
  public init(
    name: String, codes: NDArray<Int8>, rowBits: [UInt8], bias: [Int32], requantisers: [Requantiser]
  ) throws {
    guard rowBits.count == codes.shape[0], bias.count == codes.shape[0],
      requantisers.count == codes.shape[0]
    else {
      throw QuasarError(
        .badData,
        "\(name): \(codes.shape[0]) rows of codes but \(rowBits.count) precisions, \(bias.count) biases, "
          + "\(requantisers.count) requantisers")
    }
    self.name = name
    self.codes = codes
    self.rowBits = rowBits
    self.bias = bias
    self.requantisers = requantisers
    packed = try PackedWeights(name: name, codes: codes, rowBits: rowBits)
    prepared = try PreparedRows(name: name, weights: packed, bias: bias, requantisers: requantisers)
  }

  /// The real scales around a linear layer.
  public struct Scales {
    /// Step of the input codes.
    public var input: Float
    /// Zero point of the input codes (GELU outputs), otherwise 0.
    public var inputZero: Int32 = 0
    /// Real value subtracted from input k (pixel means), or empty.
    public var inputMean: [Float] = []
    /// Step of each weight row.
    public var rows: [Float]
    /// Step of the output codes of each row.
    public var output: [Double]
    /// Factor of each row after the bias (layer scaling), or empty.
    public var gain: [Float] = []

    public init(
      input: Float, inputZero: Int32 = 0, inputMean: [Float] = [], rows: [Float], output: [Double],
      gain: [Float] = []
    ) {
      self.input = input
      self.inputZero = inputZero
      self.inputMean = inputMean
      self.rows = rows
      self.output = output
      self.gain = gain
    }
  }

  /// A layer from codes, scales and real biases.
  ///
  /// bias code = round((b[n] − s_w·Σ_k W·mean_k)/(s_x·s_w)) − zero·Σ_k W;
  /// factor = s_x·s_w[n]·gain[n]/s_y[n]. Throws when a bias code reaches 2^30 or a factor 2^15.
  public init(
    name: String, codes: NDArray<Int8>, rowBits: [UInt8], realBias: [Float], scales: Scales
  ) throws {
    let (rows, depth) = (codes.shape[0], codes.shape[1])
    var bias: [Int32] = []
    var requantisers: [Requantiser] = []
    bias.reserveCapacity(rows)
    requantisers.reserveCapacity(rows)
    for n in 0..<rows {
      let row = UnsafeBufferPointer(start: codes.pointer + n * depth, count: depth)
      let rowScale = Double(scales.rows[n])
      let accumulatorStep = Double(scales.input) * rowScale
      var real = Double(realBias[n])
      if !scales.inputMean.isEmpty {
        var mean = 0.0
        for k in 0..<depth { mean += Double(row[k]) * Double(scales.inputMean[k]) }
        real -= rowScale * mean
      }
      let codeSum = scales.inputZero == 0 ? 0 : Int(row.reduce(Int32(0)) { $0 &+ Int32($1) })
      let code = (real / accumulatorStep).rounded() - Double(Int(scales.inputZero) * codeSum)
      guard abs(code) < Double(QK_BIAS_LIMIT) else {
        throw QuasarError(
          .badData,
          "\(name): bias code \(code) of row \(n) is not below 2^30; the row's step \(scales.rows[n]) or the "
            + "input step \(scales.input) is too small for its bias \(realBias[n])")
      }
      bias.append(Int32(code))
      let gain = scales.gain.isEmpty ? 1 : Double(scales.gain[n])
      requantisers.append(
        try Requantiser(factor: accumulatorStep * gain / scales.output[n], layer: "\(name) row \(n)"))
    }
    try self.init(name: name, codes: codes, rowBits: rowBits, bias: bias, requantisers: requantisers)
  }
}

extension IntegerLinear {
  /// Points a layer of a training block at the weights, bias, requantisers and constants; returns their owner.
  package func fill(_ layer: inout qk_training_linear) -> AnyObject {
    prepared.fill(&layer)
    return prepared
  }

  /// The input codes of a call.
  public enum Input {
    case signed(NDArray<Int8>)
    case unsigned(NDArray<UInt8>)
  }

  private func arguments(_ input: Input, _ form: qk_output_form) throws -> qk_gemm_arguments {
    var arguments = qk_gemm_arguments()
    let shape: [Int]
    switch input {
    case .signed(let codes):
      arguments.activations = UnsafeRawPointer(codes.pointer)
      shape = codes.shape
    case .unsigned(let codes):
      arguments.activations = UnsafeRawPointer(codes.pointer)
      arguments.activations_unsigned = 1
      shape = codes.shape
    }
    guard shape.last == depth else {
      throw QuasarError(.badData, "\(name): input codes \(shape) for weights [\(rows), \(depth)]")
    }
    arguments.tokens = Int32(shape.dropLast().reduce(1, *))
    arguments.activation_stride = depth
    arguments.form = form
    arguments.output_stride = rows
    return arguments
  }

  private func run(_ arguments: qk_gemm_arguments, _ execution: IntegerExecution) throws {
    var arguments = arguments
    try prepared.withArguments(&arguments) { arguments in
      try execution.units.linear(self, &arguments, images: execution.images)
    }
  }

  /// int8 codes clamp(requantised): [T, rows].
  public func codes(_ input: Input, range: CodeRange, on execution: IntegerExecution = .kernels) throws
    -> NDArray<Int8>
  {
    var arguments = try arguments(input, QK_OUTPUT_INT8)
    defer { withExtendedLifetime((input, prepared)) {} }
    let output = NDArray<Int8>(uninitialized: [Int(arguments.tokens), rows])
    arguments.lo = range.low
    arguments.hi = range.high
    arguments.output = UnsafeMutableRawPointer(output.pointer)
    try run(arguments, execution)
    return output
  }

  /// uint8 codes table[int8 code + 128]: [T, rows].
  public func tableCodes(_ input: Input, table: GELUTable, on execution: IntegerExecution = .kernels) throws
    -> NDArray<UInt8>
  {
    var arguments = try arguments(input, QK_OUTPUT_TABLE)
    defer { withExtendedLifetime((input, prepared)) {} }
    let output = NDArray<UInt8>(uninitialized: [Int(arguments.tokens), rows])
    arguments.lo = GELUTable.inputRange.low
    arguments.hi = GELUTable.inputRange.high
    arguments.output = UnsafeMutableRawPointer(output.pointer)
    try table.entries.withUnsafeBufferPointer { entries in
      arguments.table = entries.baseAddress
      try run(arguments, execution)
    }
    return output
  }

  /// The int32 accumulators themselves: [T, rows].
  public func accumulators(_ input: Input, on execution: IntegerExecution = .kernels) throws
    -> NDArray<Int32>
  {
    var arguments = try arguments(input, QK_OUTPUT_ACCUMULATOR)
    defer { withExtendedLifetime((input, prepared)) {} }
    let output = NDArray<Int32>(uninitialized: [Int(arguments.tokens), rows])
    arguments.output = UnsafeMutableRawPointer(output.pointer)
    try run(arguments, execution)
    return output
  }

  /// int32 codes clamp(requantised): [T, rows].
  public func wideCodes(_ input: Input, on execution: IntegerExecution = .kernels) throws -> NDArray<Int32> {
    var arguments = try arguments(input, QK_OUTPUT_INT32)
    defer { withExtendedLifetime((input, prepared)) {} }
    let output = NDArray<Int32>(uninitialized: [Int(arguments.tokens), rows])
    arguments.lo = Int32.min
    arguments.hi = Int32.max
    arguments.output = UnsafeMutableRawPointer(output.pointer)
    try run(arguments, execution)
    return output
  }

  /// sat16(residual + clamp16(requantised)): [T, rows].
  public func residualCodes(
    _ input: Input, residual: NDArray<Int16>, on execution: IntegerExecution = .kernels
  ) throws -> NDArray<Int16> {
    var arguments = try arguments(input, QK_OUTPUT_RESIDUAL)
    defer { withExtendedLifetime((input, prepared)) {} }
    guard residual.count == Int(arguments.tokens) * rows else {
      throw QuasarError(.badData, "\(name): residual stream \(residual.shape) for \(arguments.tokens) tokens")
    }
    let output = NDArray<Int16>(uninitialized: [Int(arguments.tokens), rows])
    arguments.residual = UnsafePointer(residual.pointer)
    arguments.residual_stride = rows
    arguments.output = UnsafeMutableRawPointer(output.pointer)
    try run(arguments, execution)
    return output
  }
}
