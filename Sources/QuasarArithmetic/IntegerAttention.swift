import CKernels
import Foundation
import QuasarTensor

/// Softmax attention on codes (see `qk_attention_arguments`).
public struct IntegerAttention {
  public let name: String
  public let heads: Int
  public let headDimension: Int
  public let activationBits: Int
  public let score: Requantiser
  public let output: Requantiser
  public let range: CodeRange
  public let exponentTable: [UInt16]

  /// A layer of finished integers, as read from a file.
  public init(
    name: String, heads: Int, headDimension: Int, activationBits: Int, score: Requantiser,
    output: Requantiser, exponentTable: [UInt16]
  ) throws {
    guard exponentTable.count == Int(QK_EXPONENT_TABLE_SIZE) else {
      throw QuasarError(
        .badData,
        "\(name): an exponent table has \(QK_EXPONENT_TABLE_SIZE) entries, not \(exponentTable.count)")
    }
    self.name = name
    self.heads = heads
    self.headDimension = headDimension
    self.activationBits = activationBits
    self.score = score
    self.output = output
    self.exponentTable = exponentTable
    range = .signedNarrow(bits: activationBits)
  }

  /// Folds real scales: score = s_q·s_k·log2(e)/√d·2^8 (distance to units of 2^−8), output = s_v·2^−8/s_out.
  public init(
    name: String, heads: Int, headDimension: Int, activationBits: Int, queryStep: Float, keyStep: Float,
    valueStep: Float, outputStep: Float
  ) throws {
    var table = [UInt16](repeating: 0, count: Int(QK_EXPONENT_TABLE_SIZE))
    try qk_exponent_table(Int32(activationBits), &table).check("\(name): exponent table")
    let log2e = 1.4426950408889634
    try self.init(
      name: name, heads: heads, headDimension: headDimension, activationBits: activationBits,
      score: Requantiser(
        factor: Double(queryStep) * Double(keyStep) * log2e / Double(headDimension).squareRoot() * 256,
        layer: "\(name) score"),
      output: Requantiser(factor: Double(valueStep) / 256 / Double(outputStep), layer: "\(name) output"),
      exponentTable: table)
  }

  /// Codes [batch·tokens, heads·headDimension] from q, k, v codes [batch·tokens, 3·heads·headDimension].
  public func codes(
    _ qkv: NDArray<Int8>, batch: Int, tokens: Int, on execution: IntegerExecution = .kernels
  ) throws -> NDArray<Int8> {
    let inner = heads * headDimension
    guard qkv.count == batch * tokens * 3 * inner else {
      throw QuasarError(
        .badData, "\(name): codes \(qkv.shape) for \(batch) × \(tokens) tokens of \(3 * inner)")
    }
    defer { withExtendedLifetime(qkv) {} }
    let result = NDArray<Int8>(uninitialized: [batch * tokens, inner])
    var arguments = qk_attention_arguments()
    arguments.batch = Int32(batch)
    arguments.tokens = Int32(tokens)
    arguments.heads = Int32(heads)
    arguments.head_dimension = Int32(headDimension)
    arguments.activation_bits = Int32(activationBits)
    arguments.qkv = UnsafePointer(qkv.pointer)
    arguments.score = score
    arguments.output_requantiser = output
    arguments.lo = range.low
    arguments.hi = range.high
    arguments.output = result.pointer
    try exponentTable.withUnsafeBufferPointer { table in
      arguments.exponent_table = table.baseAddress
      try execution.units.attention(self, &arguments)
    }
    return result
  }
}
