import QuasarAutograd
import QuasarTensor
import Testing

@testable import QuasarSupernet

@Suite struct CalibrationTests {
  @Test func stepsArePositiveAndRankingsArePermutations() throws {
    let net = try Tiny.net()
    for parameter in net.parameters where parameter.role == .scale {
      #expect(parameter.value.scalars.allSatisfy { $0.isFinite && $0 > 0 }, "\(parameter.name)")
    }
    #expect(net.residualStep > 0 && net.residualStep.isFinite)
    #expect(net.rowRankings.count == 8)
    for (name, ranking) in net.rowRankings {
      #expect(ranking.sorted() == (0..<Int32(ranking.count)).map { $0 }, "\(name)")
    }
  }

  @Test func weightRangeIsCovered() throws {
    let net = try Tiny.net()
    for linear in net.blocks.flatMap(\.linears) {
      let width = linear.weight.value.width
      for row in 0..<linear.scale8.value.count {
        let values = (0..<width).map { abs(linear.weight.value.pointer[row * width + $0]) }
        let largest = try #require(values.max())
        // Clipping helps at most a little: a step never reaches less than a tenth of the largest weight and
        // never beyond it.
        for (step, limit) in [(linear.scale8, Float(127)), (try #require(linear.scale4), 7)] {
          let top = step.value.pointer[row] * limit
          #expect(top <= largest * 1.0001 && top >= largest * 0.0999, "\(linear.name) row \(row)")
        }
      }
    }
  }

  /// A row whose 4-bit codes are exact is ranked last, one with a large rounding error first.
  @Test func rankingPutsTheWorstRowFirst() throws {
    let net = try Tiny.net()
    let linear = net.blocks[0].expand
    let width = linear.weight.value.width
    for row in 0..<linear.weight.value.shape[0] {
      for k in 0..<width {
        let exact = Float([7, -7, 3, 0, 5, -1, 2, 4][k % 8]) * 0.01
        linear.weight.value.pointer[row * width + k] = exact
      }
    }
    for k in 0..<width { linear.weight.value.pointer[9 * width + k] = k == 0 ? 7 : 0.5 - Float(k) / 100 }
    for k in 0..<width { linear.weight.value.pointer[4 * width + k] = k == 0 ? 0.7 : 0.05 - Float(k) / 1000 }
    try net.calibrate([Tiny.patches(8)], architecture: Tiny.space.largest)
    #expect(linear.ranking.prefix(2) == [9, 4])
  }

  @Test func activationsAloneLeaveWeightStepsAndRankings() throws {
    let net = try Tiny.net()
    let rankings = net.rowRankings
    let steps = net.blocks[0].qkv.scale4?.value.scalars
    net.blocks[0].qkv.weight.value.fill(0.25)
    try net.calibrate([Tiny.patches(8, seed: 9)], architecture: Tiny.full, weights: false)
    #expect(net.rowRankings == rankings && net.blocks[0].qkv.scale4?.value.scalars == steps)
  }

  @Test func equalDataGivesEqualSteps() throws {
    let (a, b) = (try Tiny.net(), try Tiny.net())
    for (x, y) in zip(a.parameters, b.parameters) { #expect(Tiny.bits(x.value) == Tiny.bits(y.value)) }
    #expect(a.residualStep == b.residualStep && a.rowRankings == b.rowRankings)
  }

  /// More bits, finer steps; 8-bit fake quantisation follows fp32 more closely than 4-bit.
  @Test func quantisedLogitsFollowFullPrecision() throws {
    let net = try Tiny.net()
    let input = Tiny.patches(16)
    func error(bits: Int, share: RowShare) throws -> Double {
      let architecture = Tiny.full.uniform(share: share, activationBits: bits)
      let full = try Tiny.forward(net, architecture, .full, input).logits.value.scalars
      let quantized = try Tiny.forward(net, architecture, .quantized, input).logits.value.scalars
      let mean = full.reduce(0.0) { $0 + Double($1) } / Double(full.count)
      let spread = full.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
      return zip(full, quantized).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) } / spread
    }
    let (eight, four) = (try error(bits: 8, share: .all), try error(bits: 4, share: .none))
    #expect(eight < 0.01 && eight < four, "8 bits \(eight), 4 bits \(four)")
    for steps in [net.blocks[0].norm1Step, net.blocks[0].hiddenStep] {
      let values = [8, 6, 4].map { steps.parameter(bits: $0).value.pointer[0] }
      #expect(values[0] < values[1] && values[1] < values[2])
    }
  }
}
