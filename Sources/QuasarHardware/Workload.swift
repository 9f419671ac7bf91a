import QuasarNetwork
import QuasarTensor

/// One piece of work of an image: a matrix product on the array or a function on the vector units.
///
/// Products: Y[tokens × rows] = X[tokens × inputs] · W[rows × inputs]ᵀ, `batch` times (once per head in
/// attention). Layer normalisation: `tokens` vectors of `inputs` elements. Softmax: `batch` · `tokens` rows
/// of `rows` scores.
public struct Workload: Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// A product with weights: the layer of that role.
    case linear(LayerID.Role)
    case layerNorm
    /// The three parts of an attention layer.
    case scores, softmax, context

    /// True for matrix products.
    public var isProduct: Bool { self != .layerNorm && self != .softmax }
    /// True for products whose second operand is an activation too.
    public var isAttention: Bool { self == .scores || self == .context }
  }

  public var name: String
  public var kind: Kind
  /// The step that turns the sums of a product with weights into codes; nil for everything else.
  public var finish: Layer.Finish?
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
  /// Bits of the output codes: 16 into the residual stream, 32 for logits.
  public var outputBits: Int

  /// rows4 + rows8
  public var rows: Int { rows4 + rows8 }
  /// batch·tokens·inputs·rows of a product, 0 otherwise.
  public var multiplyAccumulates: Int { kind.isProduct ? batch * tokens * inputs * rows : 0 }
}

extension Workload {
  /// The product of a linear layer.
  init(_ layer: Layer, _ linear: Layer.Linear) {
    self.init(
      name: layer.id.description, kind: .linear(layer.id.role), finish: linear.finish, batch: 1, tokens: layer.tokens,
      inputs: linear.depth, rows4: linear.rows - linear.rows8, rows8: linear.rows8, inputBits: layer.inputCodes.bits,
      inputUnsigned: !layer.inputCodes.isSigned, outputBits: layer.outputCodes.bits)
  }

  init(norm layer: Layer) {
    self.init(
      name: layer.id.description, kind: .layerNorm, batch: 1, tokens: layer.tokens, inputs: layer.width, rows4: 0,
      rows8: 0, inputBits: layer.inputCodes.bits, inputUnsigned: false, outputBits: layer.outputCodes.bits)
  }

  /// Per head: scores of all keys, their softmax, and the values weighted by it.
  static func attention(_ layer: Layer, _ attention: Layer.Attention) -> [Workload] {
    let (heads, tokens, size, bits) = (attention.heads, layer.tokens, attention.headDimension, layer.inputCodes.bits)
    return [
      Workload(
        name: layer.id.name(of: "scores"), kind: .scores, batch: heads, tokens: tokens, inputs: size, rows4: 0,
        rows8: tokens, inputBits: bits, inputUnsigned: false, outputBits: 32),
      Workload(
        name: layer.id.name(of: "softmax"), kind: .softmax, batch: heads, tokens: tokens, inputs: size, rows4: 0,
        rows8: tokens, inputBits: 32, inputUnsigned: false, outputBits: bits),
      Workload(
        name: layer.id.name(of: "context"), kind: .context, batch: heads, tokens: tokens, inputs: tokens, rows4: 0,
        rows8: size, inputBits: bits, inputUnsigned: true, outputBits: bits),
    ]
  }
}

extension Workload.Kind: Codable {
  /// The name in estimates: "qkv", "layerNorm", "scores", …
  public var name: String {
    switch self {
    case .linear(.patches): "patchEmbedding"
    case .linear(let role): role.rawValue
    case .layerNorm: "layerNorm"
    case .scores: "scores"
    case .softmax: "softmax"
    case .context: "context"
    }
  }

  static let all: [Workload.Kind] =
    LayerID.Role.allCases.map { .linear($0) } + [.layerNorm, .scores, .softmax, .context]

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let kind = Workload.Kind.all.first(where: { $0.name == text }) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is not a kind of work")
    }
    self = kind
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(name)
  }
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

  /// The workloads of an architecture in the order of execution: one for each layer of its graph, three for attention.
  ///
  /// The GELU table and the residual sum are not workloads: they happen at the output of a product. Throws
  /// `QuasarError` for shapes that no engine can run.
  public init(_ architecture: Architecture) throws {
    try Self.check(architecture)
    let graph = LayerGraph(architecture)
    geometry = architecture.geometry
    embedDimension = architecture.embedDimension
    activationBits = architecture.activationBits
    depth = architecture.depth
    attentionWidth = 0
    hiddenWidth = 0
    largestInputs = 0
    weightRows = 0
    weightBits = 0
    workloads = []
    workloads.reserveCapacity(graph.layers.count + 2 * depth)
    for layer in graph.layers {
      switch layer.kind {
      case .linear(let linear):
        workloads.append(Workload(layer, linear))
        weightRows += linear.rows
        weightBits += linear.weightBits
        largestInputs = max(largestInputs, linear.depth)
        if linear.finish == .table { hiddenWidth = max(hiddenWidth, layer.width) }
      case .norm:
        workloads.append(Workload(norm: layer))
      case .attention(let attention):
        workloads += Workload.attention(layer, attention)
        attentionWidth = max(attentionWidth, layer.width)
      }
    }
  }

  /// The distinct workloads (names ignored) with the number of times each occurs, in order of first occurrence.
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
