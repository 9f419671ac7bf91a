import CKernels
import Testing

/// The units after the processing elements, exact and inexact, against the oracle with its own roundings.
@Suite("Units of the datapath")
struct DatapathUnitTests {
  /// ⌊v / 2^s⌋ or ⌊(v + 2^(s−1)) / 2^s⌋
  static func shift(_ v: Int128, _ s: Int, truncated: Bool) -> Int128 {
    truncated ? Oracle.floorDivide(v, Oracle.power(s)) : Oracle.roundHalfUp(v, s)
  }

  static func element(_ chain: Int32) -> qk_datapath_element {
    var e = qk_datapath_element()
    e.mode = qk_packing_mode(
      generation: QK_DSP48E2, weights: 2, activations: 1, pitch: 18, atoms: 0, repair: QK_REPAIR_NONE)
    e.chain = chain
    e.input_lanes = 3
    e.dsp_tokens = 2
    e.fabric_tokens = 1
    e.accumulator_bits = 32
    return e
  }

  @Test("Attention equals the kernel when exact, the oracle's truncations and short table when not")
  func attention() {
    var random = SplitMix(31)
    for round in 0..<24 {
      let bits = [4, 6, 8][round % 3]
      let (batch, tokens, heads, d) = (
        Int.random(in: 1...3, using: &random), Int.random(in: 1...19, using: &random),
        Int.random(in: 1...3, using: &random), 8
      )
      let limit = (1 << (bits - 1)) - 1
      let inner = heads * d
      let qkv = (0..<batch * tokens * 3 * inner).map { _ in Int8(random.code(in: -limit...limit)) }
      var table = [UInt16](repeating: 0, count: 256)
      #expect(qk_exponent_table(Int32(bits), &table) == QK_OK)
      let score = random.requantiser(0.05...4)
      let output = random.requantiser(0.001...0.02)
      var score0 = score
      score0.multiplier = abs(score.multiplier)
      var spec = qk_hardware_spec_exact()
      if round >= 6 {
        spec.truncated = Int32.random(in: 0...15, using: &random)
        spec.exponent_index_bits = Int32.random(in: 1...8, using: &random)
      }
      let input = Guarded(qkv)
      let result = Guarded<Int8>(count: batch * tokens * inner)
      let plain = Guarded<Int8>(count: batch * tokens * inner)
      table.withUnsafeBufferPointer { entries in
        var a = qk_attention_arguments()
        a.batch = Int32(batch)
        a.tokens = Int32(tokens)
        a.heads = Int32(heads)
        a.head_dimension = Int32(d)
        a.activation_bits = Int32(bits)
        a.qkv = UnsafePointer(input.base)
        a.score = score0
        a.exponent_table = entries.baseAddress
        a.output_requantiser = output
        a.lo = Int32(-limit)
        a.hi = Int32(limit)
        a.output = plain.base
        #expect(qk_attention_reference(&a) == QK_OK)
        a.output = result.base
        var scores = Self.element(bits == 8 ? 8 : 100)
        var context = Self.element(bits == 8 ? 4 : 60)
        let workspace = Guarded<UInt8>(count: qk_datapath_attention_workspace(&a), alignment: 64)
        #expect(
          qk_datapath_attention(&a, &scores, &context, &spec, UnsafeMutableRawPointer(workspace.base)) == QK_OK)
      }
      if round < 6 { #expect(firstDifference(result.array, plain.array) == nil, "round \(round)") }
      let softmaxCut = spec.truncated & Int32(QK_TRUNCATE_SOFTMAX) != 0
      let contextCut = spec.truncated & Int32(QK_TRUNCATE_CONTEXT) != 0
      var expected: [Int8] = []
      func code(_ image: Int, _ part: Int, _ head: Int, _ t: Int, _ c: Int) -> Int {
        Int(qkv[(image * tokens + t) * 3 * inner + part * inner + head * d + c])
      }
      for image in 0..<batch {
        for t in 0..<tokens {
          for head in 0..<heads {
            let s = (0..<tokens).map { j in
              (0..<d).reduce(0) { $0 + code(image, 0, head, t, $1) * code(image, 1, head, j, $1) }
            }
            let p = s.map { value -> Int in
              let distance = Int128(s.max()! - value) * Int128(score0.multiplier)
              let z = Int(Self.shift(distance, Int(score0.shift), truncated: softmaxCut))
              let dropped = 1 << (8 - Int(spec.exponent_index_bits))
              let (whole, f) = (z / 256, z % 256 / dropped * dropped)
              if whole > bits { return 0 }
              return Int(Self.shift(Int128(table[f]), 16 - bits + whole, truncated: softmaxCut))
            }
            let (r, k) = Oracle.reciprocal(p.reduce(0, +))
            for c in 0..<d {
              let o = (0..<tokens).reduce(0) { $0 + p[$1] * code(image, 2, head, $1, c) }
              let u = Self.shift(Int128(o) * Int128(r), k + 7, truncated: contextCut)
              let y = Self.shift(u * Int128(output.multiplier), Int(output.shift), truncated: contextCut)
              expected.append(Int8(Oracle.clamp(y, -limit, limit)))
            }
          }
        }
      }
      #expect(firstDifference(result.array, expected) == nil, "round \(round)")
    }
  }

