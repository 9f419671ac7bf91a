import CKernels

/// Processing elements computed independently from their description: lanes by division and remainder on Int128.
struct DatapathOracle {
  var mode: qk_packing_mode
  var unsigned: Bool
  var decode: qk_decode

  var parts: Int { mode.atoms == 1 ? 2 : Int(mode.weights) }
  var lanes: Int { parts * Int(mode.activations) }

  private func modulo(_ v: Int128, _ bits: Int) -> Int128 {
    v - Oracle.floorDivide(v, Oracle.power(bits)) * Oracle.power(bits)
  }
  private func signed(_ v: Int128, _ bits: Int) -> Int128 {
    let rest = modulo(v, bits)
    return rest >= Oracle.power(bits - 1) ? rest - Oracle.power(bits) : rest
  }

  /// AD·B of one product, each cut to its port.
  func word(_ w: [Int], _ x: [Int]) -> Int128 {
    let codes = mode.atoms == 1 ? [w[0] & 15, Int(Oracle.floorDivide(Int128(w[0]), 16))] : w
    let pitch = Int(mode.pitch)
    let stride = pitch * Int(mode.activations)
    var ad: Int128 = 0
    var b: Int128 = 0
    for (i, code) in codes.enumerated() { ad += Int128(code) * Oracle.power(stride * i) }
    for (j, code) in x.enumerated() { b += Int128(code) * Oracle.power(pitch * j) }
    return signed(ad, mode.generation == QK_DSP48E1 ? 25 : 27) * signed(b, 18)
  }

  /// Decoded products of P, without repairs.
  func decoded(_ p: Int128) -> [Int128] {
    let pitch = Int(mode.pitch)
    func isUnsigned(_ lane: Int) -> Bool { unsigned && mode.atoms == 1 && lane < Int(mode.activations) }
    func bits(_ lane: Int) -> Int { lane == lanes - 1 ? 48 - pitch * lane : pitch }
    var values: [Int128] = []
    var rest = modulo(p, 48)
    for lane in 0..<lanes {
      let field = Oracle.floorDivide(modulo(p, 48), Oracle.power(pitch * lane))
      var value: Int128
      switch decode {
      case QK_DECODE_EXACT:
        value = isUnsigned(lane) ? modulo(rest, bits(lane)) : signed(rest, bits(lane))
        rest = Oracle.floorDivide(rest - value, Oracle.power(bits(lane)))
      default:
        var shown = field
        if decode == QK_DECODE_PARALLEL && lane > 0 && !isUnsigned(lane - 1) {
          shown += modulo(Oracle.floorDivide(modulo(p, 48), Oracle.power(pitch * lane - 1)), 1)
        }
        value = isUnsigned(lane) ? modulo(shown, bits(lane)) : signed(shown, bits(lane))
      }
      values.append(value)
    }
    guard mode.atoms == 1 else { return values }
    let a = Int(mode.activations)
    return (0..<a).map { 16 * values[a + $0] + values[$0] }
  }

  /// The accumulators of `weights` rows × `activations` tokens, codes [k][row] and [k][token].
  func accumulators(
    _ weights: [[Int]], _ activations: [[Int]], chain: Int, inputLanes: Int, bits: Int, saturates: Bool
  ) -> [Int128] {
    let depth = weights.count
    let steps = (depth + inputLanes - 1) / inputLanes
    var acc = [Int128](repeating: 0, count: Int(mode.weights * mode.activations))
    var first = 0
    while first < steps {
      var sums = acc
      for slice in 0..<inputLanes {
        var p: Int128 = 0
        for step in first..<min(first + chain, steps) where slice + inputLanes * step < depth {
          let k = slice + inputLanes * step
          p += word(weights[k], activations[k])
        }
        for (i, value) in decoded(p).enumerated() { sums[i] += value }
      }
      let top = Oracle.power(bits - 1) - 1
      acc = sums.map { saturates ? min(max($0, -top - 1), top) : signed($0, bits) }
      first += chain
    }
    return acc
  }
}
