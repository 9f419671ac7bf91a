import QuasarArithmetic
import QuasarTensor

/// The patch embedding in integers, with the embedding codes that are added to its output.
public struct IntegerEmbedding {
  public var linear: IntegerLinear
  /// [tokens, width]: class token and position, see `embeddingCodes`.
  public var codes: [Int16]
  public var tokens: Int

  public init(linear: IntegerLinear, codes: [Int16], tokens: Int) throws {
    guard codes.count == tokens * linear.rows else {
      throw QuasarError(
        .badData, "embedding: \(codes.count) codes for \(tokens) tokens of width \(linear.rows)")
    }
    self.linear = linear
    self.codes = codes
    self.tokens = tokens
  }

  /// The residual stream [batch·tokens, width]: the class row, then sat16(position code + requantised patch).
  public func tokens(
    _ patches: IntegerLinear.Input, batch: Int, on execution: IntegerExecution = .kernels
  ) throws -> NDArray<Int16> {
    let width = linear.rows
    let patchCodes = NDArray<Int16>(uninitialized: [batch * (tokens - 1), width])
    let stream = NDArray<Int16>(uninitialized: [batch * tokens, width])
    codes.withUnsafeBufferPointer { codes in
      guard let base = codes.baseAddress else { return }
      for b in 0..<batch {
        (stream.pointer + b * tokens * width).update(from: base, count: width)
        (patchCodes.pointer + b * (tokens - 1) * width).update(
          from: base + width, count: (tokens - 1) * width)
      }
    }
    let embedded = try linear.residualCodes(patches, residual: patchCodes, on: execution)
    for b in 0..<batch {
      (stream.pointer + (b * tokens + 1) * width)
        .update(from: embedded.pointer + b * (tokens - 1) * width, count: (tokens - 1) * width)
    }
    return stream
  }
}

/// Class token and position embedding as int16 codes of the residual stream: [tokens, width].
///
/// Row 0 is round((cls + position₀)/step), row t is round(position_t/step), saturated to int16.
public func embeddingCodes(cls: [Float], position: [Float], step: Float) -> [Int16] {
  let width = cls.count
  return position.indices.map { i in
    let value = Double(position[i]) + (i < width ? Double(cls[i]) : 0)
    return Int16(min(max((value / Double(step)).rounded(), -32768), 32767))
  }
}
