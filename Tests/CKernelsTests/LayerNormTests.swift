import CKernels
import Testing

/// One LayerNorm call with guarded buffers.
final class LayerNormProblem {
  enum Rows: CaseIterable { case random, small, constant, extreme, single, corners }
  let rows: Int, width: Int, slack: Int
  let input: Guarded<Int16>, scales: Guarded<qk_requantiser>, offsets: Guarded<Int64>
  let epsilon: Int64

  init(rows: Int, width: Int, slack: Int, kind: Rows, seed: Int) {
    var random = SplitMix(seed)
    (self.rows, self.width, self.slack) = (rows, width, slack)
    epsilon = [0, 1, 1000, (1 << 40) - 1].randomElement(using: &random)!
    let level = Int16.random(in: -32768...32767, using: &random)
    let place = Int.random(in: 0..<width, using: &random)
    input = Guarded(
      (0..<(rows - 1) * (width + slack) + width).map { i in
        switch kind {
        case .random: Int16.random(in: -32768...32767, using: &random)
        case .small: Int16.random(in: -3...3, using: &random)
        case .constant: level
        case .extreme: Bool.random(using: &random) ? 32767 : -32767
        case .single: i % (width + slack) == place ? -32768 : 32767
        case .corners: Int16(random.code(in: -32768...32767))
        }
      })
    // |c·F| < 2^30 for a code of a few tens: factors around 2^−25; the extremes occur too.
    scales = Guarded(
      (0..<width).map { _ in
        let wild = Int.random(in: 0..<8, using: &random) == 0
        return wild ? random.requantiser(0x1p-32...30000) : random.requantiser(0x1p-28...0x1p-20)
      })
    let most = (1 << 62) - 1
    offsets = Guarded(
      scales.array.map { scale in
        Int.random(in: 0..<8, using: &random) == 0
          ? Int64(random.code(in: -most...most))
          : Int64.random(in: -40...40, using: &random) << Int64(scale.shift)
            + Int64.random(in: -1...1, using: &random)
      })
  }

  func arguments(_ out: UnsafeMutablePointer<Int8>) -> qk_layer_norm_arguments {
    qk_layer_norm_arguments(
      rows: Int32(rows), width: Int32(width), input: input.base, input_stride: width + slack,
      epsilon_code: epsilon,
      scales: scales.base, offsets: offsets.base, lo: -127, hi: 126, output: out, output_stride: width + slack
    )
  }

  func run(_ isa: qk_isa) -> [Int8] {
    let out = Guarded<Int8>(count: (rows - 1) * (width + slack) + width)
    out.fill(byte: 0x80)
    var a = arguments(out.base)
    let status = qk_layer_norm_with(isa, &a)
    precondition(status == QK_OK, String(cString: qk_status_message(status)))
    return out.array
  }

  func oracle() -> [Int8] {
    var out = [Int8](repeating: -128, count: (rows - 1) * (width + slack) + width)
    for row in 0..<rows {
      let start = row * (width + slack)
      let y = Oracle.layerNorm(
        (0..<width).map { Int(input.base[start + $0]) }, epsilon: Int(epsilon),
        scales: scales.array.map { (Int($0.multiplier), Int($0.shift)) },
        offsets: offsets.array.map(Int.init),
        lo: -127, hi: 126)
      for i in 0..<width { out[start + i] = Int8(y[i]) }
    }
    return out
  }
}

