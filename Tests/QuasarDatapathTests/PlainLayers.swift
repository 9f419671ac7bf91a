import QuasarNetwork
import Testing

/// Computes each layer again with plain `Int` loops, from the files of its golden vectors and nothing else.
///
/// Returns the roles that it computed; the caller compares them with the files.
enum PlainLayers {
  typealias Layer = GoldenFolder.Layer

  static func recompute(_ layer: Layer, activationBits: Int) throws -> [String: [Int]] {
    switch layer.kind {
    case "linear": try linear(layer, activationBits: activationBits)
    case "layer_norm": try norm(layer, limit: layer.name == "norm" ? 127 : 1 << (activationBits - 1) - 1)
    case "attention": try attention(layer, bits: activationBits)
    default: [:]
    }
  }

  private static func linear(_ layer: Layer, activationBits: Int) throws -> [String: [Int]] {
    let (input, weights) = (try layer["input"], try layer["weights"])
    let (rows, depth) = (weights.shape[0], weights.shape[1])
    let (bias, multiplier, shift) = (try layer["bias"], try layer["multiplier"], try layer["shift"])
    var sums: [Int] = []
    var scaled: [Int] = []
    for t in 0..<input.values.count / depth {
      for n in 0..<rows {
        var sum = bias.values[n]
        for k in 0..<depth { sum += input.values[t * depth + k] * weights.values[n * depth + k] }
        sums.append(sum)
        scaled.append(roundShift(sum * multiplier.values[n], shift.values[n]))
      }
    }
    var result = ["accumulator": sums]
    if let residual = layer.tensors["residual"] {
      result["output"] = scaled.indices.map { clamp(residual.values[$0] + clamp(scaled[$0], 32768), 32768) }
    } else if let table = layer.tensors["table"] {
      let index = scaled.map { min(max($0, -127), 127) }
      result["index"] = index
      result["output"] = index.map { table.values[$0 + 128] }
    } else {
      let limit = 1 << (activationBits - 1) - 1
      result["output"] = layer.name == "head" ? scaled : scaled.map { min(max($0, -limit), limit) }
    }
    return result
  }

  private static func norm(_ layer: Layer, limit: Int) throws -> [String: [Int]] {
    let input = try layer["input"]
    let width = input.shape[2]
    let (multiplier, shift, offset) = (try layer["multiplier"], try layer["shift"], try layer["offset"])
    let epsilon = try layer["epsilon"].values[0]
    var result: [String: [Int]] = [:]
    for first in stride(from: 0, to: input.values.count, by: width) {
      let row = input.values[first..<first + width]
      let mean = floorDivide(2 * row.reduce(0, +) + width, 2 * width)
      let centred = row.map { $0 - mean }
      let variance = centred.reduce(epsilon) { $0 + $1 * $1 }
      var root = 0
      while (root + 1) * (root + 1) <= variance { root += 1 }
      let inverse = (1 << 30) / max(root, 1)
      result["mean", default: []].append(mean)
      result["variance", default: []].append(variance)
      result["deviation", default: []].append(root)
      result["inverse", default: []].append(inverse)
      result["output", default: []] += centred.indices.map { d in
        let product = centred[d] * inverse * multiplier.values[d] + offset.values[d]
        return min(max(roundShift(product, shift.values[d]), -limit), limit)
      }
    }
    return result
  }

  private static func attention(_ layer: Layer, bits: Int) throws -> [String: [Int]] {
    let input = try layer["input"]
    let scores = try layer["scores"].shape
    let (images, heads, tokens) = (scores[0], scores[1], scores[2])
    let size = try layer["context"].shape[3]
    let width = heads * size
    let table = try layer["exponents"].values
    func number(_ role: String) throws -> Int { try layer[role].values[0] }
    let (scoreM, scoreS) = (try number("score_multiplier"), try number("score_shift"))
    let (outM, outS) = (try number("output_multiplier"), try number("output_shift"))
    let limit = 1 << (bits - 1) - 1
    var result: [String: [Int]] = ["output": Array(repeating: 0, count: images * tokens * width)]
    for image in 0..<images {
      for head in 0..<heads {
        func code(_ token: Int, _ part: Int, _ c: Int) -> Int {
          input.values[((image * tokens + token) * 3 + part) * width + head * size + c]
        }
        for t in 0..<tokens {
          let row = (0..<tokens).map { j in (0..<size).reduce(0) { $0 + code(t, 0, $1) * code(j, 1, $1) } }
          let top = row.max() ?? 0
          let p = row.map { score in
            let z = roundShift((top - score) * scoreM, scoreS)
            return z / 256 > bits ? 0 : roundShift(table[z % 256], 16 - bits + z / 256)
          }
          let sum = p.reduce(0, +)
          var k = 0
          while 1 << k < sum { k += 1 }
          let reciprocal = (1 << (k + 15)) / sum
          let weighted = (0..<size).map { c in p.indices.reduce(0) { $0 + p[$1] * code($1, 2, c) } }
          let context = weighted.map { roundShift($0 * reciprocal, k + 7) }
          result["scores", default: []] += row
          result["probability", default: []] += p
          result["probability_sum", default: []].append(sum)
          result["reciprocal", default: []].append(reciprocal)
          result["reciprocal_shift", default: []].append(k)
          result["weighted_sum", default: []] += weighted
          result["context", default: []] += context
          for c in 0..<size {
            result["output"]![(image * tokens + t) * width + head * size + c] =
              min(max(roundShift(context[c] * outM, outS), -limit), limit)
          }
        }
      }
    }
    return result
  }

  private static func clamp(_ value: Int, _ limit: Int) -> Int { min(max(value, -limit), limit - 1) }

  /// ⌊v/2^s + ½⌋ by division, s ≥ 1.
  private static func roundShift(_ value: Int, _ shift: Int) -> Int {
    floorDivide(value + 1 << (shift - 1), 1 << shift)
  }

  private static func floorDivide(_ a: Int, _ b: Int) -> Int {
    let (quotient, rest) = a.quotientAndRemainder(dividingBy: b)
    return rest < 0 ? quotient - 1 : quotient
  }
}
