import QuasarAutograd
import QuasarQuant
import QuasarTensor

/// Which rows and columns of the supernet's matrices an architecture uses, and the precision of each row.
struct LayerSlice {
  /// Rows of the latent matrix, ascending within each section.
  var rows: [Int32]
  var width: Int
  /// 4 or 8 for each row.
  var bits: [UInt8]
}

extension LinearParameters {
  /// The quantised slice of the latent matrix.
  func weightSlice(_ slice: LayerSlice) -> WeightSlice {
    WeightSlice(
      latent: weight, scale4: scale4, scale8: scale8, entanglement: entanglement, rows: slice.rows, width: slice.width,
      bits: slice.bits)
  }
}

extension Supernet {
  /// Leading rows and columns; the best-ranked `rows8` of these rows have 8 bits.
  static func plainSlice(_ linear: LinearParameters, rows: Int, width: Int, rows8: Int) -> LayerSlice {
    LayerSlice(
      rows: (0..<Int32(rows)).map { $0 }, width: width,
      bits: precisions(of: linear.ranking, groups: [0..<rows], quota: rows8, slotOfRow: { $0 }, count: rows))
  }

  /// Leading heads of q, of k and of v; every head has the same number of 8-bit rows.
  static func qkvSlice(
    _ linear: LinearParameters, heads: Int, headDimension: Int, width: Int, share: RowShare
  ) -> LayerSlice {
    let section = linear.weight.value.shape[0] / 3
    let used = heads * headDimension
    let rows = (0..<3).flatMap { part in (0..<used).map { Int32(part * section + $0) } }
    let groups = (0..<3 * heads).map { group in
      let first = group / heads * section + group % heads * headDimension
      return first..<first + headDimension
    }
    let bits = precisions(
      of: linear.ranking, groups: groups, quota: share.rows8(of: headDimension),
      slotOfRow: { $0 / section * used + $0 % section }, count: rows.count)
    return LayerSlice(rows: rows, width: width, bits: bits)
  }

  /// Walks down the ranking and gives 8 bits to the first `quota` rows of each group; all others get 4.
  private static func precisions(
    of ranking: [Int32], groups: [Range<Int>], quota: Int, slotOfRow: (Int) -> Int, count: Int
  ) -> [UInt8] {
    var bits = [UInt8](repeating: 4, count: count)
    if quota == 0 { return bits }
    var left = Array(repeating: quota, count: groups.count)
    for row in ranking {
      guard let group = groups.firstIndex(where: { $0.contains(Int(row)) }), left[group] > 0 else { continue }
      left[group] -= 1
      bits[slotOfRow(Int(row))] = 8
    }
    return bits
  }

  /// The slices of the four matrices of block i.
  func slices(_ architecture: Architecture, block i: Int) -> (
    qkv: LayerSlice, projection: LayerSlice, expand: LayerSlice, contract: LayerSlice
  ) {
    let genes = architecture.blocks[i]
    let d = architecture.embedDimension
    let width = architecture.attentionWidth(i)
    let hidden = architecture.hiddenWidth(i)
    let block = blocks[i]
    return (
      Supernet.qkvSlice(
        block.qkv, heads: genes.heads, headDimension: size.geometry.headDimension, width: d,
        share: genes.qkv),
      Supernet.plainSlice(block.projection, rows: d, width: width, rows8: genes.projection.rows8(of: d)),
      Supernet.plainSlice(block.expand, rows: hidden, width: d, rows8: genes.expand.rows8(of: hidden)),
      Supernet.plainSlice(block.contract, rows: d, width: hidden, rows8: genes.contract.rows8(of: d))
    )
  }

  /// The quantised matrices with their rows and precisions, in the order of execution: patch embedding, each block, head.
  func quantizedStages(_ architecture: Architecture) -> [[(linear: LinearParameters, slice: LayerSlice)]] {
    let width = architecture.embedDimension
    let outputs = edgeSlice(head, rows: architecture.geometry.classes, width: width)
    let inner = architecture.blocks.indices.map { i -> [(linear: LinearParameters, slice: LayerSlice)] in
      let (block, slices) = (blocks[i], slices(architecture, block: i))
      return [
        (block.qkv, slices.qkv), (block.projection, slices.projection), (block.expand, slices.expand),
        (block.contract, slices.contract),
      ]
    }
    return [[(patchEmbedding, embeddingSlice(architecture))]] + inner + [[(head, outputs)]]
  }
}