@Suite struct LayerNormTests {
  @Test(arguments: LayerNormProblem.Rows.allCases) func everyKernelEqualsTheOracle(
    kind: LayerNormProblem.Rows
  ) {
    for width in Array(1...40) + [48, 63, 64, 65, 96, 192, 255, 384, 400] {
      for slack in [0, 3] {
        let p = LayerNormProblem(rows: 4, width: width, slack: slack, kind: kind, seed: width * 2 + slack)
        let expected = p.oracle()
        for isa in instructionSets {
          #expect(firstDifference(p.run(isa), expected) == nil, "width \(width) slack \(slack)")
        }
      }
    }
    let wide = LayerNormProblem(rows: 3, width: 8192, slack: 1, kind: kind, seed: 3)
    let expected = wide.oracle()
    for isa in instructionSets { #expect(firstDifference(wide.run(isa), expected) == nil) }
  }

  @Test(arguments: LayerNormProblem.Rows.allCases) func statisticsEqualTheOracle(kind: LayerNormProblem.Rows) {
    for width in [1, 2, 7, 64, 131] {
      let p = LayerNormProblem(rows: 4, width: width, slack: 2, kind: kind, seed: width)
      let out = Guarded<Int8>(count: 3 * (width + 2) + width)
      out.fill(byte: 0x5A)
      var statistics = [qk_row_statistics](repeating: qk_row_statistics(), count: 4)
      var a = p.arguments(out.base)
      #expect(qk_layer_norm_statistics(&a, &statistics) == QK_OK)
      #expect(out.bytes.allSatisfy { $0 == 0x5A })
      for (row, found) in statistics.enumerated() {
        let r = (0..<width).map { Int(p.input.base[row * (width + 2) + $0]) }
        let mean = Int(Oracle.floorDivide(Int128(2 * r.reduce(0, +) + width), Int128(2 * width)))
        let variance = r.reduce(Int(p.epsilon)) { $0 + ($1 - mean) * ($1 - mean) }
        let root = Int(Oracle.squareRoot(UInt64(variance)))
        #expect(Int(found.mean) == mean && Int(found.variance) == variance, "width \(width), row \(row)")
        #expect(Int(found.deviation) == root && Int(found.inverse) == (1 << 30) / max(root, 1))
      }
      #expect(qk_layer_norm_statistics(&a, nil) == QK_NULL_POINTER)
      a.rows = 0
      #expect(qk_layer_norm_statistics(&a, &statistics) == QK_BAD_SIZE)
    }
  }

  @Test func refusals() {
    let p = LayerNormProblem(rows: 2, width: 9, slack: 0, kind: .random, seed: 1)
    let out = Guarded<Int8>(count: 18)
    let badScales = Guarded(p.scales.array.dropLast() + [qk_requantiser(multiplier: 5, shift: 5)])
    let high = Guarded(p.offsets.array.dropLast() + [1 << 62])
    let low = Guarded([-(1 << 62)] + p.offsets.array.dropFirst())
    let cases: [(qk_status, (inout qk_layer_norm_arguments) -> Void)] = [
      (QK_NULL_POINTER, { $0.input = nil }), (QK_NULL_POINTER, { $0.scales = nil }),
      (QK_NULL_POINTER, { $0.offsets = nil }), (QK_NULL_POINTER, { $0.output = nil }),
      (QK_BAD_SIZE, { $0.rows = 0 }),
      (QK_BAD_SIZE, { $0.width = 0 }),
      (
        QK_BAD_SIZE,
        {
          $0.width = 8193
          $0.input_stride = 9000
          $0.output_stride = 9000
        }
      ),
      (QK_BAD_SIZE, { $0.input_stride = 8 }), (QK_BAD_SIZE, { $0.output_stride = 8 }),
      (QK_CODE_OUT_OF_RANGE, { $0.epsilon_code = -1 }), (QK_CODE_OUT_OF_RANGE, { $0.epsilon_code = 1 << 40 }),
      (QK_CODE_OUT_OF_RANGE, { $0.lo = -129 }), (QK_CODE_OUT_OF_RANGE, { $0.hi = 128 }),
      (
        QK_CODE_OUT_OF_RANGE,
        {
          $0.lo = 4
          $0.hi = 3
        }
      ),
      (QK_BAD_REQUANTISER, { $0.scales = UnsafePointer(badScales.base) }),
      (QK_BIAS_OUT_OF_RANGE, { $0.offsets = UnsafePointer(high.base) }),
      (QK_BIAS_OUT_OF_RANGE, { $0.offsets = UnsafePointer(low.base) }),
    ]
    for isa in instructionSets {
      for (index, (expected, change)) in cases.enumerated() {
        out.fill(byte: 0x5A)
        var a = p.arguments(out.base)
        change(&a)
        #expect(qk_layer_norm_with(isa, &a) == expected, "case \(index)")
        #expect(out.bytes.allSatisfy { $0 == 0x5A })
      }
      #expect(qk_layer_norm_with(isa, nil) == QK_NULL_POINTER)
    }
    var a = p.arguments(out.base)
    #expect(qk_layer_norm_with(qk_isa(99), &a) == QK_ISA_NOT_AVAILABLE)
  }
}
