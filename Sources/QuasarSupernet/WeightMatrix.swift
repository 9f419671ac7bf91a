/// One weight matrix of an architecture: its name, shape and number of 8-bit rows.
public struct WeightMatrix: Hashable, Sendable {
  public enum Kind: String, Hashable, Sendable {
    case patchEmbedding, qkv, projection, expand, contract, head
  }
  /// "patch_embed", "blocks.2.qkv", …, "head": the prefix of its tensors in a checkpoint.
  public var name: String
  public var kind: Kind
  /// The block it belongs to; nil for patch embedding and head.
  public var block: Int?
  public var rows: Int
  public var depth: Int
  public var rows8: Int

  /// weights·8 for 8-bit rows and weights·4 for the others.
  public var weightBits: Int { depth * (8 * rows8 + 4 * (rows - rows8)) }
}

extension Architecture {
  /// Every weight matrix in the order of execution.
  public var weightMatrices: [WeightMatrix] {
    let d = embedDimension
    var all = [
      WeightMatrix(
        name: "patch_embed", kind: .patchEmbedding, block: nil, rows: d, depth: geometry.patchInputs, rows8: d
      )
    ]
    for (i, genes) in blocks.enumerated() {
      let width = attentionWidth(i)
      let hidden = hiddenWidth(i)
      // q, k, v and the heads share the 8-bit rows evenly, so each head has the same mix.
      let headRows8 = genes.qkv.rows8(of: geometry.headDimension)
      all += [
        WeightMatrix(
          name: "blocks.\(i).qkv", kind: .qkv, block: i, rows: 3 * width, depth: d,
          rows8: 3 * genes.heads * headRows8),
        WeightMatrix(
          name: "blocks.\(i).projection", kind: .projection, block: i, rows: d, depth: width,
          rows8: genes.projection.rows8(of: d)),
        WeightMatrix(
          name: "blocks.\(i).expand", kind: .expand, block: i, rows: hidden, depth: d,
          rows8: genes.expand.rows8(of: hidden)),
        WeightMatrix(
          name: "blocks.\(i).contract", kind: .contract, block: i, rows: d, depth: hidden,
          rows8: genes.contract.rows8(of: d)),
      ]
    }
    all.append(
      WeightMatrix(
        name: "head", kind: .head, block: nil, rows: geometry.classes, depth: d, rows8: geometry.classes))
    return all
  }

  /// Share of 8-bit rows over all weight matrices, first and last included.
  public var share8Bit: Double {
    let matrices = weightMatrices
    return Double(matrices.reduce(0) { $0 + $1.rows8 }) / Double(matrices.reduce(0) { $0 + $1.rows })
  }

  /// Σ bits / Σ weights over all weight matrices, first and last included.
  public var averageWeightBits: Double {
    let matrices = weightMatrices
    return Double(matrices.reduce(0) { $0 + $1.weightBits })
      / Double(matrices.reduce(0) { $0 + $1.rows * $1.depth })
  }

  /// Multiply–accumulates of one image: all matrix products, attention scores and context included.
  public var multiplyAccumulates: Int {
    let t = geometry.tokens
    var total = 0
    for matrix in weightMatrices {
      switch matrix.kind {
      case .patchEmbedding: total += geometry.patches * matrix.rows * matrix.depth
      case .head: total += matrix.rows * matrix.depth
      default: total += t * matrix.rows * matrix.depth
      }
    }
    for i in blocks.indices { total += 2 * t * t * attentionWidth(i) }
    return total
  }
}
