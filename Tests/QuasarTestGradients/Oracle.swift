import Foundation

// The definitions in double precision, written from the formulas, without calls to the library.

/// op(a)·op(b) with a [m, k] and b [k, n] after transposition.
package func oracleProduct(
  _ a: [Double], _ b: [Double], m: Int, k: Int, n: Int, transposeA: Bool = false, transposeB: Bool = false
) -> [Double] {
  var c = [Double](repeating: 0, count: m * n)
  for i in 0..<m {
    for j in 0..<n {
      var sum = 0.0
      for l in 0..<k {
        sum += (transposeA ? a[l * m + i] : a[i * k + l]) * (transposeB ? b[j * k + l] : b[l * n + j])
      }
      c[i * n + j] = sum
    }
  }
  return c
}

package func oracleSoftmax(_ row: ArraySlice<Double>) -> [Double] {
  let top = row.max() ?? 0
  let e = row.map { exp($0 - top) }
  let sum = e.reduce(0, +)
  return e.map { $0 / sum }
}

package func mapRows(_ x: [Double], width: Int, _ body: (ArraySlice<Double>) -> [Double]) -> [Double] {
  stride(from: 0, to: x.count, by: width).flatMap { body(x[$0..<$0 + width]) }
}

package func oracleLayerNorm(_ x: [Double], _ weight: [Double], _ bias: [Double], epsilon: Double) -> [Double] {
  let width = weight.count
  return mapRows(x, width: width) { row in
    let mean = row.reduce(0, +) / Double(width)
    let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
    let scale = 1 / (variance + epsilon).squareRoot()
    return row.enumerated().map { ($1 - mean) * scale * weight[$0] + bias[$0] }
  }
}

package func oracleCrossEntropy(_ x: [Double], _ targets: [Double], width: Int) -> Double {
  var loss = 0.0
  for start in stride(from: 0, to: x.count, by: width) {
    let row = x[start..<start + width]
    let top = row.max() ?? 0
    let logSum = top + log(row.reduce(0) { $0 + exp($1 - top) })
    for c in 0..<width { loss -= targets[start + c] * (row[start + c] - logSum) }
  }
  return loss / Double(x.count / width)
}

package struct AttentionOracle {
  package var batch: Int
  package var tokens: Int
  package var heads: Int
  package var width: Int

  package init(batch: Int, tokens: Int, heads: Int, width: Int) {
    self.batch = batch
    self.tokens = tokens
    self.heads = heads
    self.width = width
  }

  package var inner: Int { heads * width }

  /// Scores [batch, heads, tokens, tokens] including 1/√width.
  package func scores(_ qkv: [Double]) -> [Double] {
    var result: [Double] = []
    for b in 0..<batch {
      for h in 0..<heads {
        for i in 0..<tokens {
          for j in 0..<tokens {
            let q = (b * tokens + i) * 3 * inner + h * width
            let k = (b * tokens + j) * 3 * inner + inner + h * width
            var sum = 0.0
            for d in 0..<width { sum += qkv[q + d] * qkv[k + d] }
            result.append(sum / Double(width).squareRoot())
          }
        }
      }
    }
    return result
  }

  /// e^(score − row maximum)
  package func exponentials(_ qkv: [Double]) -> [Double] {
    mapRows(scores(qkv), width: tokens) { row in
      let top = row.max() ?? 0
      return row.map { exp($0 - top) }
    }
  }

  /// Σ_j weights[i, j]·v[j] / Σ_j weights[i, j]
  package func output(_ weights: [Double], _ qkv: [Double]) -> [Double] {
    var out = [Double](repeating: 0, count: batch * tokens * inner)
    for b in 0..<batch {
      for h in 0..<heads {
        for i in 0..<tokens {
          let row = ((b * heads + h) * tokens + i) * tokens
          let sum = weights[row..<row + tokens].reduce(0, +)
          for j in 0..<tokens {
            let p = weights[row + j] / sum
            let v = (b * tokens + j) * 3 * inner + 2 * inner + h * width
            let o = (b * tokens + i) * inner + h * width
            for d in 0..<width { out[o + d] += p * qkv[v + d] }
          }
        }
      }
    }
    return out
  }
}

/// s·clamp(round(x/s), low, high), and the same with the rounding residual frozen at one point.
package struct QuantizerOracle {
  package var low: Double
  package var high: Double

  package init(low: Double, high: Double) {
    self.low = low
    self.high = high
  }

  package func value(_ x: Double, _ s: Double) -> Double {
    s * min(max((x / s).rounded(.toNearestOrEven), low), high)
  }

  /// x + s·r inside the clamp with r = round(v₀) − v₀, s·limit outside (LSQ).
  package func frozen(_ x0: Double, _ s0: Double) -> (Double, Double) -> Double {
    let v = x0 / s0
    if v < low { return { _, s in s * low } }
    if v > high { return { _, s in s * high } }
    let residual = v.rounded(.toNearestOrEven) - v
    return { x, s in x + s * residual }
  }
}

package func oracleGELU(_ x: Double) -> Double {
  x * erfc(-x / 2.0.squareRoot()) / 2
}
