import CKernels
import Testing

/// One clock of a DSP slice against Int128 arithmetic with remainders instead of masks.
@Suite("DSP slice")
struct DSPSliceTests {
  /// v modulo 2^bits, in −2^(bits−1)…2^(bits−1)−1.
  static func wrapped(_ v: Int128, _ bits: Int) -> Int128 {
    let modulus = Oracle.power(bits)
    let rest = v - Oracle.floorDivide(v, modulus) * modulus
    return rest >= modulus / 2 ? rest - modulus : rest
  }

  static func expected(
    _ generation: qk_dsp_generation, p: Int64, _ ports: qk_dsp_ports, _ base: qk_dsp_base, withC: Bool, cascade: Int64
  ) -> Int64 {
    let width = generation == QK_DSP48E1 ? 25 : 27
    let sum = wrapped(wrapped(Int128(ports.a), width) + wrapped(Int128(ports.d), width), width)
    var total = sum * wrapped(Int128(ports.b), 18)
    if withC { total += wrapped(Int128(ports.c), 48) }
    switch base {
    case QK_DSP_P: total += Int128(p)
    case QK_DSP_CASCADE: total += wrapped(Int128(cascade), 48)
    case QK_DSP_CASCADE_SHIFTED: total += Oracle.floorDivide(wrapped(Int128(cascade), 48), Oracle.power(17))
    default: break
    }
    return Int64(wrapped(total, 48))
  }

  @Test("Every base, both generations, operands beyond their ports", arguments: [QK_DSP48E1, QK_DSP48E2])
  func steps(_ generation: qk_dsp_generation) {
    var random = SplitMix(11)
    var slice = qk_dsp_slice(generation: generation, p: 0)
    let corners: [Int64] = [
      0, 1, -1, 1 << 17, -(1 << 17), (1 << 17) - 1, 1 << 24, -(1 << 24), 1 << 26, -(1 << 26), (1 << 26) - 1,
      1 << 47, -(1 << 47), (1 << 47) - 1, Int64.min, Int64.max,
    ]
    func operand() -> Int64 {
      Bool.random(using: &random)
        ? corners.randomElement(using: &random)!
        : Int64(bitPattern: random.next()) >> Int64.random(in: 0...60, using: &random)
    }
    for _ in 0..<200_000 {
      var ports = qk_dsp_ports(a: operand(), b: operand(), c: operand(), d: operand())
      let base = qk_dsp_base(UInt32.random(in: 0...3, using: &random))
      let (withC, cascade, before) = (Bool.random(using: &random), operand(), slice.p)
      let found = qk_dsp_step(&slice, &ports, base, withC ? 1 : 0, cascade)
      let wanted = Self.expected(generation, p: before, ports, base, withC: withC, cascade: cascade)
      guard found == wanted, slice.p == wanted else {
        Issue.record("\(ports) base \(base.rawValue) C \(withC) cascade \(cascade): \(found), expected \(wanted)")
        return
      }
    }
  }

  /// The sum over a column of slices through PCIN equals the sum over time in one slice.
  @Test("A cascade of slices adds as one slice does over time")
  func cascade() {
    var random = SplitMix(12)
    for _ in 0..<2000 {
      var single = qk_dsp_slice(generation: QK_DSP48E2, p: 0)
      var below: Int64 = 0
      for n in 0..<9 {
        var ports = qk_dsp_ports(
          a: Int64.random(in: -(1 << 25)..<1 << 25, using: &random),
          b: Int64.random(in: -131072...131071, using: &random),
          c: 0, d: Int64.random(in: -(1 << 25)..<1 << 25, using: &random))
        qk_dsp_step(&single, &ports, n == 0 ? QK_DSP_ZERO : QK_DSP_P, 0, 0)
        var next = qk_dsp_slice(generation: QK_DSP48E2, p: 0)
        below = qk_dsp_step(&next, &ports, n == 0 ? QK_DSP_ZERO : QK_DSP_CASCADE, 0, below)
      }
      #expect(below == single.p)
    }
  }

  /// acc·M for a 32-bit acc in two slices: low 17 bits first, the rest on top of P >> 17.
  @Test("Two slices multiply a 32-bit operand through the shifted cascade")
  func wideOperand() {
    var random = SplitMix(13)
    for _ in 0..<100_000 {
      let value = Int64(Int32(truncatingIfNeeded: random.next()))
      let factor = Int64.random(in: -65535...65535, using: &random)
      var low = qk_dsp_slice(generation: QK_DSP48E2, p: 0)
      var high = qk_dsp_slice(generation: QK_DSP48E2, p: 0)
      var lowPorts = qk_dsp_ports(a: value & 0x1FFFF, b: factor, c: 0, d: 0)
      var highPorts = qk_dsp_ports(a: value >> 17, b: factor, c: 0, d: 0)
      let first = qk_dsp_step(&low, &lowPorts, QK_DSP_ZERO, 0, 0)
      let second = qk_dsp_step(&high, &highPorts, QK_DSP_CASCADE_SHIFTED, 0, first)
      #expect(second << 17 | (first & 0x1FFFF) == value * factor)
    }
  }
}
