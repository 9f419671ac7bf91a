import QuasarAutograd
import QuasarNetwork
import QuasarTensor
import Testing

@testable import QuasarSupernet

/// Keeps all values that quantisers see.
private final class ValueKeeper: ActivationObserver {
  var values: [String: [[Float]]] = [:]
  func record(_ name: String, _ x: Tensor, parts: Int) {
    guard name != "residual" else { return }
    for row in 0..<x.rowCount {
      values[name, default: []].append((0..<x.width).map { x.pointer[row * x.width + $0] })
    }
  }
  func recordInput(_ name: String, _ x: Tensor) {}
}

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
    for linear in net.mixedLinears {
      let width = linear.weight.value.width
      for row in 0..<linear.scale8.value.count {
        let values = (0..<width).map { abs(linear.weight.value.pointer[row * width + $0]) }
        let largest = try #require(values.max())
        // Clipping helps only a little: a step never reaches less than a tenth of the largest weight and never more
        // than all of it.
        for (step, limit) in [(linear.scale8, Float(127)), (try #require(linear.scale4), 7)] {
          let top = step.value.pointer[row] * limit
          #expect(top <= largest * 1.0001 && top >= largest * 0.0999, "\(linear.name) row \(row)")
        }
      }
    }
  }

  /// A row whose 4-bit codes are exact is ranked last, a row with a large rounding error first.
  @Test func rankingPutsTheWorstRowFirst() throws {
    let net = try Tiny.net()
    let linear = net.linear(.expand, 0)
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
    let steps = net.linear(.qkv, 0).scale4?.value.scalars
    net.linear(.qkv, 0).weight.value.fill(0.25)
    try net.calibrate([Tiny.patches(8, seed: 9)], architecture: Tiny.full, weights: false)
    #expect(net.rowRankings == rankings && net.linear(.qkv, 0).scale4?.value.scalars == steps)
  }

  @Test func equalDataGivesEqualSteps() throws {
    let (a, b) = (try Tiny.net(), try Tiny.net())
    for (x, y) in zip(a.parameters, b.parameters) { #expect(Tiny.bits(x.value) == Tiny.bits(y.value)) }
    #expect(a.residualStep == b.residualStep && a.rowRankings == b.rowRankings)
  }

  /// (value at the percentile)/(largest code), from all values that the quantisers see, sorted.
  @Test(arguments: [95, 99.5, 100])
  func percentileIsTheLargestCode(percentile: Double) throws {
    let net = try Tiny.net()
    let batches = [Tiny.patches(20, seed: 3), Tiny.patches(7, seed: 4)]
    let keeper = ValueKeeper()
    for batch in batches {
      _ = try net.forward(
        Tape(recording: false), batch, architecture: Tiny.space.largest, mode: .full, recorder: keeper)
    }
    let residual = try Tiny.net()
    try residual.calibrate(batches, architecture: Tiny.space.largest)
    try net.calibrate(batches, architecture: Tiny.space.largest, percentile: percentile)
    #expect(net.residualStep == residual.residualStep && net.rowRankings == residual.rowRankings)
    #expect(keeper.values.count == 6 * 2 + 1)
    let quantisers = net.layers.flatMap { [$0.tableSteps, $0.steps] }.compactMap { $0 }
    #expect(quantisers.count == 6 * 2 + 1)
    for steps in quantisers {
      let rows = try #require(keeper.values[steps.name])
      let isGELU = steps.name.hasSuffix(".hidden.step")
      for (bits, parameter) in steps.byBits {
        let width = rows[0].count / parameter.value.count
        for part in 0..<parameter.value.count {
          let values = rows.flatMap { $0[part * width..<(part + 1) * width] }.map { isGELU ? max($0, 0) : abs($0) }
            .sorted()
          let rank = max(1, Int((percentile / 100 * Double(values.count) - 1e-6).rounded(.up)))
          // Codes of GELU also reach down to −0.17: step·(2^bits − 1) is the whole range.
          let reach = values[rank - 1] + (isGELU ? 0.1699712 : 0)
          let high = Float(isGELU ? 1 << bits - 1 : 1 << (bits - 1) - 1)
          let step = parameter.value.pointer[part]
          // The histogram rounds up to ten bits.
          #expect(
            step >= reach / high * 0.999999 && step <= reach / high * (1 + 0x1p-9) * 1.000001,
            "\(parameter.name): \(step), not \(reach / high)")
        }
      }
    }
  }

  /// More bits give finer steps; 8-bit fake quantisation follows fp32 more closely than 4-bit.
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
    for steps in [net.steps(.norm1, 0), net.steps(.expand, 0)] {
      let values = [8, 6, 4].map { steps.parameter(bits: $0).value.pointer[0] }
      #expect(values[0] < values[1] && values[1] < values[2])
    }
  }
}
