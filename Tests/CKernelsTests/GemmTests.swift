import CKernels
import Testing

@Suite struct GemmTests {
  @Test(arguments: outputForms.map(\.rawValue)) func referenceEqualsOracle(form: UInt32) {
    var seed = 1000
    for depth in [1, 2, 3, 4, 5, 7, 9, 33, 100] {
      for rows in [1, 5, 16, 35] {
        for isUnsigned in [false, true] {
          for share in [0, 2, 4] {
            seed += 1
            let p = GemmProblem(
              tokens: 1 + seed % 7, rows: rows, depth: depth, isUnsigned: isUnsigned,
              form: qk_output_form(form), share: share, slack: seed % 4, seed: seed)
            #expect(
              firstDifference(p.run(QK_ISA_REFERENCE), p.oracle()) == nil,
              "rows \(rows) depth \(depth) seed \(seed)")
          }
        }
      }
    }
  }

  @Test(arguments: outputForms.map(\.rawValue)) func fastEqualsReference(form: UInt32) {
    var seed = 2000
    for isa in fastSets {
      for tokens in 1...35 {
        for rows in 1...35 where rows < 19 || rows % 2 == tokens % 2 {
          seed += 1
          let depths = [1 + seed % 9, 10 + seed * 7 % 60]
          for depth in depths {
            let p = GemmProblem(
              tokens: tokens, rows: rows, depth: depth, isUnsigned: seed % 2 == 0,
              form: qk_output_form(form), share: seed % 5, slack: seed % 3, seed: seed)
            #expect(
              firstDifference(p.run(isa, prepared: seed % 3 == 0), p.run(QK_ISA_REFERENCE)) == nil,
              "tokens \(tokens) rows \(rows) depth \(depth) seed \(seed)")
          }
        }
      }
    }
  }

  /// Every number of tokens up to two of the largest tiles plus one; every number of panels up to two groups plus one.
  @Test func everyTileAndGroup() {
    var seed = 2500
    for isa in fastSets {
      for tokens in 1...25 {
        for panels in 1...9 {
          seed += 1
          let rows = 16 * panels - [0, 1, 7, 15][seed % 4]
          let p = GemmProblem(
            tokens: tokens, rows: rows, depth: 1 + seed * 5 % 41, isUnsigned: seed % 2 == 0,
            form: outputForms[seed % outputForms.count], share: seed / 2 % 5, slack: seed % 3, seed: seed)
          #expect(
            firstDifference(p.run(isa, prepared: seed % 2 == 0), p.run(QK_ISA_REFERENCE)) == nil,
            "isa \(isa) tokens \(tokens) rows \(rows) seed \(seed)")
        }
      }
    }
  }

  /// Every activation times every weight of either precision, at every place of the steps of four and eight k.
  @Test func everyProduct() {
    for isa in fastSets {
      for bits in [4, 8] {
        let weights = bits == 8 ? Array(-128...127) : Array(-8...7)
        for isUnsigned in [false, true] {
          for place in 0..<17 {
            var matrix = Matrix.constant(0, rows: weights.count, depth: 17)
            matrix.bits = Array(repeating: UInt8(bits), count: weights.count)
            for (n, w) in weights.enumerated() { matrix.codes[n * 17 + place] = Int8(w) }
            let packed = Packed(matrix)
            let x = Guarded<UInt8>(count: 256 * 17)
            x.fill(byte: 0x55)
            for t in 0..<256 { x.base[t * 17 + place] = UInt8(t) }
            let bias = Guarded<Int32>(Array(repeating: 0, count: weights.count))
            let output = Guarded<Int32>(count: 256 * weights.count)
            var a = qk_gemm_arguments()
            (a.tokens, a.activations_unsigned, a.activation_stride) = (256, isUnsigned ? 1 : 0, 17)
            (a.activations, a.bias) = (UnsafeRawPointer(x.base), UnsafePointer(bias.base))
            (a.form, a.output, a.output_stride) = (
              QK_OUTPUT_ACCUMULATOR, UnsafeMutableRawPointer(output.base), weights.count
            )
            let status = withUnsafePointer(to: &packed.weights) {
              a.weights = $0
              return qk_gemm_with(isa, &a)
            }
            let expected = (0..<256).flatMap { t in
              weights.map { Int32((isUnsigned ? t : Int(Int8(truncatingIfNeeded: t))) * $0) }
            }
            #expect(status == QK_OK && firstDifference(output.array, expected) == nil, "\(isa) \(bits) at \(place)")
          }
        }
      }
    }
  }

  /// Largest and smallest operands in every remainder of the depth: sums at which a saturating step would be visible.
  @Test func cornersAtEveryDepth() {
    for isa in fastSets {
      for depth in 1...72 {
        for (x, w, bits) in [
          (0xFF, 127, 8), (0xFF, -128, 8), (0x80, -128, 8), (0x7F, -128, 8), (0xFF, 7, 4), (0xFF, -8, 4), (0x80, -8, 4),
        ] {
          for isUnsigned in [false, true] {
            var matrix = Matrix.constant(Int8(w), rows: 33, depth: depth)
            matrix.bits = Array(repeating: UInt8(bits), count: 33)
            let packed = Packed(matrix)
            let codes = Guarded<UInt8>(count: 7 * depth)
            codes.fill(byte: UInt8(x))
            let bias = Guarded<Int32>(Array(repeating: 5, count: 33))
            let output = Guarded<Int32>(count: 7 * 33)
            var a = qk_gemm_arguments()
            (a.tokens, a.activations_unsigned, a.activation_stride) = (7, isUnsigned ? 1 : 0, depth)
            (a.activations, a.bias) = (UnsafeRawPointer(codes.base), UnsafePointer(bias.base))
            (a.form, a.output, a.output_stride) = (QK_OUTPUT_ACCUMULATOR, UnsafeMutableRawPointer(output.base), 33)
            let status = withUnsafePointer(to: &packed.weights) {
              a.weights = $0
              return qk_gemm_with(isa, &a)
            }
            let activation = isUnsigned ? x : Int(Int8(truncatingIfNeeded: x))
            #expect(status == QK_OK && output.array.allSatisfy { Int($0) == 5 + depth * activation * w })
          }
        }
      }
    }
  }

  /// Several blocks of tokens, ranges of rows and blocks of depth, at their edges.
  @Test func fastEqualsReferenceInBlocks() {
    var seed = 3000
    for isa in fastSets {
      for (tokens, rows, depth) in [
        (49, 40, 513), (97, 70, 512), (48, 130, 511), (53, 200, 1027), (7, 1040, 68),
        (3, 1537, 33), (100, 513, 20), (1, 2000, 5), (197, 96, 64), (2, 17, 5000),
        (5, 255, 100), (13, 129, 2048), (25, 80, 4096), (4, 300, 77), (9, 161, 40),
        (2, 2300, 9),
      ] {
        for form in outputForms {
          seed += 1
          let p = GemmProblem(
            tokens: tokens, rows: rows, depth: depth, isUnsigned: seed % 2 == 0, form: form,
            share: seed % 5, slack: seed % 2 * 5, seed: seed)
          #expect(
            firstDifference(p.run(isa), p.run(QK_ISA_REFERENCE)) == nil,
            "tokens \(tokens) rows \(rows) depth \(depth) seed \(seed)")
        }
      }
    }
  }

  /// The largest accumulator that the width proof allows: −128·255·32000 − (2^30 − 1).
  @Test func extremeDepth() {
    for isa in instructionSets {
      for isUnsigned in [false, true] {
        let p = GemmProblem(
          tokens: 2, rows: 3, depth: 32000, isUnsigned: isUnsigned, form: QK_OUTPUT_ACCUMULATOR,
          share: 4, slack: 0, seed: 1)
        let weights = Matrix.constant(-128, rows: 3, depth: 32000)
        let packed = Packed(weights)
        p.activations.fill(byte: isUnsigned ? 255 : 0x80)
        for n in 0..<3 { p.bias.base[n] = isUnsigned ? -(1 << 30) + 1 : (1 << 30) - 1 }
        let output = Guarded<Int32>(count: 6)
        var a = p.arguments(output: output.base)
        let status = withUnsafePointer(to: &packed.weights) {
          a.weights = $0
          return qk_gemm_with(isa, &a)
        }
        #expect(status == QK_OK)
        let expected = isUnsigned ? -128 * 255 * 32000 - (1 << 30) + 1 : 128 * 128 * 32000 + (1 << 30) - 1
        #expect(output.array.allSatisfy { Int($0) == expected })
      }
    }
  }

  @Test func residualMayBeTheOutput() {
    for isa in instructionSets {
      let p = GemmProblem(
        tokens: 13, rows: 37, depth: 50, isUnsigned: false, form: QK_OUTPUT_RESIDUAL, share: 2,
        slack: 0, seed: 77)
      let expected = p.oracle()
      var a = p.arguments(output: p.residual.base)
      let status = withUnsafePointer(to: &p.packed.weights) {
        a.weights = $0
        return qk_gemm_with(isa, &a)
      }
      #expect(status == QK_OK && p.residual.bytes == expected)
    }
  }

  /// v = 2.3 → code 2, 252·(2 − 2.3) = −75.6 → −76; 2.5 → 2 (even), −126; −7.5 → −8; beyond 7 and below −8: the limits.
  @Test func codesAndWhatRoundingTook() {
    let values: [(Int32, Int, Int)] = [
      (23, 2, -76), (25, 2, -126), (-75, -8, -126), (75, 7, 127), (70, 7, 0), (71, 7, 127), (-80, -8, 0),
      (-81, -8, -128),
    ]
    let packed = Packed(Matrix.constant(1, rows: 1, depth: 1))
    let activation = Guarded<UInt8>([0])
    let scale = Guarded<Float>([0.1])
    for isa in instructionSets {
      for (acc, code, rest) in values {
        let bias = Guarded<Int32>([acc])
        let output = Guarded<Int8>(count: 1)
        let taken = Guarded<Int8>(count: 1)
        var a = qk_gemm_arguments()
        (a.tokens, a.activation_stride, a.output_stride) = (1, 1, 1)
        a.activations = UnsafeRawPointer(activation.base)
        a.bias = UnsafePointer(bias.base)
        a.scales = UnsafePointer(scale.base)
        a.form = QK_OUTPUT_CODE_AND_REST
        (a.lo, a.hi) = (-8, 7)
        a.output = UnsafeMutableRawPointer(output.base)
        a.rest = taken.base
        withUnsafePointer(to: packed.weights) { weights in
          a.weights = weights
          #expect(qk_gemm_with(isa, &a) == QK_OK)
        }
        let found = (Int(output.base[0]), Int(taken.base[0]))
        #expect(found == (code, rest), "\(acc) on \(isa.rawValue): \(found)")
      }
    }
  }

  @Test func refusals() {
    let p = GemmProblem(
      tokens: 3, rows: 5, depth: 9, isUnsigned: false, form: QK_OUTPUT_INT8, share: 2, slack: 1,
      seed: 5)
    let output = Guarded<UInt8>(count: p.outputBytes * 4, alignment: 4)
    let deep = Guarded<Int32>([0, 1, 2, 3, 4] + Array(repeating: -1, count: 11))
    var outOfOrder = p.packed.slotRow.array
    let list = outOfOrder[1] >= 0 ? 0 : 16  // a precision with two rows or more
    outOfOrder.swapAt(list, list + 1)
    let swapped = Guarded<Int32>(outOfOrder)
    let twice = Guarded<Int32>(p.packed.slotRow.array.map { $0 == 4 ? 3 : $0 })
    typealias Change = (inout qk_gemm_arguments, inout qk_packed_weights) -> Void
    let badBias = Guarded<Int32>([0, 0, 1 << 30, 0, 0])
    let badBias2 = Guarded<Int32>([0, 0, 0, 0, -(1 << 30)])
    let badRequantisers = Guarded(p.requantisers.array.dropLast() + [qk_requantiser(multiplier: 3, shift: 9)])
    let foreign = Guarded<qk_row_constants>([qk_row_constants()])
    let cases: [(qk_status, String, Change)] = [
      (QK_NULL_POINTER, "activations", { a, _ in a.activations = nil }),
      (QK_NULL_POINTER, "weights", { a, _ in a.weights = nil }),
      (QK_NULL_POINTER, "panels", { _, w in w.panels = nil }),
      (QK_NULL_POINTER, "slot_row", { _, w in w.slot_row = nil }),
      (QK_NULL_POINTER, "slot_sum", { _, w in w.slot_sum = nil }),
      (QK_NULL_POINTER, "bias", { a, _ in a.bias = nil }),
      (QK_NULL_POINTER, "requantisers", { a, _ in a.requantisers = nil }),
      (QK_NULL_POINTER, "output", { a, _ in a.output = nil }),
      (
        QK_NULL_POINTER, "table",
        { a, _ in
          a.form = QK_OUTPUT_TABLE
          a.table = nil
        }
      ),
      (
        QK_NULL_POINTER, "residual",
        { a, _ in
          a.form = QK_OUTPUT_RESIDUAL
          a.residual = nil
        }
      ),
      (
        QK_NULL_POINTER, "scales",
        { a, _ in
          a.form = QK_OUTPUT_FLOAT
          a.scales = nil
        }
      ),
      (
        QK_NULL_POINTER, "scales of codes",
        { a, _ in
          a.form = QK_OUTPUT_CODE_AND_REST
          a.scales = nil
        }
      ),
      (
        QK_NULL_POINTER, "rests",
        { a, _ in
          a.form = QK_OUTPUT_CODE_AND_REST
          a.rest = nil
        }
      ),
      (
        QK_BUFFERS_OVERLAP, "rests on the codes",
        { a, _ in
          a.form = QK_OUTPUT_CODE_AND_REST
          a.rest = a.output.assumingMemoryBound(to: Int8.self) + 2
        }
      ),
      (
        QK_NULL_POINTER, "requantisers of exact codes",
        { a, _ in
          a.form = QK_OUTPUT_EXACT_AND_REST
          a.rest = a.output.assumingMemoryBound(to: Int8.self)
          a.requantisers = nil
        }
      ),
      (QK_BAD_SIZE, "tokens", { a, _ in a.tokens = 0 }),
      (QK_BAD_SIZE, "tokens < 0", { a, _ in a.tokens = -1 }),
      (QK_BAD_SIZE, "rows", { _, w in w.rows = 0 }),
      (QK_BAD_SIZE, "rows beyond slots", { _, w in w.rows = 6 }),
      (QK_BAD_SIZE, "rows short of slots", { _, w in w.rows = 4 }),
      (QK_BAD_SIZE, "depth", { _, w in w.depth = 0 }),
      (QK_BAD_SIZE, "padded depth", { _, w in w.padded_depth = 24 }),
      (QK_BAD_SIZE, "slots8", { _, w in w.slots8 = 8 }),
      (QK_BAD_SIZE, "slots4 < 0", { _, w in w.slots4 = -16 }),
      (QK_BAD_SIZE, "slot order", { _, w in w.slot_row = UnsafePointer(swapped.base) }),
      (QK_BAD_SIZE, "row twice", { _, w in w.slot_row = UnsafePointer(twice.base) }),
      (QK_BAD_SIZE, "activation stride", { a, _ in a.activation_stride = 8 }),
      (QK_BAD_SIZE, "output stride", { a, _ in a.output_stride = 4 }),
      (
        QK_BAD_SIZE, "residual stride",
        { a, _ in
          a.form = QK_OUTPUT_RESIDUAL
          a.residual_stride = 4
        }
      ),
      (QK_BAD_SPEC, "form", { a, _ in a.form = qk_output_form(10) }),
      (
        QK_CODE_OUT_OF_RANGE, "lo > hi",
        { a, _ in
          a.lo = 5
          a.hi = 4
        }
      ),
      (QK_CODE_OUT_OF_RANGE, "hi", { a, _ in a.hi = 128 }),
      (
        QK_CODE_OUT_OF_RANGE, "lo",
        { a, _ in
          a.form = QK_OUTPUT_TABLE
          a.lo = -129
        }
      ),
      (
        QK_CODE_OUT_OF_RANGE, "range of codes",
        { a, _ in
          a.form = QK_OUTPUT_CODE_AND_REST
          a.rest = a.output.assumingMemoryBound(to: Int8.self)
          a.hi = 128
        }
      ),
      (
        QK_CODE_OUT_OF_RANGE, "int32 range",
        { a, _ in
          a.form = QK_OUTPUT_INT32
          a.lo = 2
          a.hi = 1
        }
      ),
      (
        QK_CODE_OUT_OF_RANGE, "uint8 range",
        { a, _ in
          a.form = QK_OUTPUT_UINT8
          a.lo = -1
        }
      ),
      (
        QK_CODE_OUT_OF_RANGE, "int16 range",
        { a, _ in
          a.form = QK_OUTPUT_INT16
          a.hi = 32768
        }
      ),
      (
        QK_MISALIGNED, "output",
        { a, _ in
          a.form = QK_OUTPUT_ACCUMULATOR
          a.output = a.output + 1
        }
      ),
      (QK_MISALIGNED, "panels", { _, w in w.panels = w.panels + 32 }),
      (QK_BUFFERS_OVERLAP, "activations", { a, _ in a.activations = UnsafeRawPointer(a.output + 10) }),
      (QK_BUFFERS_OVERLAP, "panels", { a, w in a.output = UnsafeMutableRawPointer(mutating: w.panels) }),
      (
        QK_BUFFERS_OVERLAP, "residual",
        { a, _ in
          a.form = QK_OUTPUT_RESIDUAL
          a.residual = UnsafePointer((a.output + 2).assumingMemoryBound(to: Int16.self))
        }
      ),
      (QK_BAD_SIZE, "constants of other arrays", { a, _ in a.constants = UnsafePointer(foreign.base) }),
      (QK_BIAS_OUT_OF_RANGE, "bias", { a, _ in a.bias = UnsafePointer(badBias.base) }),
      (QK_BIAS_OUT_OF_RANGE, "bias", { a, _ in a.bias = UnsafePointer(badBias2.base) }),
      (QK_BAD_REQUANTISER, "requantiser", { a, _ in a.requantisers = UnsafePointer(badRequantisers.base) }),
      (
        QK_DEPTH_BEYOND_PROOF, "depth",
        { a, w in
          (w.depth, w.padded_depth, w.slots8, w.slots4) = (32001, 32008, 16, 0)
          w.slot_row = UnsafePointer(deep.base)
          a.activation_stride = 40000
        }
      ),
    ]
    for isa in instructionSets {
      for (expected, name, change) in cases {
        output.fill(byte: 0x5A)
        var a = p.arguments(output: output.base)
        var w = p.packed.weights
        withUnsafeMutablePointer(to: &w) { pointer in
          a.weights = UnsafePointer(pointer)
          change(&a, &pointer.pointee)
          #expect(qk_gemm_with(isa, &a) == expected, "\(name)")
        }
        #expect(output.bytes.allSatisfy { $0 == 0x5A }, "\(name)")
      }
      #expect(qk_gemm_with(isa, nil) == QK_NULL_POINTER)
    }
    let memory = Guarded<UInt8>(count: qk_row_constants_bytes(&p.packed.weights), alignment: 64)
    let (bias, constants) = (UnsafePointer(p.bias.base), foreign.base)
    #expect(qk_prepare_rows(nil, bias, nil, nil, memory.base, constants) == QK_NULL_POINTER)
    #expect(qk_prepare_rows(&p.packed.weights, nil, nil, nil, memory.base, constants) == QK_NULL_POINTER)
    #expect(qk_prepare_rows(&p.packed.weights, bias, nil, nil, nil, constants) == QK_NULL_POINTER)
    #expect(qk_prepare_rows(&p.packed.weights, bias, nil, nil, memory.base, nil) == QK_NULL_POINTER)
    #expect(qk_prepare_rows(&p.packed.weights, bias, nil, nil, memory.base + 8, constants) == QK_MISALIGNED)
    #expect(qk_prepare_rows(&p.packed.weights, badBias.base, nil, nil, memory.base, constants) == QK_BIAS_OUT_OF_RANGE)
    #expect(
      qk_prepare_rows(&p.packed.weights, bias, badRequantisers.base, nil, memory.base, constants) == QK_BAD_REQUANTISER)
    var empty = qk_packed_weights()
    #expect(qk_row_constants_bytes(&empty) == 0)
    var a = p.arguments(output: output.base)
    #expect(qk_gemm_with(qk_isa(99), &a) == QK_ISA_NOT_AVAILABLE)
    #expect(qk_gemm_with(QK_ISA_COUNT, &a) == QK_ISA_NOT_AVAILABLE)
  }
}

extension Matrix {
  static func constant(_ code: Int8, rows: Int, depth: Int) -> Matrix {
    var random = SplitMix(0)
    var m = Matrix(rows: rows, depth: depth, share: 4, random: &random)
    m.codes = Array(repeating: code, count: rows * depth)
    return m
  }
}
