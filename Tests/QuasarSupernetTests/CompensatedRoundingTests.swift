import QuasarAutograd
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarSupernet

/// Optimal brain quantisation, column by column: the inverse covers the remaining columns, and every fixed column is
/// eliminated from it. This is another way to the same codes as one Cholesky factor.
struct EliminationOracle {
  var damped: [[Double]]
  var inverse: [[Double]]

  init(_ hessian: [Double], order n: Int, damping: Double) {
    let mean = (0..<n).reduce(0) { $0 + hessian[$1 * n + $1] } / Double(n)
    damped = (0..<n).map { i in (0..<n).map { hessian[i * n + $0] + (i == $0 ? damping * mean : 0) } }
    // Gauss–Jordan with the identity appended; the matrix is positive definite, so no pivoting is needed.
    var rows = damped.enumerated().map { i, row in row + (0..<n).map { i == $0 ? 1.0 : 0 } }
    for i in 0..<n {
      let pivot = rows[i][i]
      rows[i] = rows[i].map { $0 / pivot }
      for other in 0..<n where other != i {
        let factor = rows[other][i]
        for k in 0..<2 * n { rows[other][k] -= factor * rows[i][k] }
      }
    }
    inverse = rows.map { Array($0.suffix(n)) }
  }

  /// d·H·dᵀ of the difference made by the codes.
  func loss(_ row: [Double], _ codes: [Int], _ step: Float) -> Double {
    let d = zip(row, codes).map { $0 - Double(step * Float($1)) }
    return d.indices.reduce(0) { t, i in t + d.indices.reduce(0) { $0 + d[i] * damped[i][$1] * d[$1] } }
  }

  /// Codes of one row, or the nearest ones where they are better; `code` is the rounding of its quantiser.
  func codes(_ row: [Double], step: Float, code: (Float) -> Int) -> (codes: [Int], areNearest: Bool) {
    let (greedy, nearest) = (greedyCodes(row, step: step, code: code), row.map { code(Float($0)) })
    return loss(row, greedy, step) < loss(row, nearest, step) ? (greedy, false) : (nearest, true)
  }

  private func greedyCodes(_ row: [Double], step: Float, code: (Float) -> Int) -> [Int] {
    var (w, left) = (row, inverse)
    return w.indices.map { i in
      let chosen = code(Float(w[i]))
      let error = (w[i] - Double(step * Float(chosen))) / left[i][i]
      for j in i..<w.count { w[j] -= error * left[i][j] }
      for a in i + 1..<max(i + 1, w.count) {
        for b in i + 1..<w.count { left[a][b] -= left[a][i] * left[i][b] / left[i][i] }
      }
      return chosen
    }
  }
}

@Suite struct CompensatedRoundingTests {
  /// 2·X·Xᵀ of inputs that depend on each other.
  private func hessian(order n: Int, samples: Int, _ random: inout AwkwardValues) -> [Double] {
    let mix = (0..<n).map { _ in (0..<n).map { _ in Double(random.uniform(-1...1)) } }
    var sum = [Double](repeating: 0, count: n * n)
    for _ in 0..<samples {
      let own = (0..<n).map { _ in Double(random.uniform(-1...1)) }
      let x = mix.map { zip($0, own).reduce(0) { $0 + $1.0 * $1.1 } }
      for i in 0..<n { for j in 0..<n { sum[i * n + j] += 2 * x[i] * x[j] } }
    }
    return sum
  }

  /// tr(D·H·Dᵀ): twice the squared error of the outputs for weights that are off by D.
  private func outputError(_ a: [Float], _ b: [Float], width n: Int, _ hessian: [Double]) -> Double {
    stride(from: 0, to: a.count, by: n).reduce(0) { total, first in
      let d = (0..<n).map { Double(a[first + $0]) - Double(b[first + $0]) }
      return total + (0..<n).reduce(0) { t, i in t + (0..<n).reduce(0) { $0 + d[i] * hessian[i * n + $1] * d[$1] } }
    }
  }

