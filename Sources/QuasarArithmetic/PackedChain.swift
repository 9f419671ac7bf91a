import CKernels
import QuasarTensor

/// The ways to read lanes out of P.
public enum LaneDecoder: String, CaseIterable, Codable, Sendable {
  /// Lane by lane from the low end, each subtracted before the next is read.
  case exact
  /// All fields at once, each plus the bit below it where the lane below is signed.
  case parallel
  /// The fields as they are: a negative lane takes one from the lane above.
  case naive

  /// The value of CKernels.
  public var descriptor: qk_decode {
    switch self {
    case .exact: QK_DECODE_EXACT
    case .parallel: QK_DECODE_PARALLEL
    case .naive: QK_DECODE_NAIVE
    }
  }
}

/// A chain of packed products in one DSP slice: operand words, P, decoded sums.
public struct PackedChain: Hashable, Sendable {
  /// Words on the 30-bit A, 27-bit (E1: 25-bit) D and 18-bit B ports, one for each product.
  public var a: [UInt32]
  public var d: [UInt32]
  public var b: [UInt32]
  /// The 48-bit C port, added with the first product.
  public var c: UInt64
  /// The 48 bits of P after the last product.
  public var p: UInt64
  /// products[weight·activations + activation] = Σ w·x as decoded.
  public var products: [Int]
}

extension PackingMode {
  /// Full range of the weight codes of this mode.
  public var weightRange: OperandRange { .signed(bits: weightBits, narrow: false) }

  /// Full range of the activation codes of this mode.
  public func activationRange(unsigned: Bool) -> OperandRange {
    unsigned ? .unsigned(bits: activationBits) : .signed(bits: activationBits, narrow: false)
  }

  /// The chain Σ_n w[n]·x[n] in one slice, from the scalar model; sums beyond the depth wrap as in hardware.
  ///
  /// `weights` holds `self.weights` codes and `activations` `self.activations` codes for each product. Throws
  /// `badData` for a code outside the mode's full range, an empty chain, or a chain of more than one product in a
  /// mode that restores a bit.
  /// Example: w8a8-pair, w = (3, −1), x = 5: P = 15 − 5·2^18, decoded 15 and −5.
  public func chain(
    weights: [[Int]], activations: [[Int]], decode: LaneDecoder = .exact, unsignedActivations: Bool = false
  ) throws -> PackedChain {
    guard !weights.isEmpty, weights.count == activations.count else {
      throw QuasarError(
        .badData, "\(weights.count) products of weights and \(activations.count) of activations: give both one or more")
    }
    guard repair != .restoredBit || weights.count == 1 else {
      throw QuasarError(.badData, "mode \(name) takes one product per chain, not \(weights.count)")
    }
    try check(weights, self.weights, weightRange, "weight")
    try check(activations, self.activations, activationRange(unsigned: unsignedActivations), "activation")
    var mode = descriptor
    let w = weights.flatMap { $0.map { Int32($0) } }
    let x = activations.flatMap { $0.map { Int32($0) } }
    var ports = [qk_dsp_ports](repeating: qk_dsp_ports(), count: weights.count)
    var sums = [Int64](repeating: 0, count: productsPerDSP)
    let p = qk_packing_chain(
      &mode, decode.descriptor, unsignedActivations ? 1 : 0, Int32(weights.count), w, x, &ports, &sums)
    func word(_ value: Int64, bits: Int) -> UInt32 { UInt32(truncatingIfNeeded: value) & (1 << UInt32(bits) - 1) }
    return PackedChain(
      a: ports.map { word($0.a, bits: 30) }, d: ports.map { word($0.d, bits: generation.preAdderBits) },
      b: ports.map { word($0.b, bits: 18) }, c: 0, p: UInt64(bitPattern: p) & (1 << 48 - 1),
      products: sums.map { Int($0) })
  }

  private func check(_ codes: [[Int]], _ count: Int, _ range: OperandRange, _ what: String) throws {
    for (n, product) in codes.enumerated() {
      guard product.count == count else {
        throw QuasarError(.badData, "product \(n): \(product.count) \(what) codes, mode \(name) takes \(count)")
      }
      if let code = product.first(where: { $0 < range.lowest || $0 > range.highest }) {
        throw QuasarError(
          .badData, "product \(n): \(what) \(code) is outside \(range.lowest)…\(range.highest) of mode \(name)")
      }
    }
  }
}
