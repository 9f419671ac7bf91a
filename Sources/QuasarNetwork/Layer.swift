import QuasarArithmetic

/// Width and sign of the codes that one layer hands to the next.
public struct CodeFormat: Hashable, Sendable {
  public var bits: Int
  public var isSigned: Bool

  /// u8 pixels.
  public static let pixels = CodeFormat.unsigned(8)
  /// The int16 residual stream.
  public static let residual = CodeFormat(bits: 16, isSigned: true)
  /// int32 logit codes.
  public static let logits = CodeFormat(bits: 32, isSigned: true)

  /// −(2^(bits−1) − 1)…2^(bits−1) − 1
  public static func signed(_ bits: Int) -> CodeFormat { CodeFormat(bits: bits, isSigned: true) }
  /// 0…2^bits − 1
  public static func unsigned(_ bits: Int) -> CodeFormat { CodeFormat(bits: bits, isSigned: false) }

  /// The codes that an operand of a product can take. Example: 6 bits, signed → −31…31.
  public var operandRange: OperandRange {
    isSigned ? .signed(bits: bits, narrow: true) : .unsigned(bits: bits)
  }
}

/// One layer of a network: what one unit of the engine computes in one pass.
///
/// The GELU table and the sum with the residual stream are not layers. They happen where a linear layer's sums become
/// codes (`Linear.Finish`), in the kernels and on the FPGA alike.
public struct Layer: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    case linear(Linear)
    case norm
    case attention(Attention)
  }

  /// Y = X·Wᵀ + b over the tokens of an image.
  public struct Linear: Hashable, Sendable {
    /// Rows of W: the number of outputs per token.
    public var rows: Int { parts * groups * groupRows }
    /// Columns of W: the number of inputs per token.
    public var depth: Int
    /// Sections of the rows whose codes have their own step: 3 (q, k and v) or 1.
    public var parts: Int
    /// Groups of rows in each part that hold the same number of 8-bit rows: the heads of qkv, otherwise 1.
    public var groups: Int
    public var groupRows: Int
    /// 8-bit rows in each group; the other rows have 4 bits.
    public var groupRows8: Int
    public var finish: Finish

    public init(depth: Int, parts: Int, groups: Int, groupRows: Int, groupRows8: Int, finish: Finish) {
      self.depth = depth
      self.parts = parts
      self.groups = groups
      self.groupRows = groupRows
      self.groupRows8 = groupRows8
      self.finish = finish
    }

    /// Rows with 8-bit weights.
    public var rows8: Int { parts * groups * groupRows8 }
    /// depth·(8·rows8 + 4·(rows − rows8)): bits of all weight codes.
    public var weightBits: Int { depth * (8 * rows8 + 4 * (rows - rows8)) }
  }

  /// How the sums of a linear layer become its output.
  public enum Finish: Hashable, Sendable {
    /// Requantised codes.
    case codes
    /// Requantised to signed 8-bit codes, which index a table of 256 entries.
    case table
    /// Requantised and added to the residual stream.
    case residual
    /// Requantised and added to the position codes; the class token goes in front.
    case embedding
    /// Requantised to int32, one step for all rows.
    case logits
  }

  /// Softmax attention of every head over the tokens of an image; its input holds q, k and v of all heads.
  public struct Attention: Hashable, Sendable {
    public var heads: Int
    public var headDimension: Int
  }

  public let id: LayerID
  public let kind: Kind
  /// The layer whose output is the operand; nil for the pixels of the image.
  public let input: LayerID?
  /// The layer whose output is added to the sums.
  public let residual: LayerID?
  /// Number of the residual branch that ends here: 2·block for attention, 2·block + 1 for the MLP.
  public let branch: Int?
  /// Rows that the layer reads per image: all tokens, the patches, or the class token alone.
  public let tokens: Int
  /// Width of the output.
  public let width: Int
  public let inputCodes: CodeFormat
  public let outputCodes: CodeFormat

  public var linear: Linear? {
    if case .linear(let linear) = kind { return linear }
    return nil
  }

  public var attention: Attention? {
    if case .attention(let attention) = kind { return attention }
    return nil
  }
}
