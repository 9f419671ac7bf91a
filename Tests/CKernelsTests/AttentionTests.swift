import CKernels
import Foundation
import Testing

/// One attention call with guarded buffers.
final class AttentionProblem {
  let batch: Int, tokens: Int, heads: Int, dimension: Int, bits: Int
  let qkv: Guarded<Int8>, table: Guarded<UInt16>
  let score: qk_requantiser, output: qk_requantiser

  init(batch: Int, tokens: Int, heads: Int, dimension: Int, bits: Int, full: Bool, seed: Int) {
    var random = SplitMix(seed)
    (self.batch, self.tokens, self.heads, self.dimension, self.bits) = (batch, tokens, heads, dimension, bits)
    let top = full ? 127 : (1 << (bits - 1)) - 1
    let bottom = full ? -128 : -top
    qkv = Guarded(
      (0..<batch * tokens * 3 * heads * dimension).map { _ in Int8(random.code(in: bottom...top)) })
    table = Guarded(count: 256)
    precondition(qk_exponent_table(Int32(bits), table.base) == QK_OK)
    // Typical distances span a few powers of two; sometimes all of the range or nothing.
    let spread = sqrt(Double(dimension)) * Double(top * top)
    var s = random.requantiser((20 / spread)...(4000 / spread))
    s.multiplier = abs(s.multiplier)
    score = seed % 11 == 0 ? qk_requantiser(multiplier: 0, shift: 1) : s
    output = random.requantiser(0x1p-12...0x1p-6)
  }

  func arguments(_ out: UnsafeMutablePointer<Int8>) -> qk_attention_arguments {
    qk_attention_arguments(
      batch: Int32(batch), tokens: Int32(tokens), heads: Int32(heads), head_dimension: Int32(dimension),
      activation_bits: Int32(bits), qkv: qkv.base, score: score, exponent_table: table.base,
      output_requantiser: output, lo: -127, hi: 127, output: out)
  }

  func run(_ isa: qk_isa) -> [Int8] {
    let out = Guarded<Int8>(count: batch * tokens * heads * dimension)
    out.fill(byte: 0x80)  // −128 is outside lo…hi, so an unwritten code shows
    var a = arguments(out.base)
    let status = qk_attention_with(isa, &a)
    precondition(status == QK_OK, String(cString: qk_status_message(status)))
    return out.array
  }

  func oracle() -> [Int8] {
    var out = [Int8](repeating: 0, count: batch * tokens * heads * dimension)
    for image in 0..<batch {
      for head in 0..<heads {
        let part = { (section: Int) in
          (0..<self.tokens).map { t in
            (0..<self.dimension).map { c in
              Int(
                self.qkv.base[
                  (((image * self.tokens + t) * 3 + section) * self.heads + head) * self.dimension + c])
            }
          }
        }
        let result = Oracle.attention(
          q: part(0), k: part(1), v: part(2), score: (Int(score.multiplier), Int(score.shift)), bits: bits,
          table: table.array.map(Int.init), output: (Int(output.multiplier), Int(output.shift)), lo: -127,
          hi: 127)
        for t in 0..<tokens {
          for c in 0..<dimension {
            out[((image * tokens + t) * heads + head) * dimension + c] = Int8(result[t][c])
          }
        }
      }
    }
    return out
  }
}

@Suite struct AttentionTests {
  @Test(arguments: [1, 2, 17, 50, 197], [4, 6, 8]) func everyKernelEqualsTheOracle(tokens: Int, bits: Int) {
    for dimension in [8, 16, 24, 32, 64] {
      let seed = tokens * 100 + bits * 10 + dimension
      let p = AttentionProblem(
        batch: tokens < 100 ? 2 : 1, tokens: tokens, heads: 2, dimension: dimension, bits: bits,
        full: false, seed: seed)
      let expected = p.oracle()
      for isa in instructionSets {
        #expect(firstDifference(p.run(isa), expected) == nil, "dimension \(dimension)")
      }
    }
  }

