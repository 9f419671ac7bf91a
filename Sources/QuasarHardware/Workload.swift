import QuasarSupernet
import QuasarTensor

/// One piece of work of an image: a matrix product on the array or a function on the vector units.
///
/// Products: Y[tokens × rows] = X[tokens × inputs] · W[rows × inputs]ᵀ, `batch` times (once per head in
/// attention). Layer normalisation: `tokens` vectors of `inputs` elements. Softmax: `batch` · `tokens` rows
/// of `rows` scores.
public struct Workload: Hashable, Sendable {
  public enum Kind: String, Codable, Hashable, Sendable {
    case patchEmbedding, layerNorm, qkv, scores, softmax, context, projection, expand, contract, head

    /// True for matrix products.
    public var isProduct: Bool { self != .layerNorm && self != .softmax }
    /// True for products whose second operand is an activation too.
    public var isAttention: Bool { self == .scores || self == .context }
    /// True for products whose outputs are added to the residual stream.
    public var addsToResidual: Bool { self == .projection || self == .contract }
  }

  public var name: String
  public var kind: Kind
  public var batch: Int
  public var tokens: Int
  /// K: products per output.
  public var inputs: Int
  /// Output rows with 4-bit and 8-bit weights; attention counts its rows as `rows8`.
  public var rows4: Int
  public var rows8: Int
  /// Bits of the input codes; 8 for patch embedding and head.
  public var inputBits: Int
  /// True for pixels, GELU outputs and softmax codes.
  public var inputUnsigned: Bool
  /// Bits of the output codes; 16 into the residual stream, 32 for logits.
  public var outputBits: Int

  /// rows4 + rows8
  public var rows: Int { rows4 + rows8 }
  /// batch·tokens·inputs·rows of a product, 0 otherwise.
  public var multiplyAccumulates: Int { kind.isProduct ? batch * tokens * inputs * rows : 0 }
}

/// The work of one image as the hardware model reads it, with the sizes that buffers depend on.
public struct NetworkWork: Sendable {
  public var workloads: [Workload]
  public var geometry: ImageGeometry
  public var embedDimension: Int
  public var activationBits: Int
  public var depth: Int
  /// Largest heads·headDimension of the blocks.
  public var attentionWidth: Int
  /// Largest hidden width of the blocks.
  public var hiddenWidth: Int
  public var largestInputs: Int
  public var weightRows: Int
  /// Bits of all weight codes, first and last matrix included.
  public var weightBits: Int

  /// The workloads of an architecture in the order of execution.
  ///
  /// Per block: norm1, qkv, scores, softmax, context, projection, norm2, expand (with the GELU table at its
  /// output), contract; before them the patch embedding, after them the final norm and the head, both on the
  /// class token only. Throws `QuasarError` for shapes that no engine can run.
  public init(_ architecture: Architecture) throws {
    try Self.check(architecture)
    let geometry = architecture.geometry
    let tokens = geometry.tokens
    let bits = architecture.activationBits
    let width = architecture.embedDimension
    self.geometry = geometry
    embedDimension = width
    activationBits = bits
    depth = architecture.depth
    attentionWidth = architecture.blocks.indices.map { architecture.attentionWidth($0) }.max() ?? 0
    hiddenWidth = architecture.blocks.indices.map { architecture.hiddenWidth($0) }.max() ?? 0
    largestInputs = max(geometry.patchInputs, width, attentionWidth, hiddenWidth)
    weightRows = 0
    weightBits = 0
    workloads = []
    workloads.reserveCapacity(2 + 9 * architecture.depth + 1)

    func norm(_ name: String, tokens: Int, outputBits: Int) -> Workload {
      Workload(
        name: name, kind: .layerNorm, batch: 1, tokens: tokens, inputs: width, rows4: 0, rows8: 0,
        inputBits: 16, inputUnsigned: false, outputBits: outputBits)
    }
    for matrix in architecture.weightMatrices {
      weightRows += matrix.rows
      weightBits += matrix.weightBits
      var product = Workload(
        name: matrix.name, kind: .qkv, batch: 1, tokens: tokens, inputs: matrix.depth,
        rows4: matrix.rows - matrix.rows8, rows8: matrix.rows8, inputBits: bits, inputUnsigned: false,
        outputBits: bits)
      let prefix = matrix.block.map { "blocks.\($0)." } ?? ""
      switch matrix.kind {
      case .patchEmbedding:
        product.kind = .patchEmbedding
        product.tokens = geometry.patches
        product.inputBits = 8
        product.inputUnsigned = true
        product.outputBits = 16
        workloads.append(product)
      case .qkv:
        workloads += [norm(prefix + "norm1", tokens: tokens, outputBits: bits), product]
        workloads += Self.attention(architecture, block: matrix.block ?? 0, prefix: prefix)
      case .projection:
        product.kind = .projection
        product.outputBits = 16
        workloads.append(product)
      case .expand:
        product.kind = .expand
        workloads += [norm(prefix + "norm2", tokens: tokens, outputBits: bits), product]
      case .contract:
        product.kind = .contract
        product.inputUnsigned = true
        product.outputBits = 16
        workloads.append(product)
      case .head:
        product.kind = .head
        product.tokens = 1
        product.inputBits = 8
        product.outputBits = 32
        workloads += [norm("norm", tokens: 1, outputBits: 8), product]
      }
    }
  }

