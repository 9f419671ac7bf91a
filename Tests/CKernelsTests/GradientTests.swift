import CKernels
import Testing

/// Backward products: the oracle multiplies unpacked matrices in Int64 and rounds as the header says.
@Suite struct GradientTests {
  private static func aligned<T>(_ count: Int, _: T.Type) -> UnsafeMutablePointer<T> {
    UnsafeMutableRawPointer.allocate(byteCount: max(1, count) * MemoryLayout<T>.stride, alignment: 64)
      .bindMemory(to: T.self, capacity: max(1, count))
  }

  private struct Matrix {
    var rows: Int
    var columns: Int
    var values: [Int]

    subscript(r: Int, c: Int) -> Int { values[r * columns + c] }

    init(_ rows: Int, _ columns: Int, _ random: inout SplitMix, _ value: (inout SplitMix) -> Int) {
      (self.rows, self.columns) = (rows, columns)
      values = (0..<rows * columns).map { _ in value(&random) }
    }
  }

  private static func code(_ corner: Bool) -> (inout SplitMix) -> Int {
    { corner ? ($0.next() & 1 == 0 ? -128 : 127) : Int(Int8(truncatingIfNeeded: $0.next())) }
  }

  private static func gradient(_ corner: Bool) -> (inout SplitMix) -> Int {
    { corner ? ($0.next() & 1 == 0 ? -16383 : 16383) : Int($0.next() % 32767) - 16383 }
  }

  /// Panels of codes, from rows or from the transpose.
  private static func panels(_ m: Matrix, transposed: Bool) -> UnsafeMutablePointer<Int16> {
    let out = aligned(qk_gradient_panel_elements(m.rows, m.columns), Int16.self)
    if transposed {
      let codes = (0..<m.columns).flatMap { c in (0..<m.rows).map { Int8(m[$0, c]) } }
      qk_gradient_transposed_panels(m.rows, m.columns, codes, m.rows, out)
    } else {
      qk_gradient_code_panels(m.rows, m.columns, m.values.map { Int8($0) }, m.columns, 0, 0, out)
    }
    return out
  }

  @Test func panelsHoldEveryElementOnceAndZeros() {
    var random = SplitMix(3)
    for (rows, columns) in [(1, 1), (2, 16), (5, 17), (7, 8), (64, 40)] {
      let m = Matrix(rows, columns, &random, Self.code(false))
      let zero: Int32 = 9
      let out = Self.aligned(qk_gradient_panel_elements(rows, columns), Int16.self)
      let bytes = m.values.map { UInt8(truncatingIfNeeded: $0) }
      for unsigned: Int32 in [0, 1] {
        qk_gradient_code_panels(rows, columns, bytes, columns, unsigned, zero, out)
        let pairs = (rows + 1) / 2
        for r in 0..<2 * pairs {
          for c in 0..<(columns + 15) / 16 * 16 {
            let found = Int(out[((c / 16 * pairs + r / 2) * 16 + c % 16) * 2 + r % 2])
            var expected = 0
            if r < rows, c < columns {
              let byte = bytes[r * columns + c]
              expected = (unsigned == 1 ? Int(byte) : Int(Int8(bitPattern: byte))) - Int(zero)
            }
            #expect(found == expected, "\(rows)×\(columns), element \(r), \(c)")
          }
        }
      }
      out.deallocate()
    }
  }

  /// Every edge of the tiles, corner values, both layouts of the left operand, several blocks of depth.
  @Test(arguments: [false, true])
  func setsEqualTheOracle(corners: Bool) {
    var random = SplitMix(corners ? 5 : 4)
    let edges = Array(1...9) + [15, 16, 17, 31, 33, 47, 48, 49, 97]
    var sizes = edges.flatMap { n in [(n, 1 + Int(random.next() % 40), 5), (3, n, n), (8, 7, n)] }
    sizes += [(9, 512, 33), (5, 513, 16), (2, 1025, 50)]
    for (rows, depth, columns) in sizes {
      let left = Matrix(rows, depth, &random, Self.gradient(corners))
      let right = Matrix(depth, columns, &random, Self.code(corners))
      let scale = (0..<rows).map { _ in Float(random.next() % 1000) / 333 }
      let old = (0..<rows * (columns + 1)).map { _ in Float(random.next() % 1000) - 500 }
      let accumulate = random.next() & 1 == 1
      var expected = old
      for i in 0..<rows {
        for j in 0..<columns {
          var value = expected[i * (columns + 1) + j]
          for first in stride(from: 0, to: depth, by: 512) {
            var sum: Int64 = 0
            for k in first..<min(first + 512, depth) { sum += Int64(left[i, k]) * Int64(right[k, j]) }
            let part = Float(Int32(sum)) * scale[i]
            value = first == 0 && !accumulate ? part : value + part
          }
          expected[i * (columns + 1) + j] = value
        }
      }
      let even = (depth + 1) / 2 * 2
      let rowsLeft = (0..<rows).flatMap { i in (0..<even).map { $0 < depth ? Int16(left[i, $0]) : 0 } }
      let packed = Self.panels(right, transposed: rows % 2 == 0)
      for isa in instructionSets {
        var output = old
        let status = output.withUnsafeMutableBufferPointer { output in
          rowsLeft.withUnsafeBufferPointer { rowsLeft in
            scale.withUnsafeBufferPointer { scale in
              var p = qk_gradient_product(
                rows: Int32(rows), depth: Int32(depth), columns: Int32(columns), left: rowsLeft.baseAddress,
                row_step: even, pair_step: 2, right: packed, scale: scale.baseAddress,
                output: output.baseAddress, output_stride: columns + 1, accumulate: accumulate ? 1 : 0)
              return qk_gradient_multiply_with(isa, &p)
            }
          }
        }
        #expect(status == QK_OK)
        #expect(output == expected, "isa \(isa.rawValue), \(rows)×\(depth)×\(columns)")
      }
      packed.deallocate()
    }
  }

