import CKernels
import Foundation
import Testing

@Suite struct BFloat16Tests {
  @Test func rounding() {
    let cases: [(Float, UInt16)] = [
      (0, 0), (-0.0, 0x8000), (1, 0x3f80), (-1, 0xbf80),
      (1 + 0x1p-8, 0x3f80), (1 + 3 * 0x1p-8, 0x3f82),  // ties: to even, down and up
      (1 + 0x1p-8 + 0x1p-23, 0x3f81), (1 + 3 * 0x1p-8 - 0x1p-23, 0x3f81),  // next to the ties
      (2 - 0x1p-8, 0x4000), (2 - 0x1p-8 - 0x1p-23, 0x3fff),  // a carry into the exponent
      (0x1.fep127, 0x7f7f), (0x1.fefffep127, 0x7f7f), (0x1.ffp127, 0x7f80), (-0x1.fffffep127, 0xff80),
      (.infinity, 0x7f80), (-.infinity, 0xff80), (.nan, 0x7fc0), (Float(bitPattern: 0x7f80_0001), 0x7fc0),
      (Float(bitPattern: 0xffbf_ffff), 0xffff),
      (0x1p-149, 0), (-0x1p-133, 0x8000), (Float(bitPattern: 0x7f_ffff), 0), (0x1p-126, 0x80),
    ]
    for (value, bits) in cases { #expect(qk_bf16_round(value) == bits, "\(value)") }
  }

  /// Every upper half with lower halves around the ties, packed from either side and read back by a product with 1.
  @Test func packingRoundsAsTheDefinition() {
    let lows: [UInt32] = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff]
    let values = (0..<UInt32(0x1_0000)).flatMap { high in lows.map { Float(bitPattern: high << 16 | $0) } }
    let expected = values.map { value -> UInt32 in
      let rounded = Float(bitPattern: UInt32(qk_bf16_round(value)) << 16)
      return value.isNaN ? 0x7fc0_0000 : rounded == 0 ? 0 : rounded.bitPattern
    }
    let one: [Float] = [1]
    for isa in instructionSets {
      for side in 0..<2 {
        var output = [Float](repeating: 9, count: values.count)
        var g = qk_bf16_gemm_arguments()
        (g.m, g.n, g.k) = side == 0 ? (values.count, 1, 1) : (1, values.count, 1)
        let status = values.withUnsafeBytes { values in
          one.withUnsafeBytes { one in
            output.withUnsafeMutableBufferPointer { output in
              let many = qk_bf16_operand(
                values: values.baseAddress, stride: side == 0 ? 1 : expected.count, element: QK_BF16_FLOAT,
                transposed: 0)
              let single = qk_bf16_operand(
                values: one.baseAddress, stride: 1, element: QK_BF16_FLOAT, transposed: 0)
              (g.a, g.b) = side == 0 ? (many, single) : (single, many)
              g.output = output.baseAddress
              g.output_stride = g.n
              return qk_bf16_gemm_with(isa, &g)
            }
          }
        }
        #expect(status == QK_OK)
        // +0 + −0 = +0: a product that is a negative zero leaves no sign.
        let bits = output.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern }
        #expect(firstDifference(bits, expected) == nil, "isa \(isa.rawValue), side \(side)")
      }
    }
  }

  /// Every instruction set gives the bits of the reference; nothing outside the output is written or read.
  @Test(arguments: [BFloat16Problem.Values.plain, .bits, .tiny])
  func setsAgree(values: BFloat16Problem.Values) {
    var random = SplitMix(16)
    let tiles = Array(1...13) + [15, 16, 17, 23, 24, 25, 31, 32, 33, 47, 48, 49, 63, 64, 65, 96, 97, 129]
    func any() -> Int { tiles.randomElement(using: &random)! }
    var sizes = tiles.flatMap { size in [[size, any(), any()], [any(), size, any()], [any(), any(), size]] }
    // Two blocks of depth and two of columns.
    sizes += [[7, 33, 2049], [26, 5, 4099], [3, 4113, 9]]
    for size in sizes {
      for form in 0..<4 {
        let problem = BFloat16Problem(
          m: size[0], n: size[1], k: size[2], transposed: (form & 1 != 0, form & 2 != 0),
          elements: (
            BFloat16Problem.elements[[0, 0, 1, 2].randomElement(using: &random)!],
            BFloat16Problem.elements[[0, 0, 1, 2].randomElement(using: &random)!]
          ),
          values: values, scaled: (Bool.random(using: &random), Bool.random(using: &random)),
          biased: Bool.random(using: &random), accumulate: Bool.random(using: &random),
          slack: Int.random(in: 0...2, using: &random), random: &random)
        let expected = problem.run(QK_ISA_REFERENCE)
        #expect(expected.status == QK_OK)
        for isa in fastSets {
          let found = problem.run(isa)
          #expect(found.status == QK_OK)
          #expect(
            firstDifference(found.bits, expected.bits) == nil,
            "isa \(isa.rawValue), \(size), transposed \(form)")
        }
      }
    }
  }

  /// |error| ≤ k'·u/(1 − k'·u)·Σ|a·b| with k' = k + 1 roundings of u = 2^−24, against the exact sum of the rounded
  /// operands (two more for the scales, one for the sum with the old output). Plain values stay far from 2^−126.
  @Test func boundAgainstDouble() {
    var random = SplitMix(64)
    for isa in instructionSets {
      for form in 0..<4 {
        for element in BFloat16Problem.elements {
          let p = BFloat16Problem(
            m: 19, n: 37, k: 301, transposed: (form & 1 != 0, form & 2 != 0), elements: (QK_BF16_FLOAT, element),
            scaled: (true, true), accumulate: true, slack: 1, random: &random)
          #expect(p.run(isa).status == QK_OK)
          let result = p.output.array
          for i in 0..<p.m {
            for j in 0..<p.n {
              var sum = 0.0
              var magnitude = 0.0
              for k in 0..<p.k {
                let product = p.element(p.arguments.a, i, k) * p.element(p.arguments.b, k, j)
                sum += product
                magnitude += abs(product)
              }
              let scale = Double(p.rowScale!.base[i]) * Double(p.columnScale!.base[j])
              let place = i * p.arguments.output_stride + j
              let exact = sum * scale + Double(p.old[place])
              let roundings = Double(p.k + 1 + 3) * 0x1p-24
              let bound = roundings / (1 - roundings) * (magnitude * abs(scale) + abs(Double(p.old[place])))
              #expect(abs(Double(result[place]) - exact) <= bound, "isa \(isa.rawValue), form \(form), \(i), \(j)")
            }
          }
        }
      }
    }
  }

  /// Codes whose sums stay below 2^24 are exact, so the integer sum is the result.
  @Test func codesAreExact() {
    var random = SplitMix(8)
    for isa in instructionSets {
      let p = BFloat16Problem(
        m: 13, n: 21, k: 200, transposed: (false, true), elements: (QK_BF16_UINT8, QK_BF16_INT8), random: &random)
      #expect(p.run(isa).status == QK_OK)
      for i in 0..<p.m {
        for j in 0..<p.n {
          let sum = (0..<p.k).reduce(0) {
            $0 + Int(p.a.base[i * p.k + $1]) * Int(Int8(bitPattern: p.b.base[j * p.k + $1]))
          }
          #expect(p.output.base[i * p.n + j] == Float(sum))
        }
      }
    }
  }

  @Test func threadsChangeNothing() {
    var random = SplitMix(2)
    for (m, n, k) in [(301, 130, 97), (64, 700, 65), (97, 65, 2500)] {
      let p = BFloat16Problem(
        m: m, n: n, k: k, transposed: (true, false), elements: (QK_BF16_FLOAT, QK_BF16_FLOAT), values: .tiny,
        accumulate: true, random: &random)
      for isa in fastSets {
        qk_set_thread_count(1)
        let one = p.run(isa).bits
        for threads in [2, 3, 7] {
          qk_set_thread_count(Int32(threads))
          #expect(firstDifference(p.run(isa).bits, one) == nil, "isa \(isa.rawValue), \(m)×\(n)×\(k), \(threads)")
        }
        qk_set_thread_count(0)
      }
    }
  }

  @Test func statuses() {
    var random = SplitMix(3)
    let p = BFloat16Problem(
      m: 4, n: 5, k: 6, transposed: (false, true), elements: (QK_BF16_FLOAT, QK_BF16_FLOAT), scaled: (true, true),
      biased: true, slack: 2, random: &random)
    typealias Change = (inout qk_bf16_gemm_arguments) -> Void
    func odd(_ pointer: UnsafePointer<Float>) -> UnsafePointer<Float> {
      UnsafePointer(bitPattern: UInt(bitPattern: pointer) + 1)!
    }
    let cases: [(qk_status, Change)] = [
      (QK_NULL_POINTER, { $0.a.values = nil }), (QK_NULL_POINTER, { $0.b.values = nil }),
      (QK_NULL_POINTER, { $0.output = nil }),
      (QK_BAD_SIZE, { $0.m = 0 }), (QK_BAD_SIZE, { $0.n = 0 }), (QK_BAD_SIZE, { $0.k = 0 }),
      (QK_BAD_SIZE, { $0.m = 1 << 31 }), (QK_BAD_SIZE, { $0.a.stride = 5 }), (QK_BAD_SIZE, { $0.b.stride = 5 }),
      (QK_BAD_SIZE, { $0.output_stride = 4 }), (QK_BAD_SIZE, { $0.a.stride = 1 << 31 }),
      (QK_BAD_SPEC, { $0.accumulate = 2 }), (QK_BAD_SPEC, { $0.a.transposed = -1 }),
      (QK_BAD_SPEC, { $0.b.element = qk_bf16_element(3) }),
      (QK_MISALIGNED, { $0.a.values += 1 }), (QK_MISALIGNED, { $0.b.values += 2 }),
      (QK_MISALIGNED, { $0.row_scale = odd($0.row_scale) }),
      (QK_MISALIGNED, { $0.column_scale = odd($0.column_scale) }), (QK_MISALIGNED, { $0.bias = odd($0.bias) }),
      (QK_MISALIGNED, { $0.output = UnsafeMutablePointer(mutating: odd($0.output)) }),
      (QK_BUFFERS_OVERLAP, { $0.a.values = UnsafeRawPointer($0.output) }),
      (QK_BUFFERS_OVERLAP, { $0.b.values = UnsafeRawPointer($0.output + 3) }),
      (QK_BUFFERS_OVERLAP, { $0.row_scale = UnsafePointer($0.output + 1) }),
      (QK_BUFFERS_OVERLAP, { $0.column_scale = UnsafePointer($0.output + 25) }),
      (QK_BUFFERS_OVERLAP, { $0.bias = UnsafePointer($0.output + 25) }),
    ]
    for isa in instructionSets {
      for (i, (status, change)) in cases.enumerated() {
        var changed = p.arguments
        change(&changed)
        #expect(qk_bf16_gemm_with(isa, &changed) == status, "case \(i)")
      }
      #expect(qk_bf16_gemm_with(isa, nil) == QK_NULL_POINTER)
    }
    #expect(p.output.array == p.old)
    #expect(qk_bf16_gemm_with(qk_isa(99), &p.arguments) == QK_ISA_NOT_AVAILABLE)
    #expect(qk_bf16_gemm(&p.arguments) == QK_OK)
    #expect(String(cString: qk_operation_name(QK_OPERATION_BF16_GEMM)) == "bf16-gemm")
    #expect(String(cString: qk_kernel_name(QK_OPERATION_BF16_GEMM, QK_ISA_REFERENCE)) == "gemm_bf16_reference")
  }
}
