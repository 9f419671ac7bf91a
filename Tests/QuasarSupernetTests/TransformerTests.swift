import Foundation
import QuasarAutograd
import QuasarTensor
import QuasarTestGradients
import QuasarTestSupport
import Testing

@testable import QuasarSupernet

@Suite struct TransformerTests {
  @Test(arguments: [[1, 1, 1], [3, 16, 7], [65, 2, 5], [129, 1, 1], [2, 49, 13]])
  func embed(shape: [Int]) {
    var random = AwkwardValues(shape[0])
    let (batch, patches, width) = (shape[0], shape[1], shape[2])
    verify(
      GradientCase(
        [random.tensor(shape), random.tensor([width]), random.tensor([patches + 1, width])], terms: batch,
        build: {
          $0.embed($0.parameter($1[0]), cls: $0.parameter($1[1]), position: $0.parameter($1[2]))
        },
        forward: { x in
          (0..<batch).flatMap { b in
            (0...patches).flatMap { t in
              (0..<width).map { c in
                (t == 0 ? x[1][c] : x[0][(b * patches + t - 1) * width + c]) + x[2][t * width + c]
              }
            }
          }
        }))
  }

  @Test(arguments: [[1, 1, 1], [3, 17, 7], [5, 13, 1], [129, 1, 13], [2, 50, 3]], [true, false])
  func residual(shape: [Int], dropsPaths: Bool) {
    var random = AwkwardValues(shape[1])
    let (tokens, width) = (shape[1], shape[2])
    let keeps = (0..<shape[0]).map { Float($0 % 3 == 1 ? 0 : 1.25) }
    verify(
      GradientCase(
        [random.tensor(shape), random.tensor(shape), random.tensor([width])], terms: shape[0] * tokens,
        valueTermSize: 20,  // 4·4·1.25
        build: {
          $0.residual(
            $0.parameter($1[0]), branch: $0.parameter($1[1]), gain: $0.parameter($1[2]),
            keep: dropsPaths ? Tensor(keeps, shape: [keeps.count]) : nil)
        },
        forward: { x in
          x[0].indices.map { i in
            let keep = dropsPaths ? Double(keeps[i / (tokens * width)]) : 1
            return x[0][i] + x[2][i % width] * keep * x[1][i]
          }
        }))
  }

  /// Scores are sums of d products of size ≤ 1; e^s doubles their error; sums over tokens follow.
  @Test(arguments: [
    [1, 1, 1, 8], [1, 1, 2, 16], [2, 17, 1, 8], [1, 17, 3, 16], [1, 50, 2, 32], [5, 5, 2, 8], [1, 65, 1, 8],
    [1, 3, 1, 1], [1, 7, 1, 13], [1, 6, 1, 64],
  ])
  func attention(sizes: [Int]) {
    var random = AwkwardValues(sizes[1] + sizes[3])
    let oracle = AttentionOracle(batch: sizes[0], tokens: sizes[1], heads: sizes[2], width: sizes[3])
    let qkv = random.tensor([sizes[0] * sizes[1], 3 * oracle.inner], limit: 2)
    verify(
      GradientCase(
        [qkv], terms: 4 * (sizes[1] + sizes[3]),
        build: {
          $0.attention(
            $0.parameter($1[0]),
            shape: AttentionShape(
              batch: sizes[0], tokens: sizes[1], heads: sizes[2], headDimension: sizes[3]))
        },
        forward: { oracle.output(oracle.exponentials($0[0]), $0[0]) }), limit: 60)
  }

  /// The integer unit's rounded e^(s − max). Straight through means d round(e) = round(e)·d ln e, so the surrogate is
  /// the frozen code times e^(s − s₀).
  @Test(arguments: [4, 6, 8])
  func attentionWithRoundedProbabilities(bits: Int) throws {
    let oracle = AttentionOracle(batch: 2, tokens: 17, heads: 2, width: 8)
    let levels = Double((1 << bits) - 1)
    // Draws until no exponential is close to a tie: float errors of levels·e are below levels·1e-6.
    let qkv = try #require(
      (0..<200).lazy.map { (seed: Int) -> Tensor in
        var random = AwkwardValues(seed)
        return random.tensor([34, 48], in: -2...2)
      }.first { draw in
        oracle.exponentials(draw.doubles).allSatisfy { e in
          let part = levels * e - (levels * e).rounded(.down)
          return abs(part - 0.5) > levels * 1e-6
        }
      })
    let base = qkv.doubles
    let codes = oracle.exponentials(base).map { (levels * $0).rounded() }
    let scores = oracle.scores(base)
    verify(
      GradientCase(
        [qkv], terms: 100,
        build: {
          $0.attention(
            $0.parameter($1[0]), shape: AttentionShape(batch: 2, tokens: 17, heads: 2, headDimension: 8),
            probabilityBits: bits)
        },
        forward: { oracle.output(oracle.exponentials($0[0]).map { (levels * $0).rounded() }, $0[0]) },
        surrogate: { x in
          let weights = zip(codes, zip(oracle.scores(x[0]), scores)).map { $0 * exp($1.0 - $1.1) }
          return oracle.output(weights, x[0])
        }))
  }
}