  private static func attention(_ architecture: Architecture, block: Int, prefix: String) -> [Workload] {
    let heads = architecture.blocks[block].heads
    let tokens = architecture.geometry.tokens
    let headWidth = architecture.geometry.headDimension
    let bits = architecture.activationBits
    let scores = Workload(
      name: prefix + "scores", kind: .scores, batch: heads, tokens: tokens, inputs: headWidth, rows4: 0,
      rows8: tokens, inputBits: bits, inputUnsigned: false, outputBits: 32)
    let softmax = Workload(
      name: prefix + "softmax", kind: .softmax, batch: heads, tokens: tokens, inputs: headWidth, rows4: 0,
      rows8: tokens, inputBits: 32, inputUnsigned: false, outputBits: bits)
    let context = Workload(
      name: prefix + "context", kind: .context, batch: heads, tokens: tokens, inputs: tokens, rows4: 0,
      rows8: headWidth, inputBits: bits, inputUnsigned: true, outputBits: bits)
    return [scores, softmax, context]
  }

  /// The distinct workloads (names ignored) and how often each occurs, in order of first occurrence.
  public func distinct() -> [(workload: Workload, count: Int)] {
    var groups: [(workload: Workload, count: Int)] = []
    var places: [Workload: Int] = [:]
    for workload in workloads {
      var plain = workload
      plain.name = ""
      if let place = places[plain] {
        groups[place].count += 1
      } else {
        places[plain] = groups.count
        groups.append((plain, 1))
      }
    }
    return groups
  }

  private static func check(_ architecture: Architecture) throws {
    let geometry = architecture.geometry
    guard geometry.imageSize > 0, geometry.patchSize > 0, geometry.channels > 0, geometry.classes > 0,
      geometry.headDimension > 0, architecture.embedDimension > 0,
      geometry.imageSize % geometry.patchSize == 0
    else {
      throw QuasarError(
        .badData,
        "architecture: image \(geometry.imageSize), patch \(geometry.patchSize), width"
          + " \(architecture.embedDimension): all sizes must be positive and the patch must divide the image")
    }
    guard [4, 6, 8].contains(architecture.activationBits) else {
      throw QuasarError(
        .badData, "architecture: activation bits \(architecture.activationBits): use 8 or 6 (4 is allowed)")
    }
    guard architecture.depth > 0 else {
      throw QuasarError(.badData, "architecture: no blocks: give it at least one")
    }
    for (index, block) in architecture.blocks.enumerated() where block.heads <= 0 || block.mlpRatio <= 0 {
      throw QuasarError(
        .badData,
        "architecture: block \(index) has \(block.heads) heads and MLP ratio \(block.mlpRatio):"
          + " both must be positive"
      )
    }
  }
}
