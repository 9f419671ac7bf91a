import CKernels
import Foundation
import QuasarTensor

/// GELU on codes: entry[c + 128] is the unsigned output code of the signed 8-bit input code c.
///
/// entry = clamp(round(gelu(s_in·c)/s_out) + zero, 0, 2^A − 1) with gelu(x) = x·erfc(−x/√2)/2 in double, ties away from
/// zero. The table is stored with a packed model, so deployed bits never depend on a math library.
public struct GELUTable: Equatable, Sendable {
  /// −127…127
  public static let inputRange = CodeRange.signedNarrow(bits: 8)

  public let entries: [UInt8]

  public init(entries: [UInt8]) throws {
    guard entries.count == 256 else {
      throw QuasarError(.badData, "a GELU table has 256 entries, not \(entries.count)")
    }
    self.entries = entries
  }

  public init(inputStep: Float, output: GELUQuantizer) {
    let top = Double((1 << output.bits) - 1)
    entries = (-128...127).map { code in
      let x = Double(inputStep) * Double(code)
      let gelu = x * erfc(-x / 2.0.squareRoot()) / 2
      let value = (gelu / Double(output.step)).rounded() + Double(output.zero)
      return UInt8(min(max(value, 0), top))
    }
  }

  /// The table applied to every code.
  public func apply(_ codes: NDArray<Int8>) -> NDArray<UInt8> {
    let out = NDArray<UInt8>(uninitialized: codes.shape)
    defer { withExtendedLifetime(codes) {} }
    qk_look_up(codes.count, codes.pointer, entries, out.pointer)
    return out
  }
}
