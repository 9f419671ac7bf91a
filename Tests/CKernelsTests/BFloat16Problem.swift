import CKernels

/// A product with operands in guarded memory: every operand and the output ends at an unreadable page.
final class BFloat16Problem {
  enum Values {
    case plain
    ///< −1…1: sums of moderate size
    case bits
    ///< any bit pattern: NaNs, infinities, denormals
    case tiny///< magnitudes around 2^−63: products around the smallest normal number
  }
  let m: Int, n: Int, k: Int
  let a: Guarded<UInt8>, b: Guarded<UInt8>
  let rowScale: Guarded<Float>?, columnScale: Guarded<Float>?, bias: Guarded<Float>?
  let old: [Float]
  let output: Guarded<Float>
  var arguments = qk_bf16_gemm_arguments()

  static let elements = [QK_BF16_FLOAT, QK_BF16_INT8, QK_BF16_UINT8]

  init(
    m: Int, n: Int, k: Int, transposed: (a: Bool, b: Bool), elements: (a: qk_bf16_element, b: qk_bf16_element),
    values: Values = .plain, scaled: (rows: Bool, columns: Bool) = (false, false), biased: Bool = false,
    accumulate: Bool = false, slack: Int = 0, random: inout SplitMix
  ) {
    (self.m, self.n, self.k) = (m, n, k)
    func operand(_ rows: Int, _ columns: Int, _ transposed: Bool, _ element: qk_bf16_element)
      -> (Guarded<UInt8>, qk_bf16_operand)
    {
      let stored = transposed ? (columns, rows) : (rows, columns)
      let stride = stored.1 + slack
      let count = stride * (stored.0 - 1) + stored.1
      let memory: Guarded<UInt8>
      if element == QK_BF16_FLOAT {
        let floats = (0..<count).map { _ in BFloat16Problem.value(values, &random) }
        memory = Guarded(floats.withUnsafeBytes { Array($0) })
      } else {
        memory = Guarded((0..<count).map { _ in UInt8(truncatingIfNeeded: random.code(in: -128...255)) })
      }
      return (
        memory,
        qk_bf16_operand(values: memory.base, stride: stride, element: element, transposed: transposed ? 1 : 0)
      )
    }
    func scale(_ count: Int, _ wanted: Bool) -> Guarded<Float>? {
      wanted ? Guarded((0..<count).map { _ in Float.random(in: -2...2, using: &random) }) : nil
    }
    let left = operand(m, k, transposed.a, elements.a)
    let right = operand(k, n, transposed.b, elements.b)
    (a, b) = (left.0, right.0)
    rowScale = scale(m, scaled.rows)
    columnScale = scale(n, scaled.columns)
    bias = scale(n, biased)
    let stride = n + slack
    old = (0..<stride * (m - 1) + n).map { _ in Float.random(in: -1...1, using: &random) }
    output = Guarded(old)
    arguments.m = m
    arguments.n = n
    arguments.k = k
    arguments.a = left.1
    arguments.b = right.1
    arguments.row_scale = rowScale.map { UnsafePointer($0.base) }
    arguments.column_scale = columnScale.map { UnsafePointer($0.base) }
    arguments.bias = bias.map { UnsafePointer($0.base) }
    arguments.accumulate = accumulate ? 1 : 0
    arguments.output = output.base
    arguments.output_stride = stride
  }

  static func value(_ values: Values, _ random: inout SplitMix) -> Float {
    switch values {
    case .plain: return Float.random(in: -1...1, using: &random)
    case .bits: return Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
    case .tiny:
      let bits = UInt32(truncatingIfNeeded: random.next()) & 0x807f_ffff
      return Float(bitPattern: bits | UInt32.random(in: 50..<90, using: &random) << 23)
    }
  }

  /// The whole output, slack included, after a call that starts from the old one; all NaNs as one pattern.
  func run(_ isa: qk_isa) -> (status: qk_status, bits: [UInt32]) {
    output.base.update(from: old, count: old.count)
    let status = qk_bf16_gemm_with(isa, &arguments)
    return (status, output.array.map { $0.isNaN ? 0x7fc0_0000 : $0.bitPattern })
  }

  /// An element of op(A) or op(B), rounded, as a double.
  func element(_ o: qk_bf16_operand, _ row: Int, _ column: Int) -> Double {
    let i = o.transposed == 1 ? column * o.stride + row : row * o.stride + column
    switch o.element {
    case QK_BF16_INT8: return Double(o.values.load(fromByteOffset: i, as: Int8.self))
    case QK_BF16_UINT8: return Double(o.values.load(fromByteOffset: i, as: UInt8.self))
    default:
      // Rounds to a multiple of the last of 8 significant bits.
      let x = Double(o.values.load(fromByteOffset: 4 * i, as: Float.self))
      guard x != 0 else { return 0 }
      let unit = Double(sign: .plus, exponent: x.exponent - 7, significand: 1)
      return (x / unit).rounded(.toNearestOrEven) * unit
    }
  }
}
