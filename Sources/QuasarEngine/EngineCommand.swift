import QuasarArithmetic
import QuasarNetwork
import QuasarTensor

/// One command of an engine's program: what the sequencer runs from one start to one end.
///
/// A program is a list of these with the payloads that they need (weights, parameters, tables). Everything the cycle
/// model needs is here; payloads come from a trained model. Binary form: `words`.
public struct EngineCommand: Hashable, Sendable {
  public enum Operation: Hashable, Sendable {
    case gemm(GEMM)
    case norm(Norm)
    case attention(Attention)
    /// The logits leave; the image is done.
    case end
  }

  /// The layer that the command computes; nil for `end`.
  public let layer: LayerID?
  public let operation: Operation

  /// Outputs = weights·inputs over tokens: row tiles outside, token tiles inside.
  public struct GEMM: Hashable, Sendable {
    public var tokens: Int
    /// ⌈K/inputs⌉
    public var steps: Int
    /// True if the inputs are pixels or hidden codes, in the second operand memory.
    public var readsHidden: Bool
    /// Steps from word to word of the memory that is read, and of the one that is written.
    public var sourceStride: Int
    public var targetStride: Int
    public var target: Target
    public var form: Form
    /// Limits of the codes.
    public var range: CodeRange
    /// Bits of the output codes, for codes that are offset to become signed.
    public var codeBits: Int
    public var offsetsCodes: Bool
    /// Steps of the key axis, for values; else 0.
    public var keySteps: Int
    public var tiles: [RowTile]
  }

  /// Rows that the array computes at once.
  public struct RowTile: Hashable, Sendable {
    /// Two by two: 4-bit rows.
    public var isBlock: Bool
    /// 1…2·rows
    public var rows: Int
  }

  /// Where the outputs of a GEMM go; the raw value is that of the binary form.
  public enum Target: Int, Sendable {
    case operand = 0
    case hidden = 1
    /// Queries, keys or values: each row says which.
    case attention = 2
    case residual = 3
    case logits = 4
  }

  /// Which memory a row of an attention target goes to; the raw value is that of a row's entry.
  public enum RowKind: Int, Sendable {
    case direct = 0
    case query = 1
    case key = 2
    case value = 3
  }

  /// How sums become outputs; the raw value is that of the lanes.
  public enum Form: Int, Sendable {
    case codes = 0
    case table = 1
    case residual = 2
    case logits = 3
  }

  /// Residual stream → operand memory.
  public struct Norm: Hashable, Sendable {
    public var firstToken: Int
    public var tokens: Int
    public var width: Int
    public var targetStride: Int
  }

  /// All heads of an image.
  public struct Attention: Hashable, Sendable {
    public var tokens: Int
    public var heads: Int
    public var headChannels: Int
    /// ⌈headChannels/inputs⌉
    public var headSteps: Int
    public var targetStride: Int
    public var activationBits: Int
  }
}

extension EngineCommand.GEMM {
  /// Token tiles of a shape.
  func tokenTiles(_ shape: EngineShape, isBlock: Bool) -> Int {
    ceilDivide(tokens, shape.tileTokens(isBlock: isBlock))
  }

  /// q of token tile j of a row tile: rows·⌈tokens of the tile/drain⌉.
  func beats(_ tile: EngineCommand.RowTile, tokenTile j: Int, _ shape: EngineShape) -> Int {
    let whole = shape.tileTokens(isBlock: tile.isBlock)
    return tile.rows * ceilDivide(min(whole, tokens - j * whole), shape.drain)
  }
}

extension EngineCommand.Attention {
  /// Query blocks and key tiles of a head.
  func blocks(_ shape: EngineShape) -> Int { ceilDivide(tokens, shape.tokens) }
  /// Steps of a context.
  func keySteps(_ shape: EngineShape) -> Int { ceilDivide(tokens, shape.inputs) }
  /// Channel tiles of a head.
  func channelTiles(_ shape: EngineShape) -> Int { ceilDivide(headChannels, shape.tileRows) }
  /// Tokens of block u of a head.
  func tokens(ofBlock u: Int, _ shape: EngineShape) -> Int { min(shape.tokens, tokens - u * shape.tokens) }
}
