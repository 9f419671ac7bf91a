// The arithmetic contract implemented independently from its text, with unbounded-width integers and floor divisions
// instead of shifts, and without calls into CKernels.

enum Oracle {
  /// ⌊a / b⌋, b > 0.
  static func floorDivide(_ a: Int128, _ b: Int128) -> Int128 {
    let q = a / b
    return a % b != 0 && a < 0 ? q - 1 : q
  }
  static func power(_ n: Int) -> Int128 { Int128(1) << Int128(n) }
  static func clamp(_ v: Int128, _ lo: Int, _ hi: Int) -> Int { Int(min(max(v, Int128(lo)), Int128(hi))) }

  /// ⌊(v + 2^(s−1)) / 2^s⌋
  static func roundHalfUp(_ v: Int128, _ s: Int) -> Int128 { floorDivide(v + power(s - 1), power(s)) }

  static func requantise(_ acc: Int, _ m: Int, _ s: Int, _ lo: Int, _ hi: Int) -> Int {
    clamp(roundHalfUp(Int128(acc) * Int128(m), s), lo, hi)
  }

  /// The largest r with r² ≤ v, found bit by bit.
  static func squareRoot(_ v: UInt64) -> UInt64 {
    var r: Int128 = 0
    for bit in (0..<32).reversed() where (r + power(bit)) * (r + power(bit)) <= Int128(v) { r += power(bit) }
    return UInt64(r)
  }

  static func reciprocal(_ z: Int) -> (value: Int, k: Int) {
    var k = 0
    while 1 << k < z { k += 1 }
    return ((1 << (k + 15)) / z, k)
  }

  static func exponent(_ d: Int, _ m: Int, _ s: Int) -> Int128 { roundHalfUp(Int128(d) * Int128(m), s) }

  static func probability(_ d: Int, _ m: Int, _ s: Int, bits: Int, table: [Int]) -> Int {
    let z = exponent(d, m, s)
    let whole = z / 256
    let f = Int(z % 256)
    return whole > Int128(bits) ? 0 : Int(roundHalfUp(Int128(table[f]), 16 - bits + Int(whole)))
  }

  static func normalise(_ sum: Int, _ reciprocal: Int, _ k: Int) -> Int {
    Int(roundHalfUp(Int128(sum) * Int128(reciprocal), k + 7))
  }

  /// One head: q, k, v are [tokens][dimension].
  static func attention(
    q: [[Int]], k: [[Int]], v: [[Int]], score: (Int, Int), bits: Int, table: [Int],
    output: (Int, Int), lo: Int, hi: Int
  ) -> [[Int]] {
    q.map { query in
      let scores = k.map { key in zip(query, key).reduce(0) { $0 + $1.0 * $1.1 } }
      let top = scores.max()!
      let p = scores.map { probability(top - $0, score.0, score.1, bits: bits, table: table) }
      let (r, shift) = reciprocal(p.reduce(0, +))
      return query.indices.map { c in
        var sum = 0
        for j in p.indices { sum += p[j] * v[j][c] }
        return requantise(normalise(sum, r, shift), output.0, output.1, lo, hi)
      }
    }
  }

  static func layerNorm(_ r: [Int], epsilon: Int, scales: [(Int, Int)], offsets: [Int], lo: Int, hi: Int)
    -> [Int]
  {
    let d = r.count
    let sum = r.reduce(0, +)
    let mean = Int(floorDivide(Int128(2 * sum + d), Int128(2 * d)))
    let variance = r.reduce(epsilon) { $0 + ($1 - mean) * ($1 - mean) }
    let f = (1 << 30) / max(Int(squareRoot(UInt64(variance))), 1)
    return r.indices.map { i in
      let product = Int128(r[i] - mean) * Int128(f) * Int128(scales[i].0) + Int128(offsets[i])
      return clamp(roundHalfUp(product, scales[i].1), lo, hi)
    }
  }
}
