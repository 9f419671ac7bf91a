import Foundation
import QuasarAutograd
import QuasarTensor
import QuasarTestGradients
import QuasarTestSupport
import Testing

@Suite struct NormalisationTests {
  /// The terms of a row go through 1/σ, which adds a few roundings, so the terms of rows and width are added.
  @Test(arguments: [[1, 1], [7, 13], [65, 7], [129, 16], [129, 1], [3, 131]])
  func layerNorm(shape: [Int]) {
    var random = AwkwardValues(shape[0] + shape[1])
    let width = shape[1]
    let inputs = [random.tensor(shape), random.tensor([width]), random.tensor([width])]
    for epsilon in [Float(1e-5), 0.25] {
      verify(
        GradientCase(
          // One column: y = bias, and the terms weight/√epsilon of the gradient cancel.
          inputs, terms: 4 * shape[0] + width, termSize: width == 1 ? 4 / Double(epsilon).squareRoot() : 0,
          build: {
            $0.layerNorm(
              $0.parameter($1[0]), weight: $0.parameter($1[1]), bias: $0.parameter($1[2]), epsilon: epsilon)
          },
          forward: { oracleLayerNorm($0[0], $0[1], $0[2], epsilon: Double(epsilon)) }))
    }
  }

  /// |logits| ≤ 9: e^x is accurate to a few 2^−24 of itself plus |x|·2^−24 of the argument: terms 100.
  @Test(arguments: awkwardShapes)
  func softmax(shape: [Int]) {
    var random = AwkwardValues(shape[1] + 2)
    let width = shape[1]
    verify(
      GradientCase(
        [random.tensor(shape, limit: 9)], terms: 100, build: { $0.softmax($0.parameter($1[0])) },
        forward: { mapRows($0[0], width: width, oracleSoftmax) }))
  }

  @Test(arguments: awkwardShapes)
  func crossEntropyWithSoftTargets(shape: [Int]) {
    var random = AwkwardValues(shape[1] + 9)
    let width = shape[1]
    // The rows do not sum to one, so the gradient must carry Σ targets.
    let targets = random.tensor(shape, in: 0...1)
    let expected = targets.doubles
    verify(
      GradientCase(
        [random.tensor(shape, limit: 9)], terms: 100 + shape[0] * width,
        build: { $0.crossEntropy($0.parameter($1[0]), targets: targets) },
        forward: { [oracleCrossEntropy($0[0], expected, width: width)] }))
  }

  @Test func softmaxOfHugeLogitsStaysFinite() {
    let tape = Tape(recording: false)
    let y = tape.softmax(tape.constant(Tensor([1e30, 1e30, -1e30], shape: [1, 3]))).value.scalars
    #expect(y[0] == 0.5 && y[1] == 0.5 && y[2] >= 0 && y[2] < 1e-37)
  }
}
