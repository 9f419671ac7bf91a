import QuasarTensor
import QuasarTestGradients
import QuasarTestSupport
import Testing

@testable import QuasarAutograd

@Suite struct QuantizationTests {
  /// [rows, width, segments]; clamp limits of signed, unsigned and offset codes.
  @Test(
    arguments: [[1, 1, 1], [7, 13, 1], [65, 6, 3], [129, 3, 1], [129, 1, 1], [3, 50, 2]],
    [[-7, 7], [-127, 127], [0, 15], [-10, 53]])
  func quantize(shape: [Int], limits: [Int]) {
    var random = AwkwardValues(shape[0] + limits[1])
    let (width, segments) = (shape[1], shape[2])
    let scales = (0..<segments).map { Float(0.03125) * Float(3 + 5 * $0) }
    let x = (0..<shape[0] * width).map { i in
      random.quantizable(low: limits[0], high: limits[1], step: scales[i % width / (width / segments)])
    }
    let oracle = QuantizerOracle(low: Double(limits[0]), high: Double(limits[1]))
    let segment = { (i: Int) in i % width / (width / segments) }
    let frozen = x.indices.map { oracle.frozen(Double(x[$0]), Double(scales[segment($0)])) }
    verify(
      GradientCase(
        [Tensor(x, shape: [shape[0], width]), Tensor(scales, shape: [segments])],
        // v = x/s is known to |v|·2^−23 and so is round(v) − v: slopes are sums of up to 127·2^−23 each.
        terms: 16 * shape[0] * width,
        build: {
          $0.quantize(
            $0.parameter($1[0]), scales: $0.parameter($1[1]), low: Float(limits[0]), high: Float(limits[1]))
        },
        forward: { x in x[0].indices.map { oracle.value(x[0][$0], x[1][segment($0)]) } },
        surrogate: { x in x[0].indices.map { frozen[$0](x[0][$0], x[1][segment($0)]) } }))
  }

  @Test func quantizeWorkedNumbers() {
    let tape = Tape(recording: false)
    let x = tape.constant(Tensor([1.3, -1.3, 0.25, 0.75, 9, -9], shape: [1, 6]))
    let s = tape.constant(Tensor([0.5], shape: [1]))
    // 0.25/0.5 and 0.75/0.5 are ties: half to even.
    #expect(tape.quantize(x, scales: s, low: -7, high: 7).value.scalars == [1.5, -1.5, 0, 1, 3.5, -3.5])
  }

  @Test func straightThroughHasTheOtherValueAndTheIdentityGradient() {
    var random = AwkwardValues(8)
    let x = random.tensor([7, 13])
    let other = random.tensor([7, 13])
    verify(
      GradientCase(
        [x], terms: 1, build: { $0.straightThrough($0.parameter($1[0]), value: other) },
        forward: { _ in other.doubles }, surrogate: { $0[0] }))
  }
}
