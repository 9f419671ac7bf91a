import Dispatch
import QuasarTensor
import QuasarTestSupport
import Synchronization
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

  /// A sum hands one gradient to both of its terms, and a walk begins with an array of the caller's.
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

  /// Values that nobody else holds are gone when the walk has passed them.
  @Test func aWalkReleasesWhatItHasPassed() {
    let p = Parameter(name: "p", role: .weight, value: Tensor([1, 2], shape: [2]))
    let tape = Tape()
    let y = tape.scale(tape.gelu(tape.parameter(p)), by: 2)
    tape.backward(from: y)
    #expect(tape.nodes.allSatisfy { $0.value.count == 0 } && y.value.count == 2)
  }

  @Test func slicesAddUpToo() {
    let p = Parameter(name: "p", role: .weight, value: Tensor([1, 2, 3, 4], shape: [2, 2]))
    let tape = Tape()
    let y = tape.slice(WeightSlice(latent: p, rows: [1], width: 1, bits: [32]))
    tape.backward(from: y, keeping: true)
    tape.backward(from: y)
    #expect(p.gradient.scalars == [0, 0, 2, 0])
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

  /// add hands the same tensor to both inputs; a later contribution to one must not change the other.
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
    let w = tape.slice(WeightSlice(latent: p, rows: [1, 0], width: 2, bits: [32, 32]))
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

  /// The storage pool serves all threads: memory that a kernel still uses must not go back to it.
  ///
  /// One thread walks backwards through the operations with scratch sums, the other holds small tensors of the
  /// same size classes (3 blocks·1…13 columns) and looks whether anybody writes into them.
  @Test func kernelsKeepTheirScratchWhileTheyRun() {
    let overwritten = Atomic(0)
    let walks = Atomic(0)
    DispatchQueue.concurrentPerform(iterations: 2) { thread in
      if thread == 0 {
        for _ in 0..<100 { withThreads(1) { Self.walkThroughScratch() } }
        walks.store(100, ordering: .releasing)
      } else {
        while walks.load(ordering: .acquiring) == 0 {
          let tensors = (0..<64).map { Tensor(repeating: 7, shape: [$0 % 2 == 0 ? 3 : 39]) }
          for _ in 0..<20 {
            for tensor in tensors where tensor.scalars.contains(where: { $0 != 7 }) {
              overwritten.add(1, ordering: .relaxed)
            }
          }
        }
      }
    }
    #expect(overwritten.load(ordering: .relaxed) == 0, "tensors of another thread were overwritten")
  }

  private static func walkThroughScratch() {
    let x = Parameter(name: "x", role: .weight, value: Tensor(repeating: 0.5, shape: [1, 129, 13]))
    let row = Parameter(name: "row", role: .vector, value: Tensor(repeating: 0.25, shape: [13]))
    let step = Parameter(name: "step", role: .scale, value: Tensor(repeating: 0.3, shape: [1]))
    let tape = Tape()
    let vx = tape.parameter(x)
    let vrow = tape.parameter(row)
    let codes = tape.quantize(vx, scales: tape.parameter(step), low: -7, high: 7)
    let y = tape.residual(tape.addRow(tape.multiplyRow(codes, vrow), vrow), branch: vx, gain: vrow)
    tape.backward(from: tape.columnSums(y))
  }

  /// A whole block by the chain rule: LayerNorm, linear, GELU, residual, cross-entropy.
  @Test func compositionAgainstTheOracle() {
    var random = AwkwardValues(42)
    let targets = random.tensor([15, 7], in: 0...0.5)
    let soft = targets.doubles
    let inputs = [
      random.tensor([3, 5, 7], limit: 2), random.tensor([7], in: 0.5...1.5), random.tensor([7], in: -1...1),
      random.tensor([7, 7], in: -0.5...0.5), random.tensor([7], in: -1...1), random.tensor([7], in: 0.1...1),
    ]
    verify(
      GradientCase(
        inputs, terms: 15 * 7 * 8,
        build: { tape, p in
          let v = p.map { tape.parameter($0) }
          let normal = tape.layerNorm(v[0], weight: v[1], bias: v[2])
          let branch = tape.gelu(tape.linear(normal, weight: v[3], bias: v[4]))
          let y = tape.residual(v[0], branch: branch, gain: v[5])
          return tape.crossEntropy(tape.reshape(y, [15, 7]), targets: targets)
        },
        forward: { x in
          let normal = oracleLayerNorm(x[0], x[1], x[2], epsilon: 1e-5)
          let z = oracleProduct(normal, x[3], m: 15, k: 7, n: 7, transposeB: true)
          let y = z.indices.map { i -> Double in
            let s = z[i] + x[4][i % 7]
            return x[0][i] + x[5][i % 7] * oracleGELU(s)
          }
          return [oracleCrossEntropy(y, soft, width: 7)]
        }))
  }
}
