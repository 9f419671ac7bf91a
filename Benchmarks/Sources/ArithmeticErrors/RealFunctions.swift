import Foundation
import Quasar

extension Requantiser {
  /// M·2^−S
  var factor: Double { Double(multiplier) * Double(sign: .plus, exponent: -Int(shift), significand: 1) }
}

/// The functions that the integer units approximate, in double, from input codes to unrounded output codes.
enum RealFunctions {
  /// (r_i − mean)/√(variance + E/D)·w_i + b_i with w_i = M_i·2^−S_i·2^30/√D and b_i = B_i·2^−S_i.
  ///
  /// weight/s_y and bias/s_y are recovered from the layer's integers; their own rounding (2^−16 relative) is not
  /// counted.
  static func layerNorm(_ row: UnsafeBufferPointer<Int16>, _ norm: IntegerLayerNorm) -> [Double] {
    let width = Double(row.count)
    let mean = row.reduce(0.0) { $0 + Double($1) } / width
    let squares = row.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    let deviation = ((squares + Double(norm.epsilonCode)) / width).squareRoot()
    return row.indices.map { i in
      let requantiser = norm.scales[i]
      let weight = requantiser.factor * 0x1p30 / width.squareRoot()
      let bias =
        Double(norm.offsets[i]) * Double(sign: .plus, exponent: -Int(requantiser.shift), significand: 1)
      let normalised = deviation > 0 ? (Double(row[i]) - mean) / deviation : 0
      return normalised * weight + bias
    }
  }

  /// One head of one image: q, k and v as rows of `stride` codes.
  struct Head {
    var q: UnsafePointer<Int8>
    var k: UnsafePointer<Int8>
    var v: UnsafePointer<Int8>
    var stride: Int
    var tokens: Int
    var dimension: Int

    /// Head `head` of image `image` in codes [batch·tokens, 3·heads·dimension].
    init(_ qkv: NDArray<Int8>, image: Int, head: Int, tokens: Int, attention: IntegerAttention) {
      dimension = attention.headDimension
      stride = 3 * attention.heads * dimension
      self.tokens = tokens
      q = UnsafePointer(qkv.pointer) + image * tokens * stride + head * dimension
      k = q + attention.heads * dimension
      v = k + attention.heads * dimension
    }

    /// max_j S_ij − S_ij for one query i.
    func distances(_ query: Int) -> [Int32] {
      let scores = (0..<tokens).map { j -> Int32 in
        var score: Int32 = 0
        for c in 0..<dimension { score += Int32(q[query * stride + c]) * Int32(k[j * stride + c]) }
        return score
      }
      let top = scores.max() ?? 0
      return scores.map { top - $0 }
    }

    /// Σ_j weights_j·v_j / divisor
    func mixed(_ weights: [Double], divisor: Double) -> [Double] {
      var sums = [Double](repeating: 0, count: dimension)
      for (j, weight) in weights.enumerated() where weight != 0 {
        for c in 0..<dimension { sums[c] += weight * Double(v[j * stride + c]) }
      }
      return sums.map { $0 / divisor }
    }
  }

  /// 2^−z, z = d·M·2^−S/256: the score distance in octaves with the requantiser's factor.
  static func softmaxWeight(_ distance: Int32, _ attention: IntegerAttention) -> Double {
    exp2(-Double(distance) * attention.score.factor / 256)
  }

  /// Output codes of one query: Σ 2^−z·v / Σ 2^−z times s_v/s_out, the output requantiser's factor times 2^8.
  static func attention(_ head: Head, query: Int, _ attention: IntegerAttention) -> [Double] {
    let weights = head.distances(query).map { softmaxWeight($0, attention) }
    let factor = attention.output.factor * 256
    return head.mixed(weights, divisor: weights.reduce(0, +)).map { $0 * factor }
  }

  /// x·Φ(x) = x·erfc(−x/√2)/2
  static func gelu(_ x: Double) -> Double { x * erfc(-x / 2.0.squareRoot()) / 2 }
}
