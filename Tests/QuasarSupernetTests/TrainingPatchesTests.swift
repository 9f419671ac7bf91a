import CKernels
import QuasarArithmetic
import QuasarAutograd
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarSupernet

/// The patch embedding on integer products against plain loops in double.
@Suite struct TrainingPatchesTests {
  private struct Problem {
    let rows: Int
    let width: Int
    let depth: Int
    let means: [Float]
    let steps: [Float]
    let pixels: NDArray<UInt8>
    let weights: NDArray<Int8>
    let bias: [Float]
    let gradient: Tensor

    init(_ shape: [Int]) {
      (rows, width, depth) = (shape[0], shape[1], shape[2])
      var random = AwkwardValues(rows)
      means = (0..<depth).map { [0.485, 0.456, 0.406][$0 % 3] }
      steps = (0..<width).map { _ in random.uniform(1e-4...1e-2) }
      pixels = NDArray(
        (0..<rows * depth).map { _ in random.next() % 8 == 0 ? 255 : UInt8(random.code(in: 0...255)) },
        shape: [rows, depth])
      weights = NDArray(
        (0..<width * depth).map { _ in Int8(random.code(in: -127...127)) }, shape: [width, depth])
      bias = (0..<width).map { _ in random.uniform(-1...1) }
      gradient = random.tensor([rows, width])
    }

    func input(_ r: Int, _ k: Int) -> Double { Double(pixels.pointer[r * depth + k]) / 255 - Double(means[k]) }

    /// y, and the gradients of weights and biases.
    func run(_ form: qk_gradient_form) throws -> (y: [Float], weight: [Float], bias: [Float]) {
      let layer = try IntegerLinear(
        name: "patches", codes: weights, rowBits: Array(repeating: 8, count: width), realBias: bias,
        scales: IntegerLinear.Scales(
          input: 1 / 255, inputMean: means, rows: steps, output: Array(repeating: 0.01, count: width)))
      // Latent weights are just inside their codes: nothing is clamped, so gradients pass through.
      let latent = Parameter(
        name: "weight", role: .weight,
        value: Tensor(
          (0..<width * depth).map { 0.999 * steps[$0 / depth] * Float(weights.pointer[$0]) }, shape: [width, depth]))
      let latentBias = Parameter(name: "bias", role: .vector, value: Tensor(bias, shape: [width]))
      let slice = WeightSlice(
        latent: latent, scale8: Parameter(name: "step8", role: .scale, value: Tensor(steps, shape: [width])),
        rows: (0..<Int32(width)).map { $0 }, width: depth, bits: Array(repeating: 8, count: width))
      let patches = TrainingPatches(
        layer: layer.trainingLayer(
          weight: slice, bias: WeightSlice(entries: slice.rows, of: latentBias), rowSteps: steps,
          realBias: bias),
        gradientForm: form, inputStep: 1 / 255, means: means)
      let tape = Tape()
      let y = try tape.trainingPatches(pixels, patches)
      tape.backward(from: y, seed: gradient)
      return (y.value.scalars, latent.gradient.scalars, latentBias.gradient.scalars)
    }
  }

  /// One leaf and more, the last one short; depths that are not multiples of four; both granules of widths.
  static let shapes = [[1, 8, 48], [256, 16, 49], [300, 24, 27], [777, 32, 768]]

  /// y is the exact sum of codes, except for the bias, which is rounded to one unit 1/255·step of that sum, and for
  /// three roundings of a float.
  @Test(arguments: shapes)
  func forwardIsTheProduct(shape: [Int]) throws {
    let problem = Problem(shape)
    let y = try problem.run(QK_GRADIENT_BYTES).y
    for r in 0..<problem.rows {
      for n in 0..<problem.width {
        var sum = Double(problem.bias[n])
        let step = Double(problem.steps[n])
        for k in 0..<problem.depth {
          sum += problem.input(r, k) * step * Double(problem.weights.pointer[n * problem.depth + k])
        }
        let found = Double(y[r * problem.width + n])
        #expect(abs(found - sum) <= step / 255 / 2 + 4 * 0x1p-24 * abs(sum) + 1e-9, "row \(r), output \(n)")
      }
    }
  }

  /// A gradient code is off by at most half a unit. The unit is the largest magnitude of a column of the leaf over 127,
  /// or over 2^13; the code is multiplied by code − 128. Floats add one rounding of 2^−24 per leaf and row.
  @Test(arguments: shapes, [QK_GRADIENT_BYTES, QK_GRADIENT_WORDS])
  func gradientsAreTheProducts(shape: [Int], form: qk_gradient_form) throws {
    let problem = Problem(shape)
    let found = try problem.run(form)
    let g = problem.gradient.scalars.map { Double($0) }
    let levels = form == QK_GRADIENT_BYTES ? 127.0 : 0x1p13
    for n in 0..<problem.width {
      let column = (0..<problem.rows).map { g[$0 * problem.width + n] }
      let sum = column.reduce(0, +)
      let magnitude = column.reduce(0) { $0 + abs($1) }
      let roundings = Double(problem.rows + 8) * 0x1p-24
      #expect(abs(Double(found.bias[n]) - sum) <= roundings * magnitude)
      let units = stride(from: 0, to: problem.rows, by: 256).map { first in
        column[first..<min(first + 256, problem.rows)].reduce(0) { max($0, abs($1)) } / levels
      }
      for k in 0..<problem.depth {
        var exact = 0.0
        var bound = 0.0
        for r in 0..<problem.rows {
          exact += column[r] * problem.input(r, k)
          bound += units[r / 256] / 2 * abs(Double(problem.pixels.pointer[r * problem.depth + k]) - 128) / 255
        }
        let value = Double(found.weight[n * problem.depth + k])
        #expect(abs(value - exact) <= 1.001 * bound + roundings * magnitude, "output \(n), input \(k)")
      }
    }
  }
}
