import CKernels
import Testing

/// One weight followed by the definitions of the header, in single precision without fused operations.
private struct FollowedWeight: Equatable {
  var code = 0
  var direction = 0
  var isFrozen = false
  var frequency: Float = 0
  var mean: Float = 0

  static func code(of weight: Float, step: Float, bits: Int, nested: Bool) -> Int {
    let v = weight * (1 / step)
    if nested {
      let fine = min(max(Int((16 * v).rounded(.toNearestOrEven)), -127), 127)
      return min(max((fine + 8) >> 4, -7), 7)
    }
    let limit = bits == 4 ? 7 : 127
    return min(max(Int(v.rounded(.toNearestOrEven)), -limit), limit)
  }

  mutating func update(to new: Int, threshold: Float, momentum: Float) {
    if isFrozen { return }
    let against = (new > code && direction == -1) || (new < code && direction == 1)
    frequency = frequency + momentum * ((against ? 1 : 0) - frequency)
    mean = mean + momentum * (Float(new) - mean)
    if frequency > threshold {
      isFrozen = true
      code = Int(mean.rounded(.toNearestOrEven))
    } else {
      if new != code { direction = new > code ? 1 : -1 }
      code = new
    }
  }
}

@Suite struct OscillationTests {
  private struct Problem {
    let rows: Int
    let width: Int
    let sharing: qk_sharing
    let bits: [UInt8]
    var scale4: [Float]
    var scale8: [Float]

    func step(_ row: Int) -> Float {
      if bits[row] == 8 { return scale8[row] }
      return sharing == QK_SHARING_INDEPENDENT ? scale4[row] : 16 * scale8[row]
    }
    func code(_ weight: Float, _ row: Int) -> Int {
      FollowedWeight.code(
        of: weight, step: step(row), bits: Int(bits[row]), nested: sharing == QK_SHARING_NESTED && bits[row] == 4)
    }
  }

  /// Weights that wander and steps that move over 60 updates; every number after every update is equal to the bit.
  @Test(
    arguments: [QK_SHARING_INDEPENDENT, QK_SHARING_TIED, QK_SHARING_NESTED], [(1, 1), (5, 37), (3, 64), (2, 4099)])
  func everyNumberIsThatOfTheDefinition(sharing: qk_sharing, shape: (Int, Int)) {
    var random = SplitMix(shape.1 + Int(sharing.rawValue))
    let (rows, width) = shape
    func steps(_ range: ClosedRange<Float>) -> [Float] {
      (0..<rows).map { _ in Float.random(in: range, using: &random) }
    }
    var problem = Problem(
      rows: rows, width: width, sharing: sharing, bits: (0..<rows).map { $0 % 3 == 1 ? 8 : 4 },
      scale4: steps(0.1...0.2), scale8: steps(0.01...0.02))
    let count = rows * width
    let latent = Guarded((0..<count).map { _ in Float.random(in: -1.2...1.2, using: &random) })
    let (codes, states) = (Guarded<Int8>(count: count), Guarded<Int8>(count: count))
    let (frequency, mean) = (Guarded<Float>(count: count), Guarded<Float>(count: count))
    let (scale4, scale8) = (Guarded(problem.scale4), Guarded(problem.scale8))
    let counts = Guarded<UInt32>(count: 2 * rows)
    let bits = Guarded(problem.bits)
    var o = qk_oscillation()
    (o.rows, o.width, o.sharing, o.threshold, o.momentum) = (rows, width, sharing, 0.35, 0.1)
    o.bits = UnsafePointer(bits.base)
    o.scale4 = sharing == QK_SHARING_INDEPENDENT ? UnsafePointer(scale4.base) : nil
    o.scale8 = UnsafePointer(scale8.base)
    (o.code, o.state, o.frequency, o.mean) = (codes.base, states.base, frequency.base, mean.base)
    qk_oscillation_start(&o, latent.base)
    var oracle = (0..<count).map { i in
      let code = problem.code(latent.base[i], i / width)
      return FollowedWeight(code: code, mean: Float(code))
    }
    #expect(codes.array.map(Int.init) == oracle.map(\.code) && states.array.allSatisfy { $0 == 0 })

    for update in 0..<60 {
      for row in 0..<rows {
        problem.scale4[row] *= Float.random(in: 0.99...1.01, using: &random)
        problem.scale8[row] *= Float.random(in: 0.99...1.01, using: &random)
        scale4.base[row] = problem.scale4[row]
        scale8.base[row] = problem.scale8[row]
      }
      // Some swing by a little more than a step of 8 bits, some by one of 4 bits, some drift.
      for i in 0..<count {
        let swing: Float = [0.03, 0.2, 0.002, 0][i % 4]
        latent.base[i] += (update % 2 == 0 ? swing : -swing) + Float.random(in: -0.02...0.02, using: &random)
      }
      var expected = latent.array
      for i in 0..<count {
        oracle[i].update(to: problem.code(expected[i], i / width), threshold: 0.35, momentum: 0.1)
        if oracle[i].isFrozen { expected[i] = problem.step(i / width) * Float(oracle[i].code) }
      }
      qk_oscillation_step(&o, latent.base, counts.base)
      #expect(firstDifference(codes.array.map(Int.init), oracle.map(\.code)) == nil, "codes, update \(update)")
      #expect(
        firstDifference(states.array.map(Int.init), oracle.map { $0.isFrozen ? 2 : $0.direction }) == nil,
        "states, update \(update)")
      #expect(
        firstDifference(frequency.array.map(\.bitPattern), oracle.map(\.frequency.bitPattern)) == nil,
        "frequencies, update \(update)")
      #expect(firstDifference(mean.array.map(\.bitPattern), oracle.map(\.mean.bitPattern)) == nil, "means, \(update)")
      #expect(firstDifference(latent.array.map(\.bitPattern), expected.map(\.bitPattern)) == nil, "weights, \(update)")
      for row in 0..<rows {
        let own = oracle[row * width..<(row + 1) * width]
        #expect(counts.base[2 * row] == own.count { !$0.isFrozen && $0.frequency > 0.005 })
        #expect(counts.base[2 * row + 1] == own.count { $0.isFrozen })
      }
      // A frozen weight keeps its code under the rule of every slice.
      for i in 0..<count where oracle[i].isFrozen { #expect(problem.code(latent.base[i], i / width) == oracle[i].code) }
    }
    if count > 100 {
      let frozen = oracle.count { $0.isFrozen }
      #expect(frozen > count / 20 && frozen < count, "\(frozen) of \(count) frozen")
    }