  /// Odd dimensions, every residue of tokens, codes beyond the A-bit range.
  @Test func fastEqualsReference() {
    var seed = 0
    for isa in fastSets {
      for tokens in Array(1...34) + [48, 49, 96, 97, 129] {
        for dimension in [1, 2, 3, 7, 9, 15, 17, 31, 33, 40, 100] {
          seed += 1
          let p = AttentionProblem(
            batch: 1, tokens: tokens, heads: 1 + seed % 3, dimension: dimension,
            bits: [4, 6, 8][seed % 3], full: true, seed: seed)
          #expect(
            firstDifference(p.run(isa), p.run(QK_ISA_REFERENCE)) == nil,
            "tokens \(tokens) dimension \(dimension) seed \(seed)")
        }
      }
      for (tokens, dimension) in [(513, 32), (1025, 8), (1030, 5), (300, 256), (20, 255)] {
        let p = AttentionProblem(
          batch: 1, tokens: tokens, heads: 1, dimension: dimension, bits: 8, full: true,
          seed: tokens)
        #expect(
          firstDifference(p.run(isa), p.run(QK_ISA_REFERENCE)) == nil,
          "tokens \(tokens) dimension \(dimension)")
      }
    }
  }

  @Test func largestCall() {
    for isa in fastSets {
      let p = AttentionProblem(batch: 1, tokens: 4096, heads: 1, dimension: 2, bits: 8, full: true, seed: 12)
      // Seed 11 draws M = 0.
      let q = AttentionProblem(batch: 1, tokens: 4096, heads: 1, dimension: 2, bits: 8, full: true, seed: 11)
      #expect(firstDifference(p.run(isa), p.run(QK_ISA_REFERENCE)) == nil)
      #expect(firstDifference(q.run(isa), q.run(QK_ISA_REFERENCE)) == nil)
    }
  }

  @Test func refusals() {
    let p = AttentionProblem(batch: 1, tokens: 3, heads: 1, dimension: 4, bits: 8, full: false, seed: 1)
    let out = Guarded<Int8>(count: 12)
    let otherTable = Guarded<UInt16>(count: 256)
    #expect(qk_exponent_table(6, otherTable.base) == QK_OK)
    let (large, small) = (Guarded<UInt16>(count: 256), Guarded<UInt16>(count: 256))
    #expect(qk_exponent_table(8, large.base) == QK_OK && qk_exponent_table(8, small.base) == QK_OK)
    large.base[7] = large.base[0] + 1
    small.base[255] = small.base[0] / 2 - 1
    let cases: [(qk_status, (inout qk_attention_arguments) -> Void)] = [
      (QK_NULL_POINTER, { $0.qkv = nil }), (QK_NULL_POINTER, { $0.exponent_table = nil }),
      (QK_NULL_POINTER, { $0.output = nil }), (QK_BAD_SIZE, { $0.batch = 0 }),
      (QK_BAD_SIZE, { $0.heads = 0 }),
      (QK_BAD_SIZE, { $0.tokens = 0 }), (QK_BAD_SIZE, { $0.tokens = 4097 }),
      (QK_BAD_SIZE, { $0.head_dimension = 0 }),
      (QK_BAD_SIZE, { $0.head_dimension = 257 }), (QK_BAD_SPEC, { $0.activation_bits = 7 }),
      (QK_BAD_SPEC, { $0.activation_bits = 6 }),
      (QK_BAD_SPEC, { $0.exponent_table = UnsafePointer(otherTable.base) }),
      (QK_BAD_SPEC, { $0.exponent_table = UnsafePointer(large.base) }),
      (QK_BAD_SPEC, { $0.exponent_table = UnsafePointer(small.base) }),
      (QK_BAD_REQUANTISER, { $0.score.multiplier = -40000 }), (QK_BAD_REQUANTISER, { $0.score.shift = 0 }),
      (QK_BAD_REQUANTISER, { $0.output_requantiser.multiplier = 1 }),
      (QK_CODE_OUT_OF_RANGE, { $0.lo = -129 }),
      (QK_CODE_OUT_OF_RANGE, { $0.hi = 128 }),
      (
        QK_CODE_OUT_OF_RANGE,
        {
          $0.lo = 1
          $0.hi = 0
        }
      ),
    ]
    for isa in instructionSets {
      for (index, (expected, change)) in cases.enumerated() {
        out.fill(byte: 0x5A)
        var a = p.arguments(out.base)
        change(&a)
        #expect(qk_attention_with(isa, &a) == expected, "case \(index)")
        #expect(out.bytes.allSatisfy { $0 == 0x5A })
      }
      #expect(qk_attention_with(isa, nil) == QK_NULL_POINTER)
    }
    var a = p.arguments(out.base)
    #expect(qk_attention_with(qk_isa(99), &a) == QK_ISA_NOT_AVAILABLE)
  }
}
