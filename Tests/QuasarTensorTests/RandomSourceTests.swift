import CKernels
import QuasarTensor
import Testing

@Suite struct RandomSourceTests {
  /// Random123 known-answer vectors of philox4x32-10.
  @Test func philoxKnownAnswers() {
    let zero: [UInt32] = [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
    #expect((0..<4).map { qk_random_bits(0, 0, $0) } == zero)
    #expect((0..<4).map { RandomSource(seed: 0).bits(0, $0) } == zero)
  }

  /// The digits of π as key and counter. The counter's low 64 bits are index/4, which must stay below 2^62, so the
  /// words are checked with an independent Philox instead of the published vector.
  @Test func philoxAgreesWithPlainRounds() {
    func block(_ key: [UInt32], _ counter: [UInt32]) -> [UInt32] {
      var (k, c) = (key, counter)
      for _ in 0..<10 {
        let a = UInt64(c[0]) * 0xD251_1F53
        let b = UInt64(c[2]) * 0xCD9E_8D57
        c = [
          UInt32(b >> 32) ^ c[1] ^ k[0], UInt32(b & 0xffff_ffff), UInt32(a >> 32) ^ c[3] ^ k[1],
          UInt32(a & 0xffff_ffff),
        ]
        k = [k[0] &+ 0x9E37_79B9, k[1] &+ 0xBB67_AE85]
      }
      return c
    }
    // The oracle itself reproduces the published vector for counter and key of π.
    #expect(
      block([0xa409_3822, 0x299f_31d0], [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344])
        == [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1])
    let seed: UInt64 = 0x299f_31d0_a409_3822
    let stream: UInt64 = 0x0370_7344_1319_8a2e
    for index: UInt64 in [0, 5, 0xffff_ffff, 0x1_2345_6789_abcd] {
      let low = index / 4
      let expected = block(
        [0xa409_3822, 0x299f_31d0],
        [UInt32(low & 0xffff_ffff), UInt32(low >> 32), 0x1319_8a2e, 0x0370_7344])
      #expect(qk_random_bits(seed, stream, index) == expected[Int(index % 4)], "index \(index)")
    }
  }

  @Test func streamNamesAreFNV1a() {
    // Published FNV-1a 64 values.
    #expect(RandomSource.stream("") == 0xcbf2_9ce4_8422_2325)
    #expect(RandomSource.stream("a") == 0xaf63_dc4c_8601_ec8c)
    #expect(RandomSource.stream("foobar") == 0x8594_4171_f739_67e8)
  }

  /// n = 200,000: standard errors 1/√n = 0.0022 of the mean, √2/√n = 0.0032 of the variance; the bounds are 5 of these.
  /// The sum of twelve uniforms has kurtosis 3 − 6/(5·12) = 2.9.
  @Test func momentsOfNormal() {
    let deviation: Float = 0.5
    let x = RandomSource(seed: 7).normal("moments", shape: [400, 500], deviation: deviation).scalars
      .map { Double($0) / Double(deviation) }
    let n = Double(x.count)
    let mean = x.reduce(0, +) / n
    let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
    let fourth = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) * ($1 - mean) * ($1 - mean) } / n
    #expect(abs(mean) < 0.0112)
    #expect(abs(variance - 1) < 0.016)
    #expect(abs(fourth / (variance * variance) - 2.9) < 0.1)
    #expect(x.allSatisfy { abs($0) <= 6 })
  }

  @Test func unitAndBelowStayInRangeAndFillIt() {
    var stream = RandomSource(seed: 3).generator("range")
    var counts = [Int](repeating: 0, count: 7)
    var mean = 0.0
    var isInRange = true
    for _ in 0..<14_000 {
      counts[stream.below(7)] += 1
      let u = stream.unit()
      isInRange = isInRange && u >= 0 && u < 1
      mean += u / 14_000
    }
    // 2000 ± 41.4 of each (binomial), 5 standard deviations; mean ½ ± 0.00244.
    #expect(counts.allSatisfy { abs($0 - 2000) < 207 })
    #expect(abs(mean - 0.5) < 0.0122)
    #expect(isInRange)
    #expect(stream.below(1) == 0)
  }

  @Test(arguments: [0, 1, 2, 17, 1000])
  func permutationHoldsEveryIndexOnce(count: Int) {
    var stream = RandomSource(seed: 11).generator("permutation")
    let order = stream.permutation(count)
    #expect(order.sorted() == Array(0..<count))
    if count >= 17 { #expect(order != Array(0..<count)) }
  }

  /// 24 orders of four, 4800 draws: 200 ± 13.8 each; 5 standard deviations.
  @Test func permutationsAreEquallyLikely() {
    var stream = RandomSource(seed: 12).generator("orders")
    var counts: [[Int]: Int] = [:]
    for _ in 0..<4800 { counts[stream.permutation(4), default: 0] += 1 }
    #expect(counts.count == 24)
    #expect(counts.values.allSatisfy { abs($0 - 200) < 70 })
  }

  @Test func streamsAreIndependent() {
    let source = RandomSource(seed: 5)
    var alone = source.generator("a")
    let expected = (0..<10).map { _ in alone.next() }
    var a = source.generator("a")
    var b = source.generator("b")
    let mixed = (0..<10).map { _ in
      _ = b.next()
      return a.next()
    }
    #expect(mixed == expected)
    var numbered = source.generator("a", 1)
    var otherSeed = RandomSource(seed: 6).generator("a")
    #expect((0..<10).map { _ in numbered.next() } != expected)
    #expect((0..<10).map { _ in otherSeed.next() } != expected)
    // Correlation of two streams, n = 10,000: 0 ± 0.01; 5 standard deviations.
    let x = source.normal("a", shape: [10_000], deviation: 1).scalars
    let y = source.normal("b", shape: [10_000], deviation: 1).scalars
    var correlation = 0.0
    for i in x.indices { correlation += Double(x[i] * y[i]) / 10_000 }
    #expect(abs(correlation) < 0.05)
  }

  @Test func pickReturnsMembers() {
    var stream = RandomSource(seed: 9).generator("pick")
    let picked = Set((0..<100).map { _ in stream.pick(["x", "y", "z"]) })
    #expect(picked == ["x", "y", "z"])
  }
}
