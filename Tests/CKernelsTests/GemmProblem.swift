import CKernels

/// One GEMM call with guarded inputs, and the oracle's answer.
final class GemmProblem {
  let tokens: Int, rows: Int, depth: Int, isUnsigned: Bool, form: qk_output_form
  let activationStride: Int, outputStride: Int, residualStride: Int
  let lo: Int, hi: Int
  let matrix: Matrix, packed: Packed
  let activations: Guarded<UInt8>, bias: Guarded<Int32>, requantisers: Guarded<qk_requantiser>
  let table: Guarded<UInt8>, residual: Guarded<Int16>, scales: Guarded<Float>

  init(
    tokens: Int, rows: Int, depth: Int, isUnsigned: Bool, form: qk_output_form, share: Int, slack: Int,
    seed: Int
  ) {
    var random = SplitMix(seed)
    (self.tokens, self.rows, self.depth, self.isUnsigned, self.form) = (tokens, rows, depth, isUnsigned, form)
    activationStride = depth + slack
    outputStride = rows + slack
    residualStride = rows + 2 * slack
    (lo, hi) =
      switch form {
      case QK_OUTPUT_INT32: (-1_000_000, 900_000)
      case QK_OUTPUT_INT16: [(-32768, 32767), (-3000, 2999)].randomElement(using: &random)!
      case QK_OUTPUT_UINT8: [(0, 255), (3, 200)].randomElement(using: &random)!
      default: [(-128, 127), (-127, 127), (0, 63), (-31, 31)].randomElement(using: &random)!
      }
    matrix = Matrix(rows: rows, depth: depth, share: share, random: &random)
    packed = Packed(matrix)
    // The last row ends at the guard page; there is no slack after it.
    activations = Guarded(
      (0..<(tokens - 1) * activationStride + depth).map { _ in
        UInt8(truncatingIfNeeded: random.code(in: isUnsigned ? 0...255 : -128...127))
      })
    let limit = (1 << 30) - 1
    bias = Guarded(
      (0..<rows).map { _ in
        let wide = Bool.random(using: &random)
        return Int32(wide ? random.code(in: -limit...limit) : Int.random(in: -9999...9999, using: &random))
      })
    // Anywhere in the range, or such that all factors, or all of them doubled, fit the upper word of a product.
    let factors = [0x1p-31...30000, 0x1p-16...0.49, 0x1p-16...0.24, 0x1p-16...0.24].randomElement(using: &random)!
    requantisers = Guarded(
      (0..<rows).map { _ in
        Int.random(in: 0..<10, using: &random) == 0
          ? qk_requantiser(multiplier: 0, shift: 1) : random.requantiser(factors)
      })
    // Often small for codes, whose range holds 256 values.
    let isCode = form == QK_OUTPUT_CODE_AND_REST || form == QK_OUTPUT_EXACT_AND_REST
    scales = Guarded(
      (0..<rows).map { _ in
        let scale = Float.random(in: -2...2, using: &random)
        return isCode && Int.random(in: 0..<4, using: &random) > 0 ? scale * 0x1p-12 : scale
      })
    table = Guarded((0..<256).map { _ in UInt8.random(in: 0...255, using: &random) })
    residual = Guarded(
      (0..<(tokens - 1) * residualStride + rows).map { _ in
        Int16(random.code(in: -32768...32767))
      })
  }

  var elementBytes: Int {
    switch form {
    case QK_OUTPUT_ACCUMULATOR, QK_OUTPUT_INT32, QK_OUTPUT_FLOAT: 4
    case QK_OUTPUT_RESIDUAL, QK_OUTPUT_INT16: 2
    default: 1
    }
  }
  var outputBytes: Int { ((tokens - 1) * outputStride + rows) * elementBytes }
  var hasRest: Bool { form == QK_OUTPUT_CODE_AND_REST || form == QK_OUTPUT_EXACT_AND_REST }

  func arguments(output: UnsafeMutableRawPointer) -> qk_gemm_arguments {
    var a = qk_gemm_arguments()
    a.tokens = Int32(tokens)
    a.activations_unsigned = isUnsigned ? 1 : 0
    a.activations = UnsafeRawPointer(activations.base)
    a.activation_stride = activationStride
    a.bias = UnsafePointer(bias.base)
    a.requantisers = UnsafePointer(requantisers.base)
    a.scales = UnsafePointer(scales.base)
    a.form = form
    (a.lo, a.hi) = (Int32(lo), Int32(hi))
    a.table = UnsafePointer(table.base)
    a.residual = UnsafePointer(residual.base)
    a.residual_stride = residualStride
    a.output = output
    a.output_stride = outputStride
    return a
  }

