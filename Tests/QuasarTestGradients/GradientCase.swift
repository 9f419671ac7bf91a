import CKernels
import QuasarAutograd
import QuasarTensor
import QuasarTestSupport
import Synchronization
import Testing

/// One operation with its double-precision oracle.
package struct GradientCase {
  package var inputs: [Tensor]
  /// Largest number of terms of any sum inside the operation, for the tolerance.
  package var terms: Int
  /// Size of the terms of gradients that cancel, so that the result does not show it.
  package var termSize: Double
  /// The same for values.
  package var valueTermSize: Double
  /// The operation under test on one parameter for each input.
  package var build: (Tape, [Parameter]) -> Variable
  /// The value in double precision.
  package var forward: ([[Double]]) -> [Double]
  /// The function that is differentiated, if it is not `forward`: rounding residuals are frozen.
  package var surrogate: (([[Double]]) -> [Double])?

  package init(
    _ inputs: [Tensor], terms: Int, termSize: Double = 0, valueTermSize: Double = 0,
    build: @escaping (Tape, [Parameter]) -> Variable, forward: @escaping ([[Double]]) -> [Double],
    surrogate: (([[Double]]) -> [Double])? = nil
  ) {
    self.inputs = inputs
    self.terms = terms
    self.termSize = termSize
    self.valueTermSize = valueTermSize
    self.build = build
    self.forward = forward
    self.surrogate = surrogate
  }
}

/// The thread count is a setting of the process; code that changes it holds this lock.
package let threadCount = Mutex(())

package func withThreads<T>(_ count: Int32, _ body: () throws -> T) rethrows -> T {
  try threadCount.withLock { _ in
    qk_set_thread_count(count)
    defer { qk_set_thread_count(0) }
    return try body()
  }
}

package struct Walk {
  package var output: Tensor
  package var gradients: [Tensor]
}

/// One forward and backward pass with the given number of threads.
package func walk(_ test: GradientCase, seed: Tensor?, threads: Int32) -> Walk {
  withThreads(threads) {
    let parameters = test.inputs.enumerated().map {
      Parameter(name: "input \($0)", role: .weight, value: $1.copied())
    }
    let tape = Tape()
    let output = test.build(tape, parameters)
    tape.backward(from: output, seed: seed)
    return Walk(output: output.value, gradients: parameters.map { $0.gradient.copied() })
  }
}

/// Checks forward against the oracle, gradients against central differences of the oracle, one thread against two.
///
/// Tolerance: `floatTolerance` for the stated number of terms (plus the rows that a gradient sums over), at the
/// size of the largest expected value.
package func verify(
  _ test: GradientCase, seed number: Int = 1, limit: Int = 90,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let doubles = test.inputs.map(\.doubles)
  let expected = test.forward(doubles)
  var random = AwkwardValues(number)
  let weights = (0..<expected.count).map { _ in random.uniform(-1...1) }
  let probe = withThreads(1) {
    test.build(
      Tape(recording: false), test.inputs.map { Parameter(name: "input", role: .weight, value: $0) }
    ).value.shape
  }
  let seed = Tensor(weights, shape: probe)
  let one = walk(test, seed: seed, threads: 1)
  let two = walk(test, seed: seed, threads: 2)
  let forward = difference(
    one.output.scalars, expected,
    tolerance: floatTolerance(terms: test.terms, magnitude: max(test.valueTermSize, magnitude(expected)))
  )
  #expect(forward == nil, "forward: \(forward ?? "")", sourceLocation: sourceLocation)
  #expect(
    firstDifference(one.output.bits, two.output.bits) == nil, "forward bits with 2 threads",
    sourceLocation: sourceLocation)
  let surrogate = test.surrogate ?? test.forward
  let loss = { (x: [[Double]]) -> Double in
    zip(surrogate(x), weights).reduce(0) { $0 + $1.0 * Double($1.1) }
  }
  for i in test.inputs.indices {
    let places = spread(test.inputs[i].count, limit: limit)
    let slopes = places.map { centralDifference(loss, at: doubles, input: i, element: $0) }
    let actual = one.gradients[i].scalars
    let bound = floatTolerance(
      terms: max(test.terms, expected.count), magnitude: max(test.termSize, magnitude(slopes)))
    let gradient = difference(places.map { actual[$0] }, slopes, tolerance: bound)
    #expect(gradient == nil, "gradient of input \(i): \(gradient ?? "")", sourceLocation: sourceLocation)
    #expect(
      firstDifference(one.gradients[i].bits, two.gradients[i].bits) == nil,
      "gradient bits of input \(i) with 2 threads", sourceLocation: sourceLocation)
  }
}