    // Other values of the same weights with their own steps; gradients.
    let other = Guarded((0..<count).map { Float($0) })
    let other8 = Guarded(problem.scale8.map { 2 * $0 })
    let other4 = Guarded(problem.scale4.map { 2 * $0 })
    o.scale8 = UnsafePointer(other8.base)
    if sharing == QK_SHARING_INDEPENDENT { o.scale4 = UnsafePointer(other4.base) }
    qk_oscillation_hold(&o, other.base)
    let held = (0..<count).map {
      oracle[$0].isFrozen ? 2 * problem.step($0 / width) * Float(oracle[$0].code) : Float($0)
    }
    #expect(firstDifference(other.array, held) == nil)
    let gradient = Guarded((0..<count).map { Float($0 + 1) })
    qk_oscillation_mask(count, states.base, gradient.base)
    #expect(firstDifference(gradient.array, (0..<count).map { oracle[$0].isFrozen ? 0 : Float($0 + 1) }) == nil)
  }

  /// Codes 3, 4, 3, 4, …: the first change has no direction before it, every later one is an oscillation.
  @Test func workedNumbers() {
    let (codes, states) = (Guarded<Int8>(count: 1), Guarded<Int8>(count: 1))
    let (frequency, mean) = (Guarded<Float>(count: 1), Guarded<Float>(count: 1))
    let (latent, scale, counts) = (Guarded([Float(3)]), Guarded([Float(1)]), Guarded<UInt32>(count: 2))
    let bits = Guarded([UInt8(8)])
    var o = qk_oscillation()
    (o.rows, o.width, o.threshold, o.momentum) = (1, 1, 0.8, 0.5)
    (o.bits, o.scale8) = (UnsafePointer(bits.base), UnsafePointer(scale.base))
    (o.code, o.state, o.frequency, o.mean) = (codes.base, states.base, frequency.base, mean.base)
    qk_oscillation_start(&o, latent.base)
    var frequencies: [Float] = []
    for update in 0..<4 {
      latent.base[0] = update % 2 == 0 ? 4 : 3
      qk_oscillation_step(&o, latent.base, counts.base)
      frequencies.append(frequency.base[0])
    }
    #expect(frequencies == [0, 0.5, 0.75, 0.875] && states.base[0] == 2)
    // Means 3.5, 3.25, 3.625, 3.3125: held at 3.
    #expect(mean.base[0] == 3.3125 && codes.base[0] == 3 && latent.base[0] == 3 && counts.array == [0, 1])
    scale.base[0] = 1.5
    latent.base[0] = 100
    qk_oscillation_step(&o, latent.base, counts.base)
    #expect(latent.base[0] == 4.5 && frequency.base[0] == 0.875)
  }
}
