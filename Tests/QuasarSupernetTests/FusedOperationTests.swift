import Dispatch
import QuasarAutograd
import QuasarTensor
import QuasarTestGradients
import QuasarTestSupport
import Synchronization
import Testing

@testable import QuasarSupernet

/// Operations that join the tape from another module, together with its own.
@Suite struct FusedOperationTests {
  @Test func slicesAddUpToo() {
    let p = Parameter(name: "p", role: .weight, value: Tensor([1, 2, 3, 4], shape: [2, 2]))
    let tape = Tape()
    let y = tape.slice(WeightSlice(latent: p, rows: [1], width: 1, bits: [32]))
    tape.backward(from: y, keeping: true)
    tape.backward(from: y)
    #expect(p.gradient.scalars == [0, 0, 2, 0])
  }

  @Test func withoutRecordingNoSliceIsKept() {
    let p = Parameter(name: "p", role: .weight, value: Tensor([1, 2, 3, 4], shape: [2, 2]))
    let tape = Tape(recording: false)
    let w = tape.slice(WeightSlice(latent: p, rows: [1, 0], width: 2, bits: [32, 32]))
    #expect(tape.linear(tape.parameter(p), weight: w, bias: nil).shape == [2, 2])
    #expect(p.gradient.scalars == [0, 0, 0, 0])
  }

  /// The storage pool serves all threads: memory that a kernel still uses must not return to it.
  ///
  /// One thread walks backwards through the operations with scratch sums. The other holds small tensors of the same
  /// size classes (3 blocks·1…13 columns) and checks whether anything writes into them.
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
