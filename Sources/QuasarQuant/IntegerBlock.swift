import QuasarTensor

/// The integer layers of one transformer block, in the order of execution.
public struct IntegerBlock {
  public var norm1: IntegerLayerNorm
  public var qkv: IntegerLinear
  public var attention: IntegerAttention
  public var projection: IntegerLinear
  public var norm2: IntegerLayerNorm
  public var expand: IntegerLinear
  public var gelu: GELUTable
  public var contract: IntegerLinear

  public init(
    norm1: IntegerLayerNorm, qkv: IntegerLinear, attention: IntegerAttention, projection: IntegerLinear,
    norm2: IntegerLayerNorm, expand: IntegerLinear, gelu: GELUTable, contract: IntegerLinear
  ) {
    self.norm1 = norm1
    self.qkv = qkv
    self.attention = attention
    self.projection = projection
    self.norm2 = norm2
    self.expand = expand
    self.gelu = gelu
    self.contract = contract
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