  @Test("LayerNorm truncates only where the spec says so")
  func layerNorm() {
    var random = SplitMix(32)
    let (rows, width) = (9, 24)
    let input = Guarded((0..<rows * width).map { _ in Int16(random.code(in: -32768...32767)) })
    let scales = (0..<width).map { _ in random.requantiser(1e-7...1e-6) }
    let offsets = scales.map { Int64.random(in: -20...20, using: &random) << Int64($0.shift) }
    for cut in [0, QK_TRUNCATE_LAYER_NORM, QK_TRUNCATE_REQUANTISER] {
      var spec = qk_hardware_spec_exact()
      spec.truncated = Int32(cut)
      let output = Guarded<Int8>(count: rows * width)
      scales.withUnsafeBufferPointer { s in
        offsets.withUnsafeBufferPointer { o in
          var a = qk_layer_norm_arguments()
          a.rows = Int32(rows)
          a.width = Int32(width)
          a.input = UnsafePointer(input.base)
          a.input_stride = width
          a.epsilon_code = 3
          a.scales = s.baseAddress
          a.offsets = o.baseAddress
          a.lo = -127
          a.hi = 127
          a.output = output.base
          a.output_stride = width
          #expect(qk_datapath_layer_norm(&a, &spec) == QK_OK)
        }
      }
      var expected: [Int8] = []
      for row in 0..<rows {
        let r = (0..<width).map { Int(input.base[row * width + $0]) }
        let mean = Int(Oracle.floorDivide(Int128(2 * r.reduce(0, +) + width), Int128(2 * width)))
        let variance = r.reduce(3) { $0 + ($1 - mean) * ($1 - mean) }
        let f = (1 << 30) / max(Int(Oracle.squareRoot(UInt64(variance))), 1)
        for i in 0..<width {
          let v = Int128(r[i] - mean) * Int128(f) * Int128(scales[i].multiplier) + Int128(offsets[i])
          let y = Self.shift(v, Int(scales[i].shift), truncated: cut == QK_TRUNCATE_LAYER_NORM)
          expected.append(Int8(Oracle.clamp(y, -127, 127)))
        }
      }
      #expect(firstDifference(output.array, expected) == nil, "cut \(cut)")
    }
  }

