import CKernels
import Foundation
import QuasarArithmetic
import QuasarNetwork
import QuasarTensor

/// The whole network with plain `Int` loops, written from the arithmetic contract and the comments of the C headers,
/// without a call to the kernels. It traps where an intermediate exceeds 64 bits.
struct PlainExecutor {
  let model: IntegerModel

  /// Logit codes of one planar image [channels, size, size].
  func logits(_ image: [UInt8]) -> [Int] {
    let bits = model.architecture.activationBits
    let limit = 1 << (bits - 1) - 1
    var stream = embed(image)
    for i in model.architecture.blocks.indices {
      let block = PlainBlock(model: model, index: i)
      let a = stream.map { normalise($0, block.norm(.norm1), limit: limit) }
      let qkv = a.map { apply(block.linear(.qkv), $0).map { clamp($0, -limit, limit) } }
      let mixed = attend(block.attention, qkv, bits: bits, limit: limit)
      stream = add(stream, mixed.map { apply(block.linear(.projection), $0) })
      let m = stream.map { normalise($0, block.norm(.norm2), limit: limit) }
      let hidden = m.map { row in
        apply(block.linear(.expand), row).map { Int(block.gelu.entries[clamp($0, -127, 127) + 128]) }
      }
      stream = add(stream, hidden.map { apply(block.linear(.contract), $0) })
    }
    let parts = PlainBlock(model: model, index: nil)
    return apply(parts.linear(.head), normalise(stream[0], parts.norm(.norm), limit: 127))
  }

  // MARK: Layers

  private func embed(_ image: [UInt8]) -> [[Int]] {
    let geometry = model.architecture.geometry
    let (size, patch) = (geometry.imageSize, geometry.patchSize)
    let width = model.architecture.embedDimension
    let embedding = PlainBlock(model: model, index: nil).embedding
    let codes = embedding.codes.map(Int.init)
    var stream = [Array(codes[0..<width])]
    for top in stride(from: 0, to: size, by: patch) {
      for left in stride(from: 0, to: size, by: patch) {
        var pixels: [Int] = []
        for channel in 0..<geometry.channels {
          for y in top..<top + patch {
            for x in left..<left + patch { pixels.append(Int(image[(channel * size + y) * size + x])) }
          }
        }
        let first = stream.count * width
        stream += add([Array(codes[first..<first + width])], [apply(embedding.linear, pixels)])
      }
    }
    return stream
  }

  /// (bias + Σ X·W) requantised, not yet clamped.
  private func apply(_ linear: IntegerLinear, _ x: [Int]) -> [Int] {
    precondition(x.count == linear.depth)
    let codes = linear.codes.scalars
    return (0..<linear.rows).map { n in
      var sum = Int(linear.bias[n])
      for k in 0..<linear.depth { sum += x[k] * Int(codes[n * linear.depth + k]) }
      precondition(sum >= Int(Int32.min) && sum <= Int(Int32.max), "accumulator beyond 32 bits")
      return requantise(sum, linear.requantisers[n])
    }
  }

  /// sat16(r + clamp16(delta))
  private func add(_ stream: [[Int]], _ deltas: [[Int]]) -> [[Int]] {
    zip(stream, deltas).map { row, delta in
      zip(row, delta).map { clamp($0 + clamp($1, -32768, 32767), -32768, 32767) }
    }
  }

  private func normalise(_ row: [Int], _ norm: IntegerLayerNorm, limit: Int) -> [Int] {
    let d = row.count
    let mean = floorDivide(2 * row.reduce(0, +) + d, 2 * d)
    let centred = row.map { $0 - mean }
    let deviation = squareRoot(centred.reduce(Int(norm.epsilonCode)) { $0 + $1 * $1 })
    let inverse = (1 << 30) / max(deviation, 1)
    return centred.indices.map { i in
      let scale = norm.scales[i]
      let sum = centred[i] * inverse * Int(scale.multiplier) + Int(norm.offsets[i])
      return clamp(roundShift(sum, Int(scale.shift)), -limit, limit)
    }
  }

