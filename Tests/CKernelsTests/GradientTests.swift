import CKernels
import Testing

/// Backward products: the oracle multiplies unpacked matrices in Int64 and rounds as specified in the header.
@Suite struct GradientTests {
  /// No bytes to fetch during the product.
  private let nothing = (qk_fetch_range(), qk_fetch_range(), qk_fetch_range(), qk_fetch_range())

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

  private static func gradient(_ corner: Bool, _ form: qk_gradient_form) -> (inout SplitMix) -> Int {
    if form == QK_GRADIENT_UNSIGNED_BYTES { return { corner ? 255 * Int($0.next() & 1) : Int($0.next() & 255) } }
    let limit = Int(form == QK_GRADIENT_BYTES ? QK_GRADIENT_BYTE_LIMIT : QK_GRADIENT_LIMIT)
    return {
      corner ? ($0.next() & 1 == 0 ? -limit : limit) : Int($0.next() % UInt64(2 * limit + 1)) - limit
    }
  }

  private static func group(_ form: qk_gradient_form) -> Int { form == QK_GRADIENT_WORDS ? 2 : 4 }

  /// Panels of the exact operand; those of some sizes are made from the transpose.
  private static func panels(_ m: Matrix, _ form: qk_gradient_form, transposed: Bool) -> UnsafeMutablePointer<UInt8> {
    let out = aligned(qk_gradient_panel_bytes(form, m.rows, m.columns), UInt8.self)
    if transposed && form != QK_GRADIENT_UNSIGNED_BYTES {
      let codes = (0..<m.columns).flatMap { c in (0..<m.rows).map { Int8(m[$0, c]) } }
      qk_gradient_transposed_panels(form, m.rows, m.columns, codes, m.rows, out)
    } else {
      qk_gradient_code_panels(form, m.rows, m.columns, m.values.map { Int8($0) }, m.columns, 0, 0, out)
    }
    return out
  }

