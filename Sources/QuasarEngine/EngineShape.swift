import QuasarArithmetic
import QuasarTensor

/// The parameters of one engine: the size of its array, its lanes, and the largest network that it serves.
///
/// The names are those of the RTL's parameters. Powers of two stand where an address would otherwise need a division;
/// `tokens` is free. Article Engine.
public struct EngineShape: Codable, Hashable, Sendable {
  public var generation: DSPGeneration
  /// DSPs along the output rows, a power of two. Every DSP takes two weights, so a tile has 2·rows rows.
  public var rows: Int
  /// DSPs along the inputs, a power of two.
  public var inputs: Int
  /// DSPs along the tokens.
  public var tokens: Int
  /// DSPs whose products meet in one sum before they are decoded; divides `inputs`.
  public var cascade: Int
  /// True if 4-bit rows run two by two: two weights and two inputs per DSP, inputs of at most 6 bits.
  public var hasBlocks = false
  /// Register levels between the edge and the array.
  public var broadcast = 1
  /// Outputs requantised per cycle; divides `tokens`.
  public var drain = 1
  /// Scores per softmax unit and cycle, with two units; divides `tokens`, at most `inputs`.
  public var softmax = 1
  /// LayerNorm channels per cycle; divides `inputs`.
  public var norm = 1
  /// Bits of a word of the program stream, a power of two in 64…512.
  public var streamBits = 64
  public var limits: EngineLimits

  /// An array of rows × inputs × tokens DSPs with cascades as long as the generation allows; everything else has a
  /// default and is set afterwards.
  public init(generation: DSPGeneration, rows: Int, inputs: Int, tokens: Int, limits: EngineLimits) {
    self.generation = generation
    self.rows = rows
    self.inputs = inputs
    self.tokens = tokens
    cascade = min(inputs, generation == .e2 ? 4 : 2)
    self.limits = limits
  }

  /// rows·inputs·tokens: DSPs of the array.
  public var arrayDSP: Int { rows * inputs * tokens }
  /// 2·rows: output rows of a tile.
  public var tileRows: Int { 2 * rows }
  /// Tokens of a tile: `tokens` in the pair shape, twice as many in the block shape.
  public func tileTokens(isBlock: Bool) -> Int { isBlock ? 2 * tokens : tokens }
  /// Tokens of a word of the operand memories.
  public var wordTokens: Int { tileTokens(isBlock: hasBlocks) }
  /// Distance of the two lanes of a DSP in the pair shape.
  public var pairPitch: Int { generation == .e2 ? 18 : 17 }
  /// Distance of the four lanes in the block shape; 0 without it.
  public var blockPitch: Int { !hasBlocks ? 0 : generation == .e2 ? 11 : 10 }
  /// Row tiles of queries in one word of the query memory: the smallest power of two that holds `drain` queries.
  public var queryTiles: Int { powerOfTwo(atLeast: ceilDivide(drain, tileRows)) }
  /// Bytes in a word of the program stream.
  public var streamBytes: Int { streamBits / 8 }

  /// Throws `badData` naming the parameter that cannot work, and what to change.
  public func validate() throws {
    func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
      guard condition else { throw QuasarError(.badData, "engine: \(message())") }
    }
    for (name, value) in [
      ("rows", rows), ("inputs", inputs), ("tokens", tokens), ("cascade", cascade), ("drain", drain),
      ("softmax", softmax), ("norm", norm),
    ] {
      try require(value >= 1, "\(name) is \(value): it must be at least 1")
    }
    for (name, value) in [("rows", rows), ("inputs", inputs), ("streamBits", streamBits)] {
      try require(value.nonzeroBitCount == 1, "\(name) is \(value): choose a power of two")
    }
    try require((64...512).contains(streamBits), "streamBits is \(streamBits): choose 64, 128, 256 or 512")
    try require(inputs % cascade == 0, "cascade \(cascade) does not divide inputs \(inputs)")
    try require(tokens % drain == 0, "drain \(drain) does not divide tokens \(tokens)")
    try require(drain <= inputs, "drain \(drain) is more than inputs \(inputs)")
    try require(tokens % softmax == 0, "softmax \(softmax) does not divide tokens \(tokens)")
    try require(softmax <= inputs, "softmax \(softmax) is more than inputs \(inputs)")
    try require(inputs % norm == 0, "norm \(norm) does not divide inputs \(inputs)")
    try require((0...4).contains(broadcast), "broadcast is \(broadcast): choose 0 to 4")
    let most = longestCascade
    try require(
      cascade <= most,
      "cascade \(cascade): sums of more than \(most) products of the DSP48\(generation.rawValue) leave their lanes")
  }

  /// Bits of the accumulators, signed: what the largest sum of the limits needs.
  public var sumBits: Int {
    let product = 127 * 128
    let probability = ((1 << limits.activationBits) - 1) * ((1 << (limits.activationBits - 1)) - 1)
    let largest = max(max(limits.inputs, limits.hidden) * product, limits.tokens * probability)
    return Int.bitWidth - largest.leadingZeroBitCount + 1
  }

  /// Bits of a sum with its bias, signed: the width of the pre-adder where one DSP multiplies it, 32 where two do.
  ///
  /// Biases are known with the weights only; the compiler refuses a program whose sums need more.
  public var laneSumBits: Int { sumBits < generation.preAdderBits ? generation.preAdderBits : 32 }

  /// The longest sum of products that stays inside its lane in every shape.
  public var longestCascade: Int {
    // Products of each shape at their largest, and the largest sum of a lane: 2^(pitch − 1) − 1.
    let pair = (1 << (pairPitch - 1)) - 1
    // Softmax codes are the only unsigned inputs; every other 8-bit input is at least −128.
    let probability = ((1 << limits.activationBits) - 1) * ((1 << (limits.activationBits - 1)) - 1)
    var longest = min(pair / (127 * 128), pair / probability)
    if hasBlocks { longest = min(longest, ((1 << (blockPitch - 1)) - 1) / (7 << (limits.activationBits - 1))) }
    return longest
  }
}

/// The largest network that an engine serves.
public struct EngineLimits: Codable, Hashable, Sendable {
  /// Bits of the activation codes.
  public var activationBits: Int
  public var tokens: Int
  /// Width of the residual stream.
  public var width: Int
  /// The largest number of inputs of a linear layer that reads the first, and of one that reads the second operand
  /// memory.
  public var inputs: Int
  public var hidden: Int
  /// Heads, and channels of q, k or v over all heads.
  public var heads: Int
  public var attentionWidth: Int
  public var classes: Int

  /// The larger of both, limit by limit.
  public func union(_ other: EngineLimits) -> EngineLimits {
    EngineLimits(
      activationBits: max(activationBits, other.activationBits), tokens: max(tokens, other.tokens),
      width: max(width, other.width), inputs: max(inputs, other.inputs), hidden: max(hidden, other.hidden),
      heads: max(heads, other.heads), attentionWidth: max(attentionWidth, other.attentionWidth),
      classes: max(classes, other.classes))
  }
}

/// The smallest power of two that is at least `value`.
func powerOfTwo(atLeast value: Int) -> Int {
  var power = 1
  while power < value { power *= 2 }
  return power
}