  private func attend(_ attention: IntegerAttention, _ qkv: [[Int]], bits: Int, limit: Int) -> [[Int]] {
    let (heads, size) = (attention.heads, attention.headDimension)
    let inner = heads * size
    var out = qkv.map { _ in [Int](repeating: 0, count: inner) }
    for head in 0..<heads {
      let part = { (token: Int, which: Int) -> ArraySlice<Int> in
        let first = which * inner + head * size
        return qkv[token][first..<first + size]
      }
      for t in qkv.indices {
        let scores = qkv.indices.map { j in zip(part(t, 0), part(j, 1)).reduce(0) { $0 + $1.0 * $1.1 } }
        let top = scores.max() ?? 0
        let p = scores.map { probability(requantise(top - $0, attention.score), bits: bits) }
        let total = p.reduce(0, +)
        // k = ⌈log2 total⌉, R = ⌊2^(k+15)/total⌋.
        var k = 0
        while 1 << k < total { k += 1 }
        let reciprocal = (1 << (k + 15)) / total
        for c in 0..<size {
          let sum = qkv.indices.reduce(0) { $0 + p[$1] * part($1, 2)[2 * inner + head * size + c] }
          let context = roundShift(sum * reciprocal, k + 7)
          out[t][head * size + c] = clamp(requantise(context, attention.output), -limit, limit)
        }
      }
    }
    return out
  }

  /// The A-bit code of 2^(−z/256) from a table that is computed here, in 16 fraction bits.
  private func probability(_ z: Int, bits: Int) -> Int {
    let (whole, fraction) = (z / 256, z % 256)
    if whole > bits { return 0 }
    let top = Double((1 << bits - 1) << (16 - bits))
    let entry = Int((top * pow(2, -Double(fraction) / 256)).rounded())
    return roundShift(entry, 16 - bits + whole)
  }

  // MARK: Integers

  private func requantise(_ value: Int, _ r: Requantiser) -> Int {
    roundShift(value * Int(r.multiplier), Int(r.shift))
  }

  /// ⌊v/2^s + ½⌋ by division, not by a shift.
  private func roundShift(_ value: Int, _ shift: Int) -> Int {
    shift == 0 ? value : floorDivide(value + 1 << (shift - 1), 1 << shift)
  }

  private func floorDivide(_ a: Int, _ b: Int) -> Int {
    let (quotient, rest) = a.quotientAndRemainder(dividingBy: b)
    return rest < 0 ? quotient - 1 : quotient
  }

  /// ⌊√v⌋ bit by bit.
  private func squareRoot(_ value: Int) -> Int {
    var root = 0
    for bit in stride(from: 30, through: 0, by: -1) {
      let next = root | 1 << bit
      if next * next <= value { root = next }
    }
    return root
  }

  private func clamp(_ value: Int, _ low: Int, _ high: Int) -> Int { min(max(value, low), high) }
}

/// The integers of one block of a model, or of the layers around the blocks, by their role.
private struct PlainBlock {
  let model: IntegerModel
  let index: Int?

  private func layer(_ role: LayerID.Role) -> IntegerLayer { model[LayerID(role, block: index)]! }

  func linear(_ role: LayerID.Role) -> IntegerLinear { layer(role).linear! }

  func norm(_ role: LayerID.Role) -> IntegerLayerNorm {
    guard case .norm(let norm) = layer(role) else { preconditionFailure("\(role) is not a norm") }
    return norm
  }

  var attention: IntegerAttention {
    guard case .attention(let attention) = layer(.attention) else { preconditionFailure("no attention") }
    return attention
  }

  var gelu: GELUTable {
    guard case .table(_, let table) = layer(.expand) else { preconditionFailure("no table") }
    return table
  }

  var embedding: IntegerEmbedding {
    guard case .patches(let embedding) = layer(.patches) else { preconditionFailure("no embedding") }
    return embedding
  }
}
