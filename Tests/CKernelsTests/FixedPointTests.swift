import CKernels
import Foundation
import Testing

@Suite struct FixedPointTests {
  @Test func requantiseAtEveryShift() {
    var random = SplitMix(1)
    let accumulators =
      [Int(Int32.min), Int(Int32.min) + 1, -3, -2, -1, 0, 1, 2, 3, Int(Int32.max) - 1, Int(Int32.max)]
      + (0..<200).map { _ in Int(Int32.random(in: .min ... .max, using: &random)) }
    let ranges = [(-128, 127), (0, 255), (-32768, 32767), (Int(Int32.min), Int(Int32.max)), (-7, -7)]
    for shift in 1...47 {
      for magnitude in [0, 32768, 32769, 50000, 65534, 65535] {
        for m in Set([magnitude, -magnitude]) {
          let r = qk_requantiser(multiplier: Int32(m), shift: Int32(shift))
          #expect(qk_requantiser_check(r) == QK_OK)
          for acc in accumulators {
            for (lo, hi) in ranges
            where qk_requantise(Int32(acc), r, Int32(lo), Int32(hi))
              != Oracle.requantise(acc, m, shift, lo, hi)
            {
              Issue.record("acc \(acc) M \(m) S \(shift) range \(lo)…\(hi)")
            }
          }
        }
      }
    }
    // Ties: odd multiples of one half at a factor of exactly ½.
    let half = qk_requantiser(multiplier: 32768, shift: 16)
    for acc in -1001...1001 {
      #expect(
        Int(qk_requantise(Int32(acc), half, -10000, 10000)) == Int((Double(acc) / 2 + 0.5).rounded(.down)))
    }
  }

  @Test func requantiserRangesAreChecked() {
    for (m, s, ok) in [
      (0, 1, true), (0, 47, true), (0, 0, false), (0, 48, false), (32767, 5, false), (32768, 5, true),
      (65535, 5, true), (65536, 5, false), (-32768, 5, true), (-32767, 5, false), (-65536, 5, false),
      (40000, 0, false), (40000, 48, false), (40000, -1, false), (Int(Int32.min), 5, false),
    ] {
      let r = qk_requantiser(multiplier: Int32(m), shift: Int32(s))
      #expect(qk_requantiser_check(r) == (ok ? QK_OK : QK_BAD_REQUANTISER), "\(m) \(s)")
    }
  }

  /// A double is an integer times a power of two, so the nearest 16-bit multiplier is found in integers.
  static func nearest(_ factor: Double) -> (Int, Int)? {
    if factor == 0 || abs(factor) < 0x1p-32 { return (0, 1) }
    // Normal numbers only.
    let significand = Int128(factor.magnitude.significandBitPattern) + (Int128(1) << 52)
    let exponent = Int(factor.exponent)  // |factor| = significand·2^(exponent − 52)
    var m = Oracle.floorDivide(significand + (Int128(1) << 36), Int128(1) << 37)
    var s = 15 - exponent
    if m == 65536 {
      m = 32768
      s -= 1
    }
    return s < 1 ? nil : (factor < 0 ? -Int(m) : Int(m), s)
  }

  @Test func requantiserIsTheNearest() {
    var random = SplitMix(2)
    var factors = [
      0.75, 1, 0.5, 1.0 / 3, 0x1p-32, 0x1p-32.nextDown, 0x1p-32.nextUp, 0x1p14, 0x1p15.nextDown, 0x1p15,
      32767.5, 32767.7, 32767.75, 1e300, 1e-300, 0,
    ]
    for bits in [32768, 32769, 65534, 65535] {  // around ties, on both sides and on the tie
      let tie = (Double(bits) + 0.5) / 65536
      factors += [tie, tie.nextUp, tie.nextDown, tie * 0x1p-20, tie.nextDown * 0x1p-20]
    }
    factors += (0..<20000).map { _ in exp2(Double.random(in: -34...15.5, using: &random)) }
    for factor in factors.flatMap({ [$0, -$0] }) {
      var r = qk_requantiser(multiplier: 77, shift: 77)
      let status = qk_requantiser_make(factor, &r)
      if let (m, s) = Self.nearest(factor) {
        #expect(status == QK_OK && r.multiplier == m && r.shift == s, "\(factor)")
        #expect(qk_requantiser_check(r) == QK_OK)
      } else {
        #expect(status == QK_BAD_REQUANTISER && r.multiplier == 77, "\(factor)")
      }
    }
    var r = qk_requantiser(multiplier: 77, shift: 77)
    for factor in [Double.nan, .infinity, -.infinity] {
      #expect(qk_requantiser_make(factor, &r) == QK_BAD_REQUANTISER && r.shift == 77)
    }
    #expect(qk_requantiser_make(0x1p-1074, &r) == QK_OK && r.multiplier == 0)
    #expect(qk_requantiser_make(1, nil) == QK_NULL_POINTER)
  }

  @Test func squareRootIsExact() {
    var roots: [UInt64] = Array(0...70000)
    roots += [94_906_265, 94_906_266, 94_906_267, 1 << 31, (1 << 32) - 2, (1 << 32) - 1]
    var random = SplitMix(3)
    roots += (0..<50000).map { _ in UInt64.random(in: 0..<(1 << 32), using: &random) }
    for r in roots {
      for v in [r * r, r * r &+ 1, r * r &- 1, r * r &+ 2 * r] {
        let got = UInt64(qk_isqrt(v))
        let high = Int128(got + 1) * Int128(got + 1)
        if !(Int128(got) * Int128(got) <= Int128(v) && Int128(v) < high) {
          Issue.record("isqrt(\(v)) = \(got)")
        }
      }
    }
    #expect(qk_isqrt(.max) == UInt32.max)
    #expect(qk_isqrt(1) == 1)
  }

  @Test func reciprocalOfEverySum() {
    var k: Int32 = 0
    for z in Array(1...(1 << 17)) + [
      1 << 20, (1 << 20) + 1, 4096 * 255, (1 << 31) - 1, 1 << 31, (1 << 32) - 1,
    ] {
      let (value, shift) = Oracle.reciprocal(z)
      let got = qk_reciprocal16(UInt32(z), &k)
      if Int(got) != value || Int(k) != shift || got >> 15 != 1 { Issue.record("z \(z): \(got), \(k)") }
    }
  }

  @Test(arguments: 2...8) func exponentTableIsRounded(bits: Int) {
    // E = round(x) with x^256 = c^256 / 2^f: compare (E ± ½)·2^(f/256) with c through long doubles far from ties.
    var table = [UInt16](repeating: 0, count: 256)
    #expect(qk_exponent_table(Int32(bits), &table) == QK_OK)
    let c = Float80((1 << bits) - 1) * Float80(1 << (16 - bits))
    for f in 0..<256 {
      var root = Float80(2)
      for _ in 0..<8 { root = root.squareRoot() }  // 2^(1/256)
      var x = c
      for _ in 0..<f { x /= root }
      #expect(abs(x - Float80(table[f])) < 0.4999, "A \(bits) f \(f)")
    }
    #expect(table[0] == UInt16(((1 << bits) - 1) << (16 - bits)))
  }

  @Test(arguments: [4, 6, 8]) func probabilityOfEveryExponent(bits: Int) {
    var table = [UInt16](repeating: 0, count: 256)
    #expect(qk_exponent_table(Int32(bits), &table) == QK_OK)
    let wide = table.map(Int.init)
    let one = qk_requantiser(multiplier: 32768, shift: 15)  // z = d
    var last = UInt32.max
    for d in 0...3000 {
      let p = qk_probability(Int32(d), one, Int32(bits), table)
      #expect(Int(p) == Oracle.probability(d, 32768, 15, bits: bits, table: wide))
      #expect(p <= last)
      last = p
    }
    #expect(qk_probability(0, one, Int32(bits), table) == (1 << UInt32(bits)) - 1)
    var random = SplitMix(4)
    for _ in 0..<20000 {
      let m = Int.random(in: 32768...65535, using: &random)
      let s = Int.random(in: 1...47, using: &random)
      let d = Int(Int32.random(in: 0 ... .max, using: &random)) >> Int.random(in: 0...30, using: &random)
      let score = qk_requantiser(multiplier: Int32(m), shift: Int32(s))
      #expect(
        Int(qk_probability(Int32(d), score, Int32(bits), table))
          == Oracle.probability(d, m, s, bits: bits, table: wide))
    }
  }

  @Test func contextIsNormalised() {
    var random = SplitMix(5)
    for _ in 0..<50000 {
      let z = Int.random(in: 1...(4096 * 255), using: &random) >> Int.random(in: 0...19, using: &random)
      guard z > 0 else { continue }
      let sum = random.code(in: (-128 * z)...(127 * z))
      let (r, k) = Oracle.reciprocal(z)
      let got = Int(qk_normalise_context(Int32(sum), UInt32(r), Int32(k)))
      #expect(got == Oracle.normalise(sum, r, k))
      #expect(abs(Double(got) - 256 * Double(sum) / Double(z)) <= 1.51)  // reciprocal error 2^−15 of ≤ 2^15
    }
  }

  @Test func specification() {
    var spec = qk_arithmetic_spec_default()
    #expect(qk_arithmetic_spec_check(&spec) == QK_OK)
    #expect(spec.version == 1 && spec.weight_full_range == 0 && spec.residual_bits == 16)
    let changes: [(inout qk_arithmetic_spec) -> Void] = [
      { $0.version = 2 }, { $0.weight_full_range = 2 }, { $0.residual_bits = 8 },
      { $0.exponent_fraction_bits = 7 },
      { $0.context_fraction_bits = 9 }, { $0.layer_norm_fraction_bits = 31 },
    ]
    for change in changes {
      var other = qk_arithmetic_spec_default()
      change(&other)
      #expect(qk_arithmetic_spec_check(&other) == QK_BAD_SPEC)
    }
    spec.weight_full_range = 1
    #expect(qk_arithmetic_spec_check(&spec) == QK_OK)
    #expect(qk_arithmetic_spec_check(nil) == QK_NULL_POINTER)
    var table = [UInt16](repeating: 9, count: 256)
    #expect(qk_exponent_table(9, &table) == QK_BAD_SPEC && qk_exponent_table(1, &table) == QK_BAD_SPEC)
    #expect(qk_exponent_table(8, nil) == QK_NULL_POINTER)
    #expect(table.allSatisfy { $0 == 9 })
  }
}
