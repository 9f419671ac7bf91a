import CKernels
import Testing

/// fp32 products: every set against chains of fused multiply–adds over k, bit for bit.
@Suite struct FloatProductTests {
  private func oracle(
    _ a: [Float], _ b: [Float], transposed: (Bool, Bool), m: Int, n: Int, k: Int, strides: (Int, Int)
  ) -> [Float] {
    var c = [Float](repeating: 0, count: m * n)
    for i in 0..<m {
      for j in 0..<n {
        var sum: Float = 0
        for l in 0..<k {
          let x = a[transposed.0 ? l * strides.0 + i : i * strides.0 + l]
          sum.addProduct(x, b[transposed.1 ? j * strides.1 + l : l * strides.1 + j])
        }
        c[i * n + j] = sum
      }
    }
    return c
  }

  /// Edges of tiles, panels and blocks of depth, and operands that are multiplied in place, in all forms; operands and
  /// output are between guard pages.
  @Test func setsEqualTheOracle() {
    var random = SplitMix(11)
    let edges = Array(1...8) + [15, 16, 17, 23, 24, 25, 47, 48, 63, 64, 65, 97]
    func any() -> Int { edges.randomElement(using: &random)! }
    var sizes = edges.flatMap { n in [[n, any(), any()], [any(), n, any()], [any(), any(), n]] }
    sizes += [[7, 18, 1025], [97, 70, 2049], [3, 4113, 5], [50, 80, 2049], [7, 512, 40], [512, 16, 33]]
    for size in sizes {
      let (m, n, k) = (size[0], size[1], size[2])
      for form in 0..<4 {
        let transposed = (form & 1 == 1, form & 2 == 2)
        // Operands whose lines are 2 KiB apart take another path.
        let slack = size.contains(512) ? 0 : Int(random.next() % 3)
        let strides = ((transposed.0 ? m : k) + slack, (transposed.1 ? k : n) + slack)
        func values(_ rows: Int, _ stride: Int, _ width: Int) -> Guarded<Float> {
          Guarded((0..<(rows - 1) * stride + width).map { _ in Float(Int(random.next() % 4001) - 2000) / 1777 })
        }
        let a = values(transposed.0 ? k : m, strides.0, transposed.0 ? m : k)
        let b = values(transposed.1 ? n : k, strides.1, transposed.1 ? k : n)
        let expected = oracle(a.array, b.array, transposed: transposed, m: m, n: n, k: k, strides: strides)
        for isa in instructionSets {
          let c = Guarded([Float](repeating: .nan, count: m * n))
          let status = qk_sgemm_with(
            isa, transposed.0 ? 1 : 0, transposed.1 ? 1 : 0, m, n, k, a.base, strides.0, b.base, strides.1, c.base, n)
          #expect(status == QK_OK)
          #expect(
            firstDifference(c.array.map(\.bitPattern), expected.map(\.bitPattern)) == nil,
            "isa \(isa.rawValue), \(m)×\(n)×\(k), form \(form)")
        }
      }
    }
  }

  /// Ranges of columns and the rows that are fetched ahead depend on the number of threads; the bits do not.
  @Test func threadsChangeNothing() {
    var random = SplitMix(13)
    for (m, n, k) in [(301, 640, 97), (150, 1100, 1030), (1600, 33, 70)] {
      func values(_ count: Int) -> [Float] { (0..<count).map { _ in Float(Int(random.next() % 4001) - 2000) / 1777 } }
      let (a, b) = (Guarded(values(m * k)), Guarded(values(n * k)))
      for transposed in [false, true] {
        func product(_ threads: Int32) -> [UInt32] {
          qk_set_thread_count(threads)
          defer { qk_set_thread_count(0) }
          let c = Guarded([Float](repeating: .nan, count: m * n))
          #expect(qk_sgemm(transposed ? 1 : 0, 0, m, n, k, a.base, transposed ? m : k, b.base, n, c.base, n) == QK_OK)
          return c.array.map(\.bitPattern)
        }
        let one = product(1)
        for threads: Int32 in [2, 3, 7] {
          #expect(firstDifference(product(threads), one) == nil, "\(m)×\(n)×\(k), \(threads) threads")
        }
      }
    }
  }

  /// The bias is added to the finished chain, wherever its sums were formed: in the output, next to it, or over blocks
  /// of depth.
  @Test func linearAddsTheBias() {
    var random = SplitMix(12)
    for (m, n, k) in [(1, 1, 1), (7, 16, 40), (25, 33, 19), (50, 64, 1030), (49, 96, 2049)] {
      func values(_ count: Int) -> [Float] { (0..<count).map { _ in Float(Int(random.next() % 4001) - 2000) / 1777 } }
      let (x, weight, bias) = (Guarded(values(m * k)), Guarded(values(n * k)), Guarded(values(n)))
      let sums = oracle(x.array, weight.array, transposed: (false, true), m: m, n: n, k: k, strides: (k, k))
      let y = Guarded([Float](repeating: .nan, count: m * n))
      #expect(qk_linear(m, n, k, x.base, weight.base, bias.base, y.base) == QK_OK)
      let expected = sums.indices.map { sums[$0] + bias.array[$0 % n] }
      #expect(firstDifference(y.array.map(\.bitPattern), expected.map(\.bitPattern)) == nil, "\(m)×\(n)×\(k)")
      #expect(qk_linear(m, n, k, x.base, weight.base, nil, y.base) == QK_OK)
      #expect(firstDifference(y.array.map(\.bitPattern), sums.map(\.bitPattern)) == nil, "\(m)×\(n)×\(k), no bias")
    }
  }

  /// The bits that a chain of fused multiply–adds keeps and a sum of rounded products loses; signs of zero; values that
  /// are not finite.
  @Test func specialValues() {
    let cases: [(a: [Float], b: [Float], sum: Float)] = [
      ([-1, 1 + 0x1p-12], [1 + 0x1p-11, 1 + 0x1p-12], 0x1p-24), ([-0.0], [1], 0), ([0x1p-100], [0x1p-49], 0x1p-149),
      ([.infinity, 1], [1, 1], .infinity), ([.greatestFiniteMagnitude, 1], [2, 1], .infinity),
      ([.infinity, .infinity], [1, -1], .nan), ([0], [.infinity], .nan),
    ]
    for isa in instructionSets {
      for one in cases {
        var c: Float = 9
        let k = one.a.count
        #expect(qk_sgemm_with(isa, 0, 0, 1, 1, k, one.a, k, one.b, 1, &c, 1) == QK_OK)
        #expect(one.sum.isNaN ? c.isNaN : c.bitPattern == one.sum.bitPattern, "isa \(isa.rawValue), \(one)")
      }
    }
  }

  @Test func refusals() {
    var c = [Float](repeating: 7, count: 4)
    let a: [Float] = [1, 2, 3, 4]
    #expect(qk_sgemm_with(qk_isa(99), 0, 0, 2, 2, 2, a, 2, a, 2, &c, 2) == QK_ISA_NOT_AVAILABLE)
    #expect(qk_sgemm(0, 0, 2, 2, 2, nil, 2, a, 2, &c, 2) == QK_NULL_POINTER)
    #expect(qk_sgemm(0, 0, 0, 2, 2, a, 2, a, 2, &c, 2) == QK_BAD_SIZE)
    #expect(qk_sgemm(0, 0, 2, 2, 2, a, 1, a, 2, &c, 2) == QK_BAD_SIZE)
    #expect(qk_sgemm(0, 2, 2, 2, 2, a, 2, a, 2, &c, 2) == QK_BAD_SPEC)
    c.withUnsafeMutableBufferPointer { c in
      #expect(qk_sgemm(0, 0, 2, 2, 2, c.baseAddress, 2, a, 2, c.baseAddress, 2) == QK_BUFFERS_OVERLAP)
    }
    #expect(c == [7, 7, 7, 7])
  }
}