  /// Leaves are added pairwise, then pairs, …; the order of a list would give other bits.
  @Test func weightGradientsAddLeavesOverTheTree() {
    var random = SplitMix(6)
    for leafCount in 1...9 {
      let (outputs, inputs) = (1 + Int(random.next() % 220), 1 + Int(random.next() % 220))
      var leaves: [qk_gradient_leaf] = []
      var parts: [[Float]] = []
      for _ in 0..<leafCount {
        let rows = 1 + Int(random.next() % 20)
        let g = Matrix(rows, outputs, &random, Self.code(false))
        let x = Matrix(rows, inputs, &random, Self.code(false))
        let scale = Self.aligned(outputs, Float.self)
        for n in 0..<outputs { scale[n] = Float(random.next() % 1000) / 777 }
        leaves.append(
          qk_gradient_leaf(
            rows: Int32(rows), gradient: Self.panels(g, transposed: false), scale: scale,
            input: Self.panels(x, transposed: false)))
        var part: [Float] = []
        for n in 0..<outputs {
          for k in 0..<inputs {
            part.append(Float((0..<rows).reduce(0) { $0 + g[$1, n] * x[$1, k] }) * scale[n])
          }
        }
        parts.append(part)
      }
      var step = 1
      while step < leafCount {
        for i in stride(from: 0, to: leafCount - step, by: 2 * step) {
          parts[i] = zip(parts[i], parts[i + step]).map { $0 + $1 }
        }
        step *= 2
      }
      for isa in instructionSets {
        var output = [Float](repeating: .nan, count: outputs * inputs)
        let status = output.withUnsafeMutableBufferPointer { output in
          leaves.withUnsafeBufferPointer { leaves in
            var g = qk_weight_gradient(
              leaf_count: Int32(leafCount), outputs: Int32(outputs), inputs: Int32(inputs),
              leaves: leaves.baseAddress, output: output.baseAddress, output_stride: inputs)
            return qk_weight_gradients_with(isa, 1, &g)
          }
        }
        #expect(status == QK_OK)
        #expect(output == parts[0], "isa \(isa.rawValue), \(leafCount) leaves of \(outputs)×\(inputs)")
      }
      for leaf in leaves {
        leaf.gradient.deallocate()
        leaf.scale.deallocate()
        leaf.input.deallocate()
      }
    }
  }

  @Test func refusals() {
    var p = qk_gradient_product()
    #expect(qk_gradient_multiply(nil) == QK_NULL_POINTER)
    #expect(qk_gradient_multiply(&p) == QK_NULL_POINTER)
    #expect(qk_gradient_multiply_with(qk_isa(99), &p) == QK_ISA_NOT_AVAILABLE)
    let memory = Self.aligned(64, Float.self)
    defer { memory.deallocate() }
    let shorts = UnsafeMutableRawPointer(memory).assumingMemoryBound(to: Int16.self)
    p = qk_gradient_product(
      rows: 0, depth: 1, columns: 1, left: shorts, row_step: 2, pair_step: 2, right: shorts, scale: memory,
      output: memory, output_stride: 1, accumulate: 0)
    #expect(qk_gradient_multiply(&p) == QK_BAD_SIZE)
    p.rows = 1
    p.right = UnsafePointer(shorts + 2)
    #expect(qk_gradient_multiply(&p) == QK_MISALIGNED)
    var w = qk_weight_gradient()
    #expect(qk_weight_gradients(1, &w) == QK_NULL_POINTER)
  }
}
