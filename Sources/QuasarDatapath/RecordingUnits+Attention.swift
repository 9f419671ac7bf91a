import CKernels
import QuasarArithmetic

extension RecordingUnits {
  /// Records the integers between the q, k, v codes and `output`; false if they do not lead to `output`.
  ///
  /// Scores, P [heads, tokens, keys], Z and its reciprocal R, k [heads, tokens], O, U [heads, tokens, dimension].
  func recordInside(of layer: IntegerAttention, _ arguments: qk_attention_arguments, _ output: [Int8]) -> Bool {
    let (heads, size, tokens) = (layer.heads, layer.headDimension, Int(arguments.tokens))
    let width = heads * size
    var inside = AttentionInside()
    var isEqual = true
    for image in 0..<Int(arguments.batch) {
      for head in 0..<heads {
        // Row t of q, k or v of this head; rows are 3·width codes apart.
        let query = arguments.qkv! + image * tokens * 3 * width + head * size
        let (key, value) = (query + width, query + 2 * width)
        for token in 0..<tokens {
          let row = query + token * 3 * width
          let scores = (0..<tokens).map { j in dot(row, key + j * 3 * width, size) }
          let top = scores.max() ?? 0
          let probabilities = scores.map {
            qk_probability(top - $0, layer.score, Int32(layer.activationBits), arguments.exponent_table)
          }
          let sum = probabilities.reduce(0, +)
          var k: Int32 = 0
          let reciprocal = qk_reciprocal16(sum, &k)
          // |O| ≤ 4096·255·127 < 2^27
          var weighted = [Int32](repeating: 0, count: size)
          for (j, p) in probabilities.enumerated() {
            let codes = value + j * 3 * width
            for c in 0..<size { weighted[c] &+= Int32(p) &* Int32(codes[c]) }
          }
          let context = weighted.map { qk_normalise_context($0, reciprocal, k) }
          let first = (image * tokens + token) * width + head * size
          for c in 0..<size {
            let code = qk_requantise(context[c], layer.output, arguments.lo, arguments.hi)
            isEqual = isEqual && code == Int32(output[first + c])
          }
          inside.scores += scores
          inside.probabilities += probabilities.map { UInt8($0) }
          inside.sums.append(Int32(sum))
          inside.reciprocals.append(Int32(reciprocal))
          inside.shifts.append(UInt8(k))
          inside.weighted += weighted
          inside.context += context
        }
      }
    }
    append(inside.scores, .scores, layer.name)
    append(inside.probabilities, .probability, layer.name)
    append(inside.sums, .probabilitySum, layer.name)
    append(inside.reciprocals, .reciprocal, layer.name)
    append(inside.shifts, .reciprocalShift, layer.name)
    append(inside.weighted, .weightedSum, layer.name)
    append(inside.context, .context, layer.name)
    return isEqual
  }

  private func dot(_ a: UnsafePointer<Int8>, _ b: UnsafePointer<Int8>, _ count: Int) -> Int32 {
    var sum: Int32 = 0
    for c in 0..<count { sum &+= Int32(a[c]) &* Int32(b[c]) }
    return sum
  }
}

/// The integers inside attention, in the order image, head, token.
private struct AttentionInside {
  var scores: [Int32] = []
  var probabilities: [UInt8] = []
  var sums: [Int32] = []
  var reciprocals: [Int32] = []
  var shifts: [UInt8] = []
  var weighted: [Int32] = []
  var context: [Int32] = []
}