  /// Panels of a gradient, whose bytes have no offset.
  private static func gradientPanels(_ m: Matrix, _ form: qk_gradient_form) -> UnsafeMutablePointer<UInt8> {
    let out = aligned(qk_gradient_panel_bytes(form, m.rows, m.columns), UInt8.self)
    let group = group(form)
    let (groups, width) = ((m.rows + group - 1) / group, 4 / group)
    for r in 0..<groups * group {
      for c in 0..<(m.columns + 15) / 16 * 16 {
        let value = r < m.rows && c < m.columns ? m[r, c] : 0
        let at = ((c / 16 * groups + r / group) * 16 + c % 16) * 4 + r % group * width
        for byte in 0..<width { out[at + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
      }
    }
    return out
  }

  private static let forms = [QK_GRADIENT_WORDS, QK_GRADIENT_BYTES, QK_GRADIENT_UNSIGNED_BYTES]

  @Test func panelsHoldEveryElementOnceAndZeros() {
    var random = SplitMix(3)
    for form in Self.forms {
      for (rows, columns) in [(1, 1), (2, 16), (5, 17), (7, 8), (9, 32), (64, 40)] {
        let m = Matrix(rows, columns, &random, Self.code(false))
        let zero: Int32 = 9
        let size = qk_gradient_panel_bytes(form, rows, columns)
        let out = Self.aligned(size, UInt8.self)
        let bytes = m.values.map { UInt8(truncatingIfNeeded: $0) }
        let (group, width) = (Self.group(form), 4 / Self.group(form))
        let groups = (rows + group - 1) / group
        #expect(size == (columns + 15) / 16 * groups * 64)
        for unsigned: Int32 in form == QK_GRADIENT_UNSIGNED_BYTES ? [0] : [0, 1] {
          let zero = form == QK_GRADIENT_UNSIGNED_BYTES ? 0 : zero
          qk_gradient_code_panels(form, rows, columns, bytes, columns, unsigned, zero, out)
          let offset = Int(qk_gradient_offset(form, unsigned, zero))
          for r in 0..<group * groups {
            for c in 0..<(columns + 15) / 16 * 16 {
              let at = ((c / 16 * groups + r / group) * 16 + c % 16) * 4 + r % group * width
              let word = Int(Int16(truncatingIfNeeded: Int(out[at]) | Int(out[at + 1]) << 8))
              let byte = form == QK_GRADIENT_BYTES ? Int(out[at]) : Int(Int8(bitPattern: out[at]))
              let found = width == 2 ? word : byte
              var expected = 0
              if r < rows, c < columns {
                let byte = bytes[r * columns + c]
                expected = (unsigned == 1 ? Int(byte) : Int(Int8(bitPattern: byte))) - Int(zero) + offset
              }
              #expect(found == expected, "form \(form.rawValue), \(rows)×\(columns), element \(r), \(c)")
            }
          }
        }
        out.deallocate()
      }
    }
  }

  /// Every edge of the tiles, corner values, several blocks of depth.
  @Test(arguments: [false, true], forms)
  func setsEqualTheOracle(corners: Bool, form: qk_gradient_form) {
    var random = SplitMix(corners ? 5 : 4)
    let isBytes = form != QK_GRADIENT_WORDS
    let group = Self.group(form)
    let edges = Array(1...9) + [15, 16, 17, 31, 33, 47, 48, 49, 97]
    var sizes = edges.flatMap { n in [(n, 1 + Int(random.next() % 40), 5), (3, n, n), (8, 7, n)] }
    sizes += [(9, 512, 33), (5, 513, 16), (2, 1025, 50)]
    if isBytes { sizes.append((1, Int(QK_GRADIENT_BYTE_DEPTH), 2)) }
    let block = isBytes ? Int(QK_GRADIENT_BYTE_DEPTH) : 512
    for (rows, depth, columns) in sizes {
      let left = Matrix(rows, depth, &random, Self.gradient(corners, form))
      let right = Matrix(depth, columns, &random, Self.code(corners))
      let scale = (0..<rows).map { _ in Float(random.next() % 1000) / 333 }
      let old = (0..<rows * (columns + 1)).map { _ in Float(random.next() % 1000) - 500 }
      let accumulate = random.next() & 1 == 1
      var expected = old
      for i in 0..<rows {
        for j in 0..<columns {
          var value = expected[i * (columns + 1) + j]
          for first in stride(from: 0, to: depth, by: block) {
            var sum: Int64 = 0
            for k in first..<min(first + block, depth) { sum += Int64(left[i, k]) * Int64(right[k, j]) }
            let part = Float(Int32(sum)) * scale[i]
            value = first == 0 && !accumulate ? part : value + part
          }
          expected[i * (columns + 1) + j] = value
        }
      }
      let whole = (depth + group - 1) / group * group
      let rowsLeft: [UInt8] = (0..<rows).flatMap { i in
        (0..<whole).flatMap { k -> [UInt8] in
          // Bytes after the unsigned ones are multiplied by zeros.
          let value = k < depth ? left[i, k] : form == QK_GRADIENT_UNSIGNED_BYTES ? 201 : 0
          return (0..<4 / group).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
      }
      let sums = (0..<rows).map { i in Int32((0..<depth).reduce(0) { $0 + left[i, $1] }) }
      let packed = Self.panels(right, form, transposed: rows % 2 == 0)
      for isa in instructionSets {
        var output = old
        let status = output.withUnsafeMutableBufferPointer { output in
          rowsLeft.withUnsafeBufferPointer { rowsLeft in
            scale.withUnsafeBufferPointer { scale in
              sums.withUnsafeBufferPointer { sums in
                var p = qk_gradient_product(
                  form: form, rows: Int32(rows), depth: Int32(depth), columns: Int32(columns),
                  left: rowsLeft.baseAddress, row_step: whole * 4 / group, group_step: 4,
                  left_sums: form == QK_GRADIENT_BYTES ? sums.baseAddress : nil, right: packed,
                  right_offset: qk_gradient_offset(form, 0, 0), scale: scale.baseAddress,
                  output: output.baseAddress, output_stride: columns + 1, accumulate: accumulate ? 1 : 0,
                  fetch: nothing)
                return qk_gradient_multiply_with(isa, &p)
              }
            }
          }
        }
        #expect(status == QK_OK)
        #expect(output == expected, "isa \(isa.rawValue), \(rows)×\(depth)×\(columns)")
      }
      packed.deallocate()
    }
  }

  /// Leaves are added in pairs, then pairs in pairs, and so on; the order of a list would give other bits.
  @Test(arguments: [QK_GRADIENT_WORDS, QK_GRADIENT_BYTES])
  func weightGradientsAddLeavesOverTheTree(form: qk_gradient_form) {
    var random = SplitMix(6)
    for leafCount in 1...9 {
      let (outputs, inputs) = (1 + Int(random.next() % 220), 1 + Int(random.next() % 220))
      var leaves: [qk_gradient_leaf] = []
      var parts: [[Float]] = []
      for _ in 0..<leafCount {
        let rows = 1 + Int(random.next() % 20)
        let g = Matrix(rows, outputs, &random, Self.gradient(false, form))
        let x = Matrix(rows, inputs, &random, Self.code(false))
        let scale = Self.aligned(outputs, Float.self)
        let sums = Self.aligned(outputs, Int32.self)
        for n in 0..<outputs {
          scale[n] = Float(random.next() % 1000) / 777
          sums[n] = Int32((0..<rows).reduce(0) { $0 + g[$1, n] })
        }
        leaves.append(
          qk_gradient_leaf(
            rows: Int32(rows), gradient: Self.gradientPanels(g, form), scale: scale, sums: sums,
            input: Self.panels(x, form, transposed: false)))
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
      let factor: Float = leafCount % 2 == 0 ? 0.3 : 1
      for isa in instructionSets {
        var output = [Float](repeating: .nan, count: outputs * inputs)
        let status = output.withUnsafeMutableBufferPointer { output in
          leaves.withUnsafeBufferPointer { leaves in
            var g = qk_weight_gradient(
              form: form, leaf_count: Int32(leafCount), outputs: Int32(outputs), inputs: Int32(inputs),
              input_offset: qk_gradient_offset(form, 0, 0), leaves: leaves.baseAddress, factor: factor,
              output: output.baseAddress, output_stride: inputs)
            return qk_weight_gradients_with(isa, 1, &g)
          }
        }
        #expect(status == QK_OK)
        #expect(
          output == parts[0].map { factor * $0 }, "isa \(isa.rawValue), \(leafCount) leaves of \(outputs)×\(inputs)")
      }
      for leaf in leaves {
        leaf.gradient.deallocate()
        leaf.scale.deallocate()
        leaf.sums.deallocate()
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
      form: QK_GRADIENT_WORDS, rows: 0, depth: 1, columns: 1, left: shorts, row_step: 4, group_step: 4, left_sums: nil,
      right: shorts, right_offset: 0, scale: memory, output: memory, output_stride: 1, accumulate: 0, fetch: nothing)
    #expect(qk_gradient_multiply(&p) == QK_BAD_SIZE)
    p.rows = 1
    p.right = UnsafeRawPointer(shorts + 2)
    #expect(qk_gradient_multiply(&p) == QK_MISALIGNED)
    p.right = UnsafeRawPointer(shorts)
    p.right_offset = 128
    #expect(qk_gradient_multiply(&p) == QK_BAD_SPEC)
    p.form = QK_GRADIENT_BYTES
    #expect(qk_gradient_multiply(&p) == QK_NULL_POINTER)
    var sum: Int32 = 0
    withUnsafePointer(to: &sum) {
      p.left_sums = $0
      p.right_offset = 256
      #expect(qk_gradient_multiply(&p) == QK_BAD_SPEC)
      p.right_offset = 128
      p.depth = QK_GRADIENT_BYTE_DEPTH + 1
      #expect(qk_gradient_multiply(&p) == QK_BAD_SIZE)
      p.form = qk_gradient_form(7)
      #expect(qk_gradient_multiply(&p) == QK_BAD_SPEC)
    }
    var w = qk_weight_gradient()
    #expect(qk_weight_gradients(1, &w) == QK_NULL_POINTER)
  }
}