  @Test(arguments: Entanglement.allCases, [(1, 4), (9, 40), (16, 8), (33, 200)])
  func codesAreThoseOfElimination(entanglement: Entanglement, shape: (Int, Int)) throws {
    let (n, samples) = shape
    let rows = 11
    var random = AwkwardValues(n + samples)
    let h = hessian(order: n, samples: samples, &random)
    // Two more rows and three more columns than the slice uses.
    let start = random.tensor([rows + 2, n + 3], in: -0.9...0.9)
    let latent = Parameter(name: "w", role: .weight, value: start.copied())
    let scale4 = Parameter(name: "s4", role: .scale, value: random.tensor([rows + 2], in: 0.08...0.2))
    let scale8 = Parameter(name: "s8", role: .scale, value: random.tensor([rows + 2], in: 0.006...0.012))
    let chosen = Array(random.permutation(rows + 2).prefix(rows)).map { Int32($0) }
    let slice = WeightSlice(
      latent: latent, scale4: entanglement == .independentSteps ? scale4 : nil, scale8: scale8,
      entanglement: entanglement, rows: chosen, width: n, bits: (0..<rows).map { $0 % 3 == 0 ? 8 : 4 })
    CompensatedRounding.round(slice, factor: try CompensatedRounding.inverseFactor(h, order: n, name: "w"))

    let oracle = EliminationOracle(h, order: n, damping: 0.01)
    var expected = start.scalars
    var nearest = 0
    for (place, row) in chosen.enumerated() {
      let (few, row) = (slice.bits[place] == 4, Int(row))
      let s8 = scale8.value.scalars[row]
      let step = few ? (entanglement == .independentSteps ? scale4.value.scalars[row] : 16 * s8) : s8
      let first = row * (n + 3)
      let (codes, areNearest) = oracle.codes(start.scalars[first..<first + n].map(Double.init), step: step) { w in
        let v = w * (1 / step)
        if few, entanglement == .nestedCodes {
          return min(max((min(max(Int((16 * v).rounded(.toNearestOrEven)), -127), 127) + 8) >> 4, -7), 7)
        }
        return min(max(Int(v.rounded(.toNearestOrEven)), few ? -7 : -127), few ? 7 : 127)
      }
      nearest += areNearest ? 1 : 0
      for (k, code) in codes.enumerated() { expected[first + k] = step * Float(code) }
    }
    #expect(latent.value.scalars == expected)
    #expect(n == 1 ? nearest == rows : nearest < rows / 2, "\(nearest) rows take the nearest codes")
    // The values are on the grid: quantising them changes nothing.
    let quantised = Tape(recording: false).slice(slice).value.scalars
    let values = chosen.flatMap { row in (0..<n).map { latent.value.scalars[Int(row) * (n + 3) + $0] } }
    #expect(quantised == values)
  }

  @Test(arguments: 1...6)
  func outputErrorIsBelowThatOfRounding(seed: Int) throws {
    var random = AwkwardValues(seed)
    let (rows, n) = (12, 24)
    let h = hessian(order: n, samples: 60, &random)
    let start = random.tensor([rows, n], in: -0.8...0.8)
    let latent = Parameter(name: "w", role: .weight, value: start.copied())
    for bits in [UInt8(4), 8] {
      latent.value.assign(start)
      let scale = Parameter(name: "s", role: .scale, value: Tensor(repeating: bits == 4 ? 0.12 : 0.007, shape: [rows]))
      let slice = WeightSlice(
        latent: latent, scale4: scale, scale8: scale, rows: (0..<Int32(rows)).map { $0 }, width: n,
        bits: Array(repeating: bits, count: rows))
      let nearest = Tape(recording: false).slice(slice).value.scalars
      CompensatedRounding.round(slice, factor: try CompensatedRounding.inverseFactor(h, order: n, name: "w"))
      let (before, after) = (
        outputError(nearest, start.scalars, width: n, h), outputError(latent.value.scalars, start.scalars, width: n, h)
      )
      #expect(after < 0.8 * before, "\(bits) bits: \(after), to nearest \(before)")
    }
  }

  /// Independent inputs leave nothing to compensate.
  @Test func diagonalIsRoundingToNearest() throws {
    var random = AwkwardValues(5)
    let start = random.tensor([3, 6], in: -0.8...0.8)
    for diagonal in [0.0, 4] {
      let latent = Parameter(name: "w", role: .weight, value: start.copied())
      let scale = Parameter(name: "s", role: .scale, value: Tensor(repeating: 0.1, shape: [3]))
      let slice = WeightSlice(latent: latent, scale8: scale, rows: [0, 1, 2], width: 6, bits: [8, 8, 8])
      let nearest = Tape(recording: false).slice(slice).value.scalars
      let h = (0..<36).map { $0 % 7 == 0 ? diagonal : 0.0 }
      CompensatedRounding.round(slice, factor: try CompensatedRounding.inverseFactor(h, order: 6, name: "w"))
      #expect(latent.value.scalars == nearest)
    }
  }

  /// (H + λ·mean)⁻¹ = Uᵀ·U with the first λ that makes it positive definite.
  @Test func dampingGrowsUntilItSuffices() throws {
    // Eigenvalues 1 ± b, mean diagonal 1.
    for (b, damping) in [(0.5, 0.01), (1.0, 0.01), (1.05, 0.1), (1.5, 1.0)] {
      let u = try CompensatedRounding.inverseFactor([1, b, b, 1], order: 2, name: "layer")
      let determinant = (1 + damping) * (1 + damping) - b * b
      let expected = [(1 + damping) / determinant, -b / determinant, (1 + damping) / determinant]
      let found = [u[0] * u[0], u[0] * u[1], u[1] * u[1] + u[3] * u[3]]
      for (x, y) in zip(found, expected) { #expect(abs(x - y) < 1e-9 * abs(y), "\(b): \(found), \(expected)") }
    }
    #expect(try abs(CompensatedRounding.inverseFactor([2], order: 1, name: "layer")[0] - 1 / 2.02.squareRoot()) < 1e-15)
    for wrong in [[1.0, 3, 3, 1], [-1, 0, 0, -1], [.nan, 0, 0, 1], [1, .infinity, .infinity, 1]] {
      let error = #expect(throws: QuasarError.self) {
        try CompensatedRounding.inverseFactor(wrong, order: 2, name: "blocks.3.expand")
      }
      #expect(error?.kind == .badData && error?.message.hasPrefix("blocks.3.expand: 2·X·Xᵀ of its 2 inputs") == true)
      #expect(error?.message.contains("gptq_start") == true)
    }
  }
}
