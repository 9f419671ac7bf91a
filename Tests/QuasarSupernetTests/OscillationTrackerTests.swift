import QuasarAutograd
import QuasarNetwork
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarSupernet

@Suite struct OscillationTrackerTests {
  private func net(_ entanglement: Entanglement) throws -> Supernet {
    let net = Supernet(
      size: SupernetSize(Tiny.full), preprocessing: Preprocessing(mean: [0.45], deviation: [0.3]),
      random: RandomSource(seed: 3), entanglement: entanglement)
    try net.calibrate([Tiny.patches(24)], architecture: Tiny.full)
    return net
  }

  private func quantised(_ linear: LinearParameters, row: Int, bits: UInt8) -> [Float] {
    let slice = LayerSlice(rows: [Int32(row)], width: linear.weight.value.width, bits: [bits])
    let step = linear.step(row: row, bits: bits)
    return Tape(recording: false).slice(linear.weightSlice(slice)).value.scalars.map { ($0 / step).rounded() }
  }

  /// One weight of a row of each precision swings between two codes and is held; no other weight moves.
  @Test(arguments: Entanglement.allCases)
  func aSwingingWeightIsHeldInThePrecisionOfItsRow(entanglement: Entanglement) throws {
    let net = try net(entanglement)
    let linear = net.linear(.expand, 0)
    let slice = net.slice(.expand, 0, of: Tiny.full)
    let width = linear.weight.value.width
    let row4 = try #require(slice.bits.firstIndex(of: 4))
    let row8 = try #require(slice.bits.firstIndex(of: 8))
    let tracker = try OscillationTracker(net, following: Tiny.full, threshold: 0.3, momentum: 0.2)
    let places = [(row: row4, bits: UInt8(4)), (row: row8, bits: UInt8(8))]
    func set(_ code: Float) {
      for (row, bits) in places {
        linear.weight.value.pointer[row * width + 5] = code * linear.step(row: row, bits: bits)
      }
    }
    set(2)
    tracker.start()
    let before = net.parameters.map { $0.value.copied() }
    for update in 0..<3 {
      set(update % 2 == 0 ? 3 : 2)
      tracker.update()
      // Frequencies 0, 0.2, 0.36 > 0.3; the means 2.2, 2.16, 2.328.
      #expect((tracker.shares.frozen > 0) == (update == 2) && (tracker.shares.oscillating > 0) == (update == 1))
    }
    let total = Double(tracker.matrices.reduce(0) { $0 + $1.codes.count })
    #expect(abs(tracker.shares.frozen * total - 2) < 1e-9)
    let matrix = try #require(tracker.matrices.first { $0.name == linear.name })
    for (row, bits) in places {
      #expect(matrix.codes.pointer[row * width + 5] == 2 && matrix.states.pointer[row * width + 5] == 2)
      #expect(linear.weight.value.pointer[row * width + 5] == 2 * linear.step(row: row, bits: bits))
    }
    set(2)
    for (parameter, old) in zip(net.parameters, before) { #expect(Tiny.bits(parameter.value) == Tiny.bits(old)) }

    // Gradients of held weights are cleared, the neighbouring ones stay; updates and steps do not move the held codes.
    linear.weight.gradient.fill(1)
    tracker.clearFrozenGradients()
    #expect(
      linear.weight.gradient.scalars.count { $0 == 0 } == 2 && linear.weight.gradient.pointer[row4 * width + 5] == 0)
    for i in 0..<linear.scale8.value.count { linear.scale8.value.pointer[i] *= 1.25 }
    if let scale4 = linear.scale4 { for i in 0..<scale4.value.count { scale4.value.pointer[i] *= 1.25 } }
    for (row, _) in places { linear.weight.value.pointer[row * width + 5] = 0.7 }
    tracker.update()
    for (row, bits) in places {
      #expect(linear.weight.value.pointer[row * width + 5] == 2 * linear.step(row: row, bits: bits))
      #expect(quantised(linear, row: row, bits: bits)[5] == 2)
    }
    // Averages get the code at their own steps.
    let averages = Dictionary(uniqueKeysWithValues: net.parameters.map { ($0.name, $0.value.copied()) })
    func average(_ parameter: Parameter) -> Tensor { averages[parameter.name]! }
    average(linear.weight).fill(9)
    average(linear.scale8).fill(0.5)
    if let scale4 = linear.scale4 { average(scale4).fill(8) }
    tracker.holdFrozen(in: average)
    let held = average(linear.weight).scalars
    #expect(held[row4 * width + 5] == 16 && held[row8 * width + 5] == 1 && held.count { $0 == 9 } == held.count - 2)
  }

  /// Rows without 4-bit codes are followed at 8 bits, the rows of a supernet at 4 bits whatever the ranking is.
  @Test func followedCodes() throws {
    let net = try net(.independentSteps)
    for (architecture, all) in [
      (Tiny.full.uniform(share: .none, activationBits: 8), UInt8(4)),
      (Tiny.full.uniform(share: .all, activationBits: 8), 8),
    ] {
      let tracker = try OscillationTracker(net, following: architecture, threshold: 0.1, momentum: 0.1)
      tracker.start()
      #expect(tracker.matrices.count == 10)
      for matrix in tracker.matrices {
        let linear = try #require(
          net.layers.compactMap(\.linear).first { $0.name == matrix.name })
        let bits = linear.isMixed ? all : 8
        let width = linear.weight.value.width
        for row in 0..<linear.weight.value.shape[0] {
          let codes = (0..<width).map { Float(matrix.codes.pointer[row * width + $0]) }
          #expect(codes == quantised(linear, row: row, bits: bits), "\(matrix.name) row \(row)")
        }
      }
    }
    var deep = Tiny.full
    deep.blocks.append(Tiny.genes())
    #expect(
      quasarError { _ = try OscillationTracker(net, following: deep, threshold: 0.1, momentum: 0.1) }?.kind == .badData)
  }
}
