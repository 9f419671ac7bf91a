import CKernels
import QuasarTensor

/// Index of a node on its tape.
typealias NodeIndex = Int

/// Every differentiable operation. Closed: a new case does not compile until its gradient is written.
///
/// Cases hold the inputs and what the backward pass needs beside the values of inputs and output.
enum Operation {
  /// Data; no gradient.
  case constant
  /// The whole of a parameter.
  case parameter(Parameter)
  /// A slice of a parameter, quantised row by row where asked.
  case weightSlice(WeightSlice)

  case product(a: NodeIndex, b: NodeIndex, transposeA: Bool, transposeB: Bool)
  case linear(x: NodeIndex, weight: NodeIndex, bias: NodeIndex?)

  case add(NodeIndex, NodeIndex)
  case subtract(NodeIndex, NodeIndex)
  case multiply(NodeIndex, NodeIndex)
  case scale(NodeIndex, factor: Float)
  case addRow(x: NodeIndex, row: NodeIndex)
  case multiplyRow(x: NodeIndex, row: NodeIndex)
  case gelu(NodeIndex)

  case sum(NodeIndex)
  case columnSums(NodeIndex)

  case reshape(NodeIndex)
  case gatherRows(x: NodeIndex, index: [Int32])

  case layerNorm(x: NodeIndex, weight: NodeIndex, bias: NodeIndex, statistics: Tensor)
  case softmax(NodeIndex)
  case crossEntropy(logits: NodeIndex, targets: Tensor, probabilities: Tensor)

  case embed(patches: NodeIndex, cls: NodeIndex, position: NodeIndex)
  case residual(x: NodeIndex, branch: NodeIndex, gain: NodeIndex, keep: Tensor?)
  case attention(qkv: NodeIndex, shape: AttentionShape, probabilities: Tensor)

  case quantize(x: NodeIndex, scales: NodeIndex, low: Float, high: Float)
  /// Another value in the forward pass, the identity in the backward pass.
  case straightThrough(NodeIndex)

  /// A whole transformer block on integer products.
  case trainingBlock(x: NodeIndex, BlockActivations)
  /// The patch embedding on integer products.
  case trainingPatches(PatchesNode)

  /// The parameters whose gradients the operation adds to itself.
  var parameters: [Parameter] {
    switch self {
    case .parameter(let parameter): return [parameter]
    case .weightSlice(let slice): return slice.parameters
    case .trainingBlock(_, let activations): return activations.block.parameters
    case .trainingPatches(let node): return node.parameters
    default: return []
    }
  }
}

/// Sizes of one attention call.
public struct AttentionShape: Sendable, Equatable {
  public var batch: Int
  public var tokens: Int
  public var heads: Int
  public var headDimension: Int

  public init(batch: Int, tokens: Int, heads: Int, headDimension: Int) {
    self.batch = batch
    self.tokens = tokens
    self.heads = heads
    self.headDimension = headDimension
  }

  /// 1/√headDimension
  public var scoreScale: Float { 1 / Float(headDimension).squareRoot() }
}

/// How the two precisions of a row share one latent weight.
public enum Entanglement: String, Codable, CaseIterable, Sendable {
  /// E1: both precisions quantise the same latent row, each with a learned step of its own.
  case independentSteps = "independent-steps"
  /// E2: one learned step a row; the 4-bit step is 16 times the 8-bit step.
  case tiedSteps = "tied-steps"
  /// E3: as E2, and the 4-bit code is the 8-bit code rounded to its upper four bits, clamp((q8 + 8) >> 4, −7, 7).
  case nestedCodes = "nested-codes"

  public var sharing: qk_sharing {
    switch self {
    case .independentSteps: return QK_SHARING_INDEPENDENT
    case .tiedSteps: return QK_SHARING_TIED
    case .nestedCodes: return QK_SHARING_NESTED
    }
  }
}

/// Rows `rows` and the first `width` columns of a latent parameter, with a precision for each row.
///
/// bits[i] = 32: the latent values. 8 or 4: s·clamp(round(w/s), −Q, Q) with Q = 127 or 7 and s the row's
/// learned step for that precision, as `entanglement` says: every slice and both precisions read the same latent rows.
public struct WeightSlice {
  public var latent: Parameter
  public var scale4: Parameter?
  public var scale8: Parameter?
  public var entanglement = Entanglement.independentSteps
  public var rows: [Int32]
  public var width: Int
  public var bits: [UInt8]

  public init(
    latent: Parameter, scale4: Parameter? = nil, scale8: Parameter? = nil,
    entanglement: Entanglement = .independentSteps, rows: [Int32], width: Int, bits: [UInt8]
  ) {
    precondition(rows.count == bits.count, "\(rows.count) rows but \(bits.count) precisions")
    precondition(
      width <= latent.value.width, "width \(width) exceeds \(latent.value.width) of \(latent.name)")
    self.latent = latent
    self.scale4 = scale4
    self.scale8 = scale8
    self.entanglement = entanglement
    self.rows = rows
    self.width = width
    self.bits = bits
  }

  /// The first `count` entries of a vector parameter.
  public init(prefix count: Int, of vector: Parameter) {
    self.init(latent: vector, rows: [0], width: count, bits: [32])
  }

  /// Entries `rows` of a vector parameter.
  public init(entries rows: [Int32], of vector: Parameter) {
    // One column per row: a vector of n entries is read as a matrix [n, 1].
    self.init(latent: vector, rows: rows, asColumn: true)
  }

  private init(latent: Parameter, rows: [Int32], asColumn: Bool) {
    self.latent = latent
    self.rows = rows
    width = 1
    bits = Array(repeating: 32, count: rows.count)
    isColumn = asColumn
  }

  /// True where the slice is the latent parameter as it is stored, whatever its precisions.
  var isWhole: Bool {
    width == stride && rows.count * width == latent.value.count && rows.indices.allSatisfy { rows[$0] == $0 }
  }

  var isColumn = false
  /// Columns of the latent matrix as stored.
  var stride: Int { isColumn ? 1 : latent.value.width }
  /// Latent values and steps.
  var parameters: [Parameter] { [latent, scale4, scale8].compactMap { $0 } }
}