  @Test("Bias, requantiser, residual adder and a shorter GELU table")
  func finish() {
    var random = SplitMix(33)
    let (tokens, rows) = (70, 11)
    let packed = Packed(Matrix.constant(1, rows: rows, depth: 4))
    let accumulators = (0..<tokens * rows).map { _ in Int32(random.code(in: -1_000_000...1_000_000)) }
    let bias = (0..<rows).map { _ in Int32(random.code(in: -100_000...100_000)) }
    let requantisers = (0..<rows).map { _ in random.requantiser(1e-5...1e-3) }
    let residual = (0..<tokens * rows).map { _ in Int16(random.code(in: -32768...32767)) }
    let table = (0..<256).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
    for (form, cut, tableBits) in [
      (QK_OUTPUT_INT8, 0, 8), (QK_OUTPUT_INT8, QK_TRUNCATE_REQUANTISER, 8), (QK_OUTPUT_TABLE, 0, 8),
      (QK_OUTPUT_TABLE, QK_TRUNCATE_REQUANTISER, 5), (QK_OUTPUT_RESIDUAL, 0, 8),
      (QK_OUTPUT_RESIDUAL, QK_TRUNCATE_REQUANTISER, 8), (QK_OUTPUT_INT32, QK_TRUNCATE_CONTEXT, 8),
    ] {
      var spec = qk_hardware_spec_exact()
      spec.truncated = Int32(cut)
      spec.gelu_index_bits = Int32(tableBits)
      let output = Guarded<Int32>(count: tokens * rows)
      let activations = [Int8](repeating: 0, count: tokens * 4)
      withUnsafePointer(to: &packed.weights) { packed in
        var a = qk_gemm_arguments()
        a.tokens = Int32(tokens)
        a.activation_stride = 4
        a.weights = packed
        a.form = form
        a.lo = form == QK_OUTPUT_INT32 ? Int32.min : -127
        a.hi = form == QK_OUTPUT_INT32 ? Int32.max : 127
        a.residual_stride = rows
        a.output = UnsafeMutableRawPointer(output.base)
        a.output_stride = rows
        activations.withUnsafeBytes { x in
          bias.withUnsafeBufferPointer { b in
            requantisers.withUnsafeBufferPointer { r in
              table.withUnsafeBufferPointer { t in
                residual.withUnsafeBufferPointer { old in
                  a.activations = x.baseAddress
                  a.bias = b.baseAddress
                  a.requantisers = r.baseAddress
                  a.table = t.baseAddress
                  a.residual = old.baseAddress
                  #expect(qk_datapath_finish(&a, accumulators, &spec) == QK_OK)
                }
              }
            }
          }
        }
      }
      for i in 0..<tokens * rows {
        let r = requantisers[i % rows]
        let sum = Int128(accumulators[i]) + Int128(bias[i % rows])
        let wide = Self.shift(
          sum * Int128(r.multiplier), Int(r.shift), truncated: cut == QK_TRUNCATE_REQUANTISER)
        let code = Oracle.clamp(wide, -127, 127)
        let raw = UnsafeRawPointer(output.base)
        let (found, expected): (Int, Int)
        switch form {
        case QK_OUTPUT_INT8: (found, expected) = (Int(raw.load(fromByteOffset: i, as: Int8.self)), code)
        case QK_OUTPUT_TABLE:
          let group = 1 << (8 - tableBits)
          let index = (code + 128) / group * group + group / 2
          (found, expected) = (Int(raw.load(fromByteOffset: i, as: UInt8.self)), Int(table[index]))
        case QK_OUTPUT_RESIDUAL:
          let moved = Int(residual[i]) + Oracle.clamp(wide, -32768, 32767)
          found = Int(raw.load(fromByteOffset: 2 * i, as: Int16.self))
          expected = min(max(moved, -32768), 32767)
        default: (found, expected) = (Int(output.base[i]), Oracle.clamp(wide, Int(Int32.min), Int(Int32.max)))
        }
        guard found == expected else {
          Issue.record("form \(form.rawValue) cut \(cut), output \(i): \(found), expected \(expected)")
          break
        }
      }
    }
  }

  @Test("A spec with a field out of range is refused")
  func specs() {
    func status(_ change: (inout qk_hardware_spec) -> Void) -> qk_status {
      var spec = qk_hardware_spec_exact()
      change(&spec)
      return qk_hardware_spec_check(&spec)
    }
    #expect(status { _ in } == QK_OK)
    #expect(qk_hardware_spec_check(nil) == QK_NULL_POINTER)
    #expect(status { $0.accumulator_bits = 7 } == QK_BAD_SPEC)
    #expect(status { $0.accumulator_bits = 33 } == QK_BAD_SPEC)
    #expect(status { $0.accumulator_saturates = 2 } == QK_BAD_SPEC)
    #expect(status { $0.decode = qk_decode(3) } == QK_BAD_SPEC)
    #expect(status { $0.chain_limit = -1 } == QK_BAD_SPEC)
    #expect(status { $0.truncated = 16 } == QK_BAD_SPEC)
    #expect(status { $0.exponent_index_bits = 0 } == QK_BAD_SPEC)
    #expect(status { $0.gelu_index_bits = 9 } == QK_BAD_SPEC)
  }
}
