import Foundation
import QuasarAutograd
import QuasarTensor
import QuasarTestGradients
import QuasarTestSupport
import Testing

/// Shapes [rows, width]: one element, primes, width 1, and row counts on both sides of the 64-row block.
let awkwardShapes = [[1, 1], [7, 13], [64, 3], [65, 7], [129, 1], [129, 13], [1, 50]]

@Suite struct ArithmeticTests {
  @Test(arguments: [[1, 1, 1], [7, 13, 5], [65, 7, 3], [129, 1, 2], [3, 131, 1]])
  func product(shape: [Int]) {
    let (m, k, n) = (shape[0], shape[1], shape[2])
    for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
      var random = AwkwardValues(m + 10 * k)
      let test = GradientCase(
        [random.tensor(ta ? [k, m] : [m, k]), random.tensor(tb ? [n, k] : [k, n])], terms: max(m, k, n),
        build: {
          $0.product($0.parameter($1[0]), $0.parameter($1[1]), transposeA: ta, transposeB: tb)
        },
        forward: { oracleProduct($0[0], $0[1], m: m, k: k, n: n, transposeA: ta, transposeB: tb) })
      verify(test)
    }
  }

  @Test(arguments: [[1, 1, 1], [7, 13, 5], [65, 7, 3], [129, 13, 1], [129, 1, 7]], [true, false])
  func linear(shape: [Int], hasBias: Bool) {
    let (m, k, n) = (shape[0], shape[1], shape[2])
    var random = AwkwardValues(m + k)
    let inputs = [random.tensor([m, k]), random.tensor([n, k])] + (hasBias ? [random.tensor([n])] : [])
    let test = GradientCase(
      inputs, terms: max(m, k, n),
      build: {
        $0.linear(
          $0.parameter($1[0]), weight: $0.parameter($1[1]), bias: hasBias ? $0.parameter($1[2]) : nil)
      },
      forward: { x in
        let y = oracleProduct(x[0], x[1], m: m, k: k, n: n, transposeB: true)
        return hasBias ? y.enumerated().map { $1 + x[2][$0 % n] } : y
      })
    verify(test)
  }

  @Test func linearKeepsTheLeadingAxes() {
    var random = AwkwardValues(5)
    let test = GradientCase(
      [random.tensor([3, 25, 7]), random.tensor([5, 7]), random.tensor([5])], terms: 75,
      build: { $0.linear($0.parameter($1[0]), weight: $0.parameter($1[1]), bias: $0.parameter($1[2])) },
      forward: { x in
        oracleProduct(x[0], x[1], m: 75, k: 7, n: 5, transposeB: true).enumerated().map { $1 + x[2][$0 % 5] }
      })
    verify(test)
    let tape = Tape(recording: false)
    let y = tape.linear(
      tape.constant(test.inputs[0]), weight: tape.constant(test.inputs[1]), bias: nil)
    #expect(y.shape == [3, 25, 5])
  }

  @Test(arguments: awkwardShapes)
  func elementwise(shape: [Int]) {
    var random = AwkwardValues(shape[0])
    let pair = [random.tensor(shape), random.tensor(shape)]
    verify(
      GradientCase(
        pair, terms: 1, build: { $0.add($0.parameter($1[0]), $0.parameter($1[1])) },
        forward: { zip($0[0], $0[1]).map { $0 + $1 } }))
    verify(
      GradientCase(
        pair, terms: 1, build: { $0.subtract($0.parameter($1[0]), $0.parameter($1[1])) },
        forward: { zip($0[0], $0[1]).map { $0 - $1 } }))
    verify(
      GradientCase(
        pair, terms: 1, build: { $0.multiply($0.parameter($1[0]), $0.parameter($1[1])) },
        forward: { zip($0[0], $0[1]).map { $0 * $1 } }))
    verify(
      GradientCase(
        [pair[0]], terms: 1, build: { $0.scale($0.parameter($1[0]), by: -1.75) },
        forward: { $0[0].map { $0 * -1.75 } }))
  }

  @Test(arguments: awkwardShapes)
  func rowBroadcast(shape: [Int]) {
    var random = AwkwardValues(shape[1])
    let width = shape[1]
    let inputs = [random.tensor(shape), random.tensor([width])]
    verify(
      GradientCase(
        inputs, terms: shape[0], build: { $0.addRow($0.parameter($1[0]), $0.parameter($1[1])) },
        forward: { x in x[0].enumerated().map { $1 + x[1][$0 % width] } }))
    verify(
      GradientCase(
        inputs, terms: shape[0], build: { $0.multiplyRow($0.parameter($1[0]), $0.parameter($1[1])) },
        forward: { x in x[0].enumerated().map { $1 * x[1][$0 % width] } }))
  }

  /// terms 16: the error of Φ is up to 2e-7 (its stated bound), plus four float roundings, times |x| ≤ 9.
  @Test(arguments: awkwardShapes)
  func gelu(shape: [Int]) {
    var random = AwkwardValues(shape[0] + 3)
    verify(
      GradientCase(
        [random.tensor(shape, limit: 9)], terms: 16, build: { $0.gelu($0.parameter($1[0])) },
        forward: { $0[0].map(oracleGELU) }))
  }

  @Test(arguments: awkwardShapes)
  func reductions(shape: [Int]) {
    var random = AwkwardValues(shape[0] + 4)
    let x = random.tensor(shape)
    let width = shape[1]
    verify(
      GradientCase(
        [x], terms: x.count, build: { $0.sum($0.parameter($1[0])) }, forward: { [$0[0].reduce(0, +)] }))
    verify(
      GradientCase(
        [x], terms: x.count, build: { $0.mean($0.parameter($1[0])) },
        forward: { [$0[0].reduce(0, +) / Double($0[0].count)] }))
    verify(
      GradientCase(
        [x], terms: shape[0], build: { $0.columnSums($0.parameter($1[0])) },
        forward: { x in
          (0..<width).map { c in stride(from: c, to: x[0].count, by: width).reduce(0) { $0 + x[0][$1] } }
        }))
  }

  @Test func sumOverManyBlocks() {
    var random = AwkwardValues(17)
    let x = random.tensor([129 * 131], limit: 2)
    verify(
      GradientCase(
        [x], terms: x.count, build: { $0.sum($0.parameter($1[0])) }, forward: { [$0[0].reduce(0, +)] }),
      limit: 20)
  }

  @Test func reshapeKeepsTheOrder() {
    var random = AwkwardValues(6)
    verify(
      GradientCase(
        [random.tensor([7, 13])], terms: 1, build: { $0.reshape($0.parameter($1[0]), [13, 7]) },
        forward: { $0[0] }))
  }

  @Test(arguments: [[7, 13], [129, 1], [65, 7], [1, 1]])
  func gatherRowsAddsRepeatedRows(shape: [Int]) {
    var random = AwkwardValues(shape[0] + 7)
    let (rows, width) = (shape[0], shape[1])
    let index = (0..<2 * rows + 1).map { _ in Int32(random.code(in: 0...rows - 1)) }
    verify(
      GradientCase(
        [random.tensor(shape)], terms: index.count, build: { $0.gatherRows($0.parameter($1[0]), index) },
        forward: { x in index.flatMap { x[0][Int($0) * width..<Int($0) * width + width] } }))
  }
}