  /// Every byte of the output block and of the rests, 0xA5 where the kernel wrote nothing. Row constants are made
  /// before the call or in it.
  func run(_ isa: qk_isa, prepared: Bool = false) -> [UInt8] {
    let output = Guarded<UInt8>(count: outputBytes, alignment: elementBytes)
    output.fill(byte: 0xA5)
    let rest = Guarded<UInt8>(count: hasRest ? outputBytes : 1)
    rest.fill(byte: 0xA5)
    var a = arguments(output: output.base)
    if hasRest { a.rest = UnsafeMutableRawPointer(rest.base).assumingMemoryBound(to: Int8.self) }
    var constants = qk_row_constants()
    let status = withUnsafePointer(to: &packed.weights) { weights in
      withUnsafeMutablePointer(to: &constants) { constants in
        a.weights = weights
        guard prepared else { return qk_gemm_with(isa, &a) }
        let memory = Guarded<UInt8>(count: qk_row_constants_bytes(weights), alignment: 64)
        let status = qk_prepare_rows(weights, a.bias, a.requantisers, a.scales, memory.base, constants)
        guard status == QK_OK else { return status }
        a.constants = UnsafePointer(constants)
        return withExtendedLifetime(memory) { qk_gemm_with(isa, &a) }
      }
    }
    precondition(status == QK_OK, String(cString: qk_status_message(status)))
    return output.bytes + (hasRest ? rest.bytes : [])
  }

  func oracle() -> [UInt8] {
    var bytes = [UInt8](repeating: 0xA5, count: outputBytes)
    var rests = [UInt8](repeating: 0xA5, count: hasRest ? outputBytes : 0)
    for t in 0..<tokens {
      for n in 0..<rows {
        var acc = Int(bias.base[n])
        for k in 0..<depth {
          let x = activations.base[t * activationStride + k]
          acc += (isUnsigned ? Int(x) : Int(Int8(bitPattern: x))) * Int(matrix.codes[n * depth + k])
        }
        let (m, s) = (Int(requantisers.base[n].multiplier), Int(requantisers.base[n].shift))
        let value: Int
        switch form {
        case QK_OUTPUT_ACCUMULATOR: value = acc
        case QK_OUTPUT_FLOAT: value = Int((Float(acc) * scales.base[n]).bitPattern)
        case QK_OUTPUT_CODE_AND_REST, QK_OUTPUT_EXACT_AND_REST:
          let v = Float(acc) * scales.base[n]
          let near = min(max(v.rounded(.toNearestOrEven), Float(lo)), Float(hi))
          let taken = Int(((near - v) * 252).rounded(.toNearestOrEven))
          let rest = v < Float(lo) ? -128 : v > Float(hi) ? 127 : taken
          value = form == QK_OUTPUT_EXACT_AND_REST ? Oracle.requantise(acc, m, s, lo, hi) : Int(near)
          rests[t * outputStride + n] = UInt8(truncatingIfNeeded: rest)
        case QK_OUTPUT_TABLE: value = Int(table.base[Oracle.requantise(acc, m, s, lo, hi) + 128])
        case QK_OUTPUT_RESIDUAL:
          let delta = Oracle.requantise(acc, m, s, -32768, 32767)
          value = min(max(Int(residual.base[t * residualStride + n]) + delta, -32768), 32767)
        default: value = Oracle.requantise(acc, m, s, lo, hi)
        }
        for b in 0..<elementBytes {
          bytes[(t * outputStride + n) * elementBytes + b] = UInt8(truncatingIfNeeded: value >> (8 * b))
        }
      }
    }
    return bytes + rests
  }
}

let outputForms = [
  QK_OUTPUT_ACCUMULATOR, QK_OUTPUT_INT32, QK_OUTPUT_INT8, QK_OUTPUT_TABLE, QK_OUTPUT_RESIDUAL, QK_OUTPUT_UINT8,
  QK_OUTPUT_INT16, QK_OUTPUT_FLOAT, QK_OUTPUT_CODE_AND_REST, QK_OUTPUT_EXACT_AND_REST,
]
