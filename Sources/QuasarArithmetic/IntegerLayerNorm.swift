import CKernels
import QuasarTensor

/// LayerNorm from the int16 residual stream to int8 codes (see `qk_layer_norm_arguments`).
public struct IntegerLayerNorm {
  public let name: String
  public let epsilonCode: Int64
  public let scales: [Requantiser]
  public let offsets: [Int64]
  public let range: CodeRange

  public var width: Int { scales.count }

  /// A layer of finished integers, as read from a file.
  public init(
    name: String, epsilonCode: Int64, scales: [Requantiser], offsets: [Int64], range: CodeRange
  ) throws {
    guard scales.count == offsets.count else {
      throw QuasarError(.badData, "\(name): \(scales.count) scales but \(offsets.count) offsets")
    }
    self.name = name
    self.epsilonCode = epsilonCode
    self.scales = scales
    self.offsets = offsets
    self.range = range
  }

  /// E = round(D·ε/s_r²); M_i·2^−S_i ≈ weight·√D/(2^30·s_y); B_i = round(bias/s_y·2^S_i).
  public init(
    name: String, weight: [Float], bias: [Float], epsilon: Double = 1e-5, residualStep: Float,
    outputStep: Float, range: CodeRange
  ) throws {
    let width = Double(weight.count)
    let code = (width * epsilon / (Double(residualStep) * Double(residualStep))).rounded()
    guard code < 0x1p40 else {
      throw QuasarError(
        .badData, "\(name): residual step \(residualStep) is too small for epsilon \(epsilon)")
    }
    var scales: [Requantiser] = []
    var offsets: [Int64] = []
    for (w, b) in zip(weight, bias) {
      let factor = Double(w) * width.squareRoot() / (0x1p30 * Double(outputStep))
      let requantiser = try Requantiser(factor: factor, layer: name)
      let offset =
        (Double(b) / Double(outputStep)
        * Double(sign: .plus, exponent: Int(requantiser.shift), significand: 1))
        .rounded()
      guard abs(offset) < 0x1p62 else {
        throw QuasarError(.badData, "\(name): bias \(b) is beyond the range of output step \(outputStep)")
      }
      scales.append(requantiser)
      offsets.append(Int64(offset))
    }
    try self.init(name: name, epsilonCode: Int64(code), scales: scales, offsets: offsets, range: range)
  }

  /// Codes [rows, width] of rows `stride` elements apart; nil for dense rows.
  public func codes(
    _ input: NDArray<Int16>, rows: Int? = nil, stride: Int? = nil, on execution: IntegerExecution = .kernels
  ) throws -> NDArray<Int8> {
    defer { withExtendedLifetime(input) {} }
    let rows = rows ?? input.count / max(1, width)
    let output = NDArray<Int8>(uninitialized: [rows, width])
    var arguments = qk_layer_norm_arguments()
    arguments.rows = Int32(rows)
    arguments.width = Int32(width)
    arguments.input = UnsafePointer(input.pointer)
    arguments.input_stride = stride ?? width
    guard rows == 0 || (rows - 1) * arguments.input_stride + width <= input.count else {
      throw QuasarError(.badData, "\(name): \(rows) rows of width \(width) do not fit \(input.shape)")
    }
    arguments.epsilon_code = epsilonCode
    arguments.lo = range.low
    arguments.hi = range.high
    arguments.output = output.pointer
    arguments.output_stride = width
    try scales.withUnsafeBufferPointer { scales in
      try offsets.withUnsafeBufferPointer { offsets in
        arguments.scales = scales.baseAddress
        arguments.offsets = offsets.baseAddress
        try execution.units.layerNorm(self, &arguments)
      }
    }
    return output
  }
}
