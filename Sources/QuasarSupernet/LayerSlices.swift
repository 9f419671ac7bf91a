import QuasarAutograd
import QuasarNetwork
import QuasarTensor

/// The rows and columns of the supernet's matrices that an architecture uses, with the precision of each row.
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

extension LinearParameters {
  /// The rows, columns and precisions that a layer of an architecture takes from these weights.
  ///
  /// The slice has the leading rows of each part and the leading columns of each row. In each group of rows the
  /// best-ranked have 8 bits.
  func slice(_ layer: Layer.Linear) -> LayerSlice {
    let section = weight.value.shape[0] / layer.parts
    let used = layer.groups * layer.groupRows
    let rows = (0..<layer.parts).flatMap { part in (0..<used).map { Int32(part * section + $0) } }
    guard layer.groupRows8 < layer.groupRows else {
      return LayerSlice(rows: rows, width: layer.depth, bits: Array(repeating: 8, count: rows.count))
    }
    let groups = (0..<layer.parts * layer.groups).map { group in
      let first = group / layer.groups * section + group % layer.groups * layer.groupRows
      return first..<first + layer.groupRows
    }
    let bits = precisions(
      groups: groups, quota: layer.groupRows8, slotOfRow: { $0 / section * used + $0 % section }, count: rows.count)
    return LayerSlice(rows: rows, width: layer.depth, bits: bits)
  }

  /// Goes down the ranking and gives 8 bits to the first `quota` rows of each group; all others get 4.
  private func precisions(
    groups: [Range<Int>], quota: Int, slotOfRow: (Int) -> Int, count: Int
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
}

/// One matrix of an architecture as a slice of the shared weights.
struct SlicedLinear {
  var linear: LinearParameters
  var slice: LayerSlice
}

extension Supernet {
  /// The matrix of a linear layer of an architecture; nil for other layers.
  func sliced(_ layer: Layer) -> SlicedLinear? {
    guard let sizes = layer.linear, let linear = self[layer.id].linear else { return nil }
    return SlicedLinear(linear: linear, slice: linear.slice(sizes))
  }

  /// The quantised matrices with their rows and precisions, in the order of execution: patch embedding, each block, head.
  func quantizedStages(_ architecture: Architecture) -> [[SlicedLinear]] {
    var stages: [[SlicedLinear]] = []
    var last: Int??
    for layer in LayerGraph(architecture).layers {
      guard let sliced = sliced(layer) else { continue }
      if let last, last == layer.id.block { stages[stages.count - 1].append(sliced) } else { stages.append([sliced]) }
      last = .some(layer.id.block)
    }
    return stages
  }
}
