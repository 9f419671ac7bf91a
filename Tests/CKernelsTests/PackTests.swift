import CKernels
import Testing

@Suite struct PackTests {
  @Test func roundTripAndLayout() {
    var random = SplitMix(10)
    for rows in [1, 2, 15, 16, 17, 33, 64] {
      for depth in [1, 2, 3, 4, 5, 7, 8, 9, 31, 100] {
        for share in [0, 1, 2, 4] {
          let matrix = Matrix(rows: rows, depth: depth, share: share, random: &random)
          let packed = Packed(matrix)
          let kd = (depth + 7) / 8 * 8
          var rows8 = (0..<rows).filter { matrix.bits[$0] == 8 }
          var rows4 = (0..<rows).filter { matrix.bits[$0] == 4 }
          // The last 4-bit rows fill the padding of the 8-bit slots when that saves a panel.
          let rest = rows4.count % 16
          if rest <= (rows8.count + 15) / 16 * 16 - rows8.count {
            rows8 = (rows8 + rows4.suffix(rest)).sorted()
            rows4.removeLast(rest)
          }
          let slots8 = (rows8.count + 15) / 16 * 16
          let slots4 = (rows4.count + 15) / 16 * 16
          let w = packed.weights
          #expect(w.rows == rows && w.depth == depth && w.padded_depth == kd)
          #expect(w.slots8 == slots8 && w.slots4 == slots4)
          let slots =
            rows8 + Array(repeating: -1, count: slots8 - rows8.count)
            + rows4 + Array(repeating: -1, count: slots4 - rows4.count)
          #expect(packed.slotRow.array.map(Int.init) == slots)

          // The layout byte by byte, in memory order.
          func code(_ slot: Int, _ k: Int) -> Int {
            slots[slot] < 0 || k >= depth ? 0 : Int(matrix.codes[slots[slot] * depth + k])
          }
          var bytes: [UInt8] = []
          for panel in 0..<slots8 / 16 {
            for quad in 0..<kd / 4 {
              for row in 0..<16 {
                for j in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: code(panel * 16 + row, 4 * quad + j))) }
              }
            }
          }
          for panel in 0..<slots4 / 16 {
            for group in 0..<kd / 8 {
              for row in 0..<16 {
                for j in 0..<4 {
                  let slot = slots8 + panel * 16 + row
                  bytes.append(UInt8((code(slot, 8 * group + j) & 15) + 16 * (code(slot, 8 * group + 4 + j) & 15)))
                }
              }
            }
          }
          #expect(packed.panels.array == bytes)

          #expect(
            packed.slotSum.array.map(Int.init)
              == slots.map { n in n < 0 ? 0 : (0..<depth).reduce(0) { $0 + Int(matrix.codes[n * depth + $1]) } })

          let codes = Guarded<Int8>(count: rows * depth)
          #expect(qk_unpack_rows(&packed.weights, codes.base) == QK_OK)
          #expect(codes.array == matrix.codes)
        }
      }
    }
  }

  @Test func refusals() {
    let codes: [Int8] = [-9, 0, 0, 0]
    let four: [UInt8] = [4]
    let eight: [UInt8] = [8]
    let odd: [UInt8] = [5]
    var panels = [UInt8](repeating: 7, count: 64)
    var slots = [Int32](repeating: 7, count: 16)
    var sums = [Int32](repeating: 7, count: 16)
    var signed = [Int8](repeating: 7, count: 16)
    var out = qk_packed_weights()
    out.rows = 7
    func untouched() -> Bool {
      panels.allSatisfy { $0 == 7 } && slots.allSatisfy { $0 == 7 } && sums.allSatisfy { $0 == 7 } && out.rows == 7
        && signed.allSatisfy { $0 == 7 }
    }
    #expect(qk_pack_rows(codes, four, 1, 4, &panels, &slots, &sums, &out) == QK_CODE_OUT_OF_RANGE)
    #expect(qk_pack_rows([8, 0, 0, 0], four, 1, 4, &panels, &slots, &sums, &out) == QK_CODE_OUT_OF_RANGE)
    #expect(qk_pack_rows(codes, odd, 1, 4, &panels, &slots, &sums, &out) == QK_BAD_SIZE)
    #expect(qk_pack_rows(codes, eight, 0, 4, &panels, &slots, &sums, &out) == QK_BAD_SIZE)
    #expect(qk_pack_rows(codes, eight, 1, 0, &panels, &slots, &sums, &out) == QK_BAD_SIZE)
    #expect(qk_pack_rows(codes, eight, 1, 32001, &panels, &slots, &sums, &out) == QK_DEPTH_BEYOND_PROOF)
    #expect(qk_pack_rows(nil, eight, 1, 4, &panels, &slots, &sums, &out) == QK_NULL_POINTER)
    #expect(qk_pack_rows(codes, eight, 1, 4, nil, &slots, &sums, &out) == QK_NULL_POINTER)
    #expect(qk_pack_rows(codes, eight, 1, 4, &panels, nil, &sums, &out) == QK_NULL_POINTER)
    #expect(qk_pack_rows(codes, eight, 1, 4, &panels, &slots, nil, &out) == QK_NULL_POINTER)
    #expect(qk_pack_rows(codes, eight, 1, 4, &panels, &slots, &sums, nil) == QK_NULL_POINTER)
    #expect(qk_unpack_rows(nil, &signed) == QK_NULL_POINTER)
    #expect(untouched())
    #expect(qk_packed_slots(17, 1) == 32 && qk_packed_bytes(17, 1, 5) == 32 * 8)
    #expect(qk_packed_slots(17, 18) == 48 && qk_packed_bytes(17, 18, 9) == 32 * 16 + 16 * 8)
    #expect(qk_packed_slots(31, 2) == 48 && qk_packed_bytes(31, 2, 9) == 32 * 16 + 16 * 8)
    #expect(qk_packed_slots(0, 16) == 16 && qk_packed_bytes(0, 0, 5) == 0)
  }
}

/// A row-mixed weight matrix; about `share` quarters of its rows have 8 bits.
struct Matrix {
  let rows: Int, depth: Int
  var codes: [Int8] = [], bits: [UInt8] = []
  init(rows: Int, depth: Int, share: Int, random: inout SplitMix) {
    self.rows = rows
    self.depth = depth
    for _ in 0..<rows {
      let wide = Int.random(in: 0..<4, using: &random) < share
      bits.append(wide ? 8 : 4)
      for _ in 0..<depth { codes.append(Int8(random.code(in: wide ? -128...127 : -8...7))) }
    }
  }
}

/// The packed form of a matrix, in memory that ends at a guard page.
final class Packed {
  let panels: Guarded<UInt8>, slotRow: Guarded<Int32>, slotSum: Guarded<Int32>
  var weights = qk_packed_weights()
  init(_ matrix: Matrix) {
    let n8 = Int32(matrix.bits.filter { $0 == 8 }.count)
    let n4 = Int32(matrix.rows) - n8
    panels = Guarded(count: qk_packed_bytes(n8, n4, Int32(matrix.depth)), alignment: 64)
    slotRow = Guarded(count: qk_packed_slots(n8, n4))
    slotSum = Guarded(count: qk_packed_slots(n8, n4))
    let status = qk_pack_rows(
      matrix.codes, matrix.bits, Int32(matrix.rows), Int32(matrix.depth), panels.base,
      slotRow.base, slotSum.base, &weights)
    precondition(status == QK_OK)
  }
}
