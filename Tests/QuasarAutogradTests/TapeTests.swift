import QuasarTensor
import QuasarTestGradients
import QuasarTestSupport
import Testing

@testable import QuasarAutograd

@Suite struct TapeTests {
  @Test func gradientsAddUpOverTwoWalks() {
    let p = Parameter(name: "p", role: .weight, value: Tensor([1, -2, 3], shape: [3]))
    let tape = Tape()
    let y = tape.scale(tape.parameter(p), by: 0.5)
    tape.backward(from: y, keeping: true)
    #expect(p.gradient.scalars == [0.5, 0.5, 0.5])
    tape.backward(from: y, seed: Tensor([2, 4, -8], shape: [3]))
    #expect(p.gradient.scalars == [1.5, 2.5, -3.5])
    p.clearGradient()
    #expect(p.gradient.scalars == [0, 0, 0])
  }

  /// A sum passes one gradient to both of its terms, and a walk begins with an array of the caller.
  @Test func parametersDoNotShareGradients() {
    let values = Tensor([1, 2], shape: [2])
    let (p, q) = (
      Parameter(name: "p", role: .weight, value: values), Parameter(name: "q", role: .weight, value: values)
    )
    let tape = Tape()
    let seed = Tensor([3, 4], shape: [2])
    tape.backward(from: tape.add(tape.parameter(p), tape.parameter(q)), seed: seed)
    p.gradient.fill(7)
    #expect(q.gradient.scalars == [3, 4] && seed.scalars == [3, 4])
    q.gradient.fill(8)
    #expect(p.gradient.scalars == [7, 7] && seed.scalars == [3, 4])
  }

  @Test func gradientsHaveMemoryWhileTheyAreNotZero() {
    let p = Parameter(name: "p", role: .weight, value: Tensor([1, 2], shape: [2]))
    #expect(p.gradientSoFar == nil && p.takeGradient() == nil)
    p.addGradient(consuming: Tensor([3, 4], shape: [2]))
    p.addGradient(consuming: Tensor([1, 1], shape: [2]))
    #expect(p.gradientSoFar != nil && p.gradient.scalars == [4, 5])
    #expect(p.takeGradient()?.scalars == [4, 5] && p.gradientSoFar == nil && p.gradient.scalars == [0, 0])
  }

  /// Values that nothing else holds are released once the walk has passed them.
  @Test func aWalkReleasesWhatItHasPassed() {
    let p = Parameter(name: "p", role: .weight, value: Tensor([1, 2], shape: [2]))
    let tape = Tape()
    let y = tape.scale(tape.gelu(tape.parameter(p)), by: 2)
    tape.backward(from: y)
    #expect(tape.nodes.allSatisfy { $0.value.count == 0 } && y.value.count == 2)
  }

  @Test func valueUsedTwiceGetsBothGradients() {
    var random = AwkwardValues(41)
    let x = random.tensor([7, 13])
    verify(
      GradientCase(
        [x], terms: 4,
        build: { tape, p in
          let x = tape.parameter(p[0])
          return tape.multiply(x, tape.add(x, tape.scale(x, by: 0.5)))
        },
        forward: { $0[0].map { 1.5 * $0 * $0 } }))
    verify(
      GradientCase(
        [x], terms: 26, termSize: 8,
        build: { tape, p in
          let x = tape.parameter(p[0])
          return tape.subtract(tape.product(x, x, transposeB: true), tape.product(x, x, transposeB: true))
        },
        forward: { _ in [Double](repeating: 0, count: 49) }))
    verify(
      GradientCase(
        [x], terms: 1,
        build: { tape, p in tape.add(tape.parameter(p[0]), tape.parameter(p[0])) },
        forward: { $0[0].map { 2 * $0 } }))
  }

  /// `add` passes the same tensor to both inputs; a later contribution to one must not change the other.
  @Test func sharedGradientStorageIsNotOverwritten() {
    let a = Parameter(name: "a", role: .weight, value: Tensor([1, 2], shape: [2]))
    let b = Parameter(name: "b", role: .weight, value: Tensor([3, 4], shape: [2]))
    let tape = Tape()
    let (va, vb) = (tape.parameter(a), tape.parameter(b))
    let y = tape.add(tape.scale(va, by: 10), tape.add(va, vb))
    let seed = Tensor([1, 2], shape: [2])
    tape.backward(from: y, seed: seed)
    #expect(a.gradient.scalars == [11, 22] && b.gradient.scalars == [1, 2])
    #expect(seed.scalars == [1, 2])
  }

  @Test func constantsGetNoGradient() {
    let p = Parameter(name: "p", role: .weight, value: Tensor([2, 3], shape: [1, 2]))
    let tape = Tape()
    let c = tape.constant(Tensor([5, 7], shape: [1, 2]))
    tape.backward(from: tape.multiply(tape.parameter(p), c))
    #expect(p.gradient.scalars == [5, 7])
    #expect(!tape.nodes[c.index].needsGradient)
  }

  @Test func withoutRecordingNothingIsKept() {
    let p = Parameter(name: "p", role: .weight, value: Tensor([1, 2, 3, 4], shape: [2, 2]))
    let tape = Tape(recording: false)
    let x = tape.parameter(p)
    let w = tape.scale(x, by: 2)
    let y = tape.softmax(tape.linear(x, weight: w, bias: nil))
    #expect(y.shape == [2, 2])
    #expect(tape.nodes.isEmpty)
    #expect(p.gradient.scalars == [0, 0, 0, 0])
  }

  @Test func onlyTheOutputsOwnPathIsWalked() {
    let p = Parameter(name: "p", role: .weight, value: Tensor([2], shape: [1]))
    let q = Parameter(name: "q", role: .weight, value: Tensor([3], shape: [1]))
    let tape = Tape()
    let y = tape.scale(tape.parameter(p), by: 4)
    _ = tape.scale(tape.parameter(q), by: 5)
    tape.backward(from: y)
    #expect(p.gradient.scalars == [4] && q.gradient.scalars == [0])
  }
}
