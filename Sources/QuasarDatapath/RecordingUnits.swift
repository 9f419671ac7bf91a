import CKernels
import QuasarArithmetic
import QuasarInterchange
import QuasarTensor

/// Units that run a network on other units and keep the input, inner integers and output of every layer.
///
/// Inner integers come from the scalar functions of CKernels, accumulators from the wrapped units themselves. Every
/// output is checked against them: a layer whose units violate the arithmetic contract throws with its name.
public final class RecordingUnits: IntegerUnits {
  /// Codes of one tensor of one layer, in the order of the images.
  struct Codes {
    var elementType: ElementType
    var bytes: [UInt8] = []
  }

  private let units: any IntegerUnits
  private let layers: Set<String>?
  private var recorded: [String: [VectorRole: Codes]] = [:]

  /// Records `layers` by name, or all.
  public init(_ units: any IntegerUnits, layers: Set<String>? = nil) {
    self.units = units
    self.layers = layers
  }

  /// The codes of a layer that has run; the caller knows their shape.
  func codes(_ role: VectorRole, of layer: String) throws -> Codes {
    guard let codes = recorded[layer]?[role] else {
      throw QuasarError(.internal, "\(layer): no \(role.rawValue) was recorded")
    }
    return codes
  }

  func append<Element: TensorElement>(_ values: [Element], _ role: VectorRole, _ layer: String) {
    let bytes = values.withUnsafeBytes { Array($0) }
    recorded[layer, default: [:]][role, default: Codes(elementType: Element.elementType)].bytes += bytes
  }

  private func records(_ layer: String) -> Bool { layers?.contains(layer) ?? true }

  public func linear(_ layer: IntegerLinear, _ arguments: inout qk_gemm_arguments, images: Int) throws {
    guard records(layer.name) else { return try units.linear(layer, &arguments, images: images) }
    let tokens = Int(arguments.tokens)
    // Copied first, because the output may overwrite the residual.
    let residual = arguments.residual.map { rows($0, tokens, layer.rows, arguments.residual_stride) } ?? []
    try units.linear(layer, &arguments, images: images)

    let accumulators = NDArray<Int32>(uninitialized: [tokens, layer.rows])
    var plain = arguments
    plain.form = QK_OUTPUT_ACCUMULATOR
    plain.output = UnsafeMutableRawPointer(accumulators.pointer)
    plain.output_stride = layer.rows
    try units.linear(layer, &plain, images: images)
    let sums = accumulators.scalars
    append(sums, .accumulator, layer.name)

    if arguments.activations_unsigned == 1 {
      let input = arguments.activations.assumingMemoryBound(to: UInt8.self)
      append(rows(input, tokens, layer.depth, arguments.activation_stride), .input, layer.name)
    } else {
      let input = arguments.activations.assumingMemoryBound(to: Int8.self)
      append(rows(input, tokens, layer.depth, arguments.activation_stride), .input, layer.name)
    }
    try recordOutput(of: layer, arguments, sums, residual)
  }

  private func recordOutput(
    of layer: IntegerLinear, _ arguments: qk_gemm_arguments, _ sums: [Int32], _ residual: [Int16]
  ) throws {
    let isResidual = arguments.form == QK_OUTPUT_RESIDUAL
    let low = isResidual ? CodeRange.residual.low : arguments.lo
    let high = isResidual ? CodeRange.residual.high : arguments.hi
    let codes = sums.indices.map { qk_requantise(sums[$0], layer.requantisers[$0 % layer.rows], low, high) }
    func output<Element: TensorElement & BinaryInteger>(_ type: Element.Type, _ expected: [Int32]) throws {
      let base = UnsafePointer(arguments.output.assumingMemoryBound(to: type))
      let values = rows(base, Int(arguments.tokens), layer.rows, arguments.output_stride)
      try check(zip(values, expected).allSatisfy { Int32($0) == $1 }, layer.name)
      append(values, .output, layer.name)
    }
    switch arguments.form {
    case QK_OUTPUT_INT8: try output(Int8.self, codes)
    case QK_OUTPUT_INT32: try output(Int32.self, codes)
    case QK_OUTPUT_RESIDUAL:
      append(residual, .residual, layer.name)
      try output(Int16.self, zip(codes, residual).map { min(max($0 + Int32($1), -32768), 32767) })
    case QK_OUTPUT_TABLE:
      guard let table = arguments.table else { throw QuasarError(.internal, "\(layer.name): no table") }
      append(codes.map { Int8($0) }, .index, layer.name)
      try output(UInt8.self, codes.map { Int32(table[Int($0) + 128]) })
    default: try output(Int32.self, sums)
    }
  }

  public func attention(_ layer: IntegerAttention, _ arguments: inout qk_attention_arguments) throws {
    try units.attention(layer, &arguments)
    guard records(layer.name) else { return }
    let tokens = Int(arguments.batch * arguments.tokens)
    let width = layer.heads * layer.headDimension
    append(rows(arguments.qkv, tokens, 3 * width, 3 * width), .input, layer.name)
    let output = rows(UnsafePointer(arguments.output), tokens, width, width)
    append(output, .output, layer.name)
    try check(recordInside(of: layer, arguments, output), layer.name)
  }

  public func layerNorm(_ layer: IntegerLayerNorm, _ arguments: inout qk_layer_norm_arguments) throws {
    try units.layerNorm(layer, &arguments)
    guard records(layer.name) else { return }
    let count = Int(arguments.rows)
    append(rows(arguments.input, count, layer.width, arguments.input_stride), .input, layer.name)
    let output = rows(UnsafePointer(arguments.output), count, layer.width, arguments.output_stride)
    append(output, .output, layer.name)

    var statistics = [qk_row_statistics](repeating: qk_row_statistics(), count: count)
    try qk_layer_norm_statistics(&arguments, &statistics).check("\(layer.name): statistics of its rows")
    append(statistics.map { Int16($0.mean) }, .mean, layer.name)
    append(statistics.map { $0.variance }, .variance, layer.name)
    append(statistics.map { Int32($0.deviation) }, .deviation, layer.name)
    append(statistics.map { $0.inverse }, .inverse, layer.name)

    let definition = NDArray<Int8>(uninitialized: [count, layer.width])
    var plain = arguments
    plain.output = definition.pointer
    plain.output_stride = layer.width
    try qk_layer_norm_reference(&plain).check("\(layer.name): LayerNorm")
    try check(definition.scalars == output, layer.name)
  }

  private func check(_ isEqual: Bool, _ layer: String) throws {
    guard isEqual else {
      throw QuasarError(
        .usage,
        "\(layer): the units give other codes than the arithmetic contract, so their inner integers are not known; "
          + "record exact units")
    }
  }

  /// `count` rows of `width` values; rows begin `stride` values apart.
  private func rows<Element>(_ base: UnsafePointer<Element>, _ count: Int, _ width: Int, _ stride: Int) -> [Element] {
    var values: [Element] = []
    values.reserveCapacity(count * width)
    for row in 0..<count { values += UnsafeBufferPointer(start: base + row * stride, count: width) }
    return values
  }
}
