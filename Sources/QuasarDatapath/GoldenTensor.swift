import QuasarInterchange
import QuasarTensor

/// The role of a tensor in its layer; also the name of its files.
public enum VectorRole: String, Codable, Sendable, CaseIterable {
  case pixels, logits
  case input, output, residual
  // Products with weights.
  case embedding, weights
  case rowBits = "row_bits"
  case bias, multiplier, shift, accumulator, index, table
  // LayerNorm.
  case epsilon, offset, mean, variance, deviation, inverse
  // Attention.
  case exponents
  case scoreMultiplier = "score_multiplier"
  case scoreShift = "score_shift"
  case outputMultiplier = "output_multiplier"
  case outputShift = "output_shift"
  case scores, probability
  case probabilitySum = "probability_sum"
  case reciprocal
  case reciprocalShift = "reciprocal_shift"
  case weightedSum = "weighted_sum"
  case context
}

/// The codes of one tensor with the width and meaning that hardware needs.
public struct GoldenTensor: Sendable {
  public let role: VectorRole
  public let values: RawTensor
  /// Name of each extent: "images", "tokens", "rows", …
  public let axes: [String]
  /// Width of a code: −2^(bits−1)…2^(bits−1)−1 if signed, else 0…2^bits−1.
  public let bits: Int
  public let isSigned: Bool
  /// The meaning of the integers.
  public let meaning: String
  /// The formula that gives them from other tensors; nil for parameters.
  public let formula: String?

  /// Throws `badData` with the place of the first code that does not fit `bits`.
  init(
    _ role: VectorRole, _ values: RawTensor, axes: [String], bits: Int, isSigned: Bool, meaning: String,
    formula: String? = nil, layer: String
  ) throws {
    precondition(axes.count == values.shape.count, "\(axes) for \(values.shape)")
    self.role = role
    self.values = values
    self.axes = axes
    self.bits = bits
    self.isSigned = isSigned
    self.meaning = meaning
    self.formula = formula
    let limit = isSigned ? Int64(1) << (bits - 1) : 0
    for first in Swift.stride(from: 0, to: values.count, by: RawTensor.chunk) {
      let codes = values.integers(first..<min(first + RawTensor.chunk, values.count))
      if let wrong = codes.firstIndex(where: { ($0 &+ limit) >> Int64(bits) != 0 }) {
        throw QuasarError(
          .badData,
          "\(layer): \(role.rawValue) \(first + wrong) is \(codes[wrong]), which does not fit \(bits) "
            + "\(isSigned ? "signed" : "unsigned") bits; pack the model again")
      }
    }
  }

  /// Upper bound of headers, comments and the entry in the manifest of one tensor.
  private static let describingBytes = 1536

  /// True if there is one for every image.
  public var isPerImage: Bool { axes.first == "images" }

  /// ⌈bits/4⌉: digits of a code in a `.hex` file.
  public var hexDigits: Int { (bits + 3) / 4 }

  /// Upper bound of the bytes of its files for `images` images, from the codes of the one image present.
  func byteCount(images: Int) -> Int {
    // A decimal digit holds 3.32 bits; sign, comma, blank; at most four braces for each run of the last extent.
    let text = bits * 302 / 1000 + 4
    let runs = values.count / max(1, values.shape.last ?? 1)
    let one = values.count * (values.elementType.size + hexDigits + 1 + text) + 4 * runs
    return one * (isPerImage ? images : 1) + GoldenTensor.describingBytes
  }
}

/// The tensors of one layer.
public struct GoldenLayer: Sendable {
  public enum Kind: String, Codable, Sendable {
    case network, linear, attention
    case layerNorm = "layer_norm"
  }
  public let name: String
  public let kind: Kind
  public let tensors: [GoldenTensor]

  /// Extents by name; the same name means the same extent throughout a layer.
  public var dimensions: [String: Int] {
    var all: [String: Int] = [:]
    for tensor in tensors {
      for (axis, extent) in zip(tensor.axes, tensor.values.shape) where axis != "one" {
        precondition(all[axis] == nil || all[axis] == extent, "\(name): \(axis) is \(extent) and \(all[axis] ?? 0)")
        all[axis] = extent
      }
    }
    return all
  }

  public subscript(role: VectorRole) -> GoldenTensor? { tensors.first { $0.role == role } }

  /// The name in C: "blocks.0.qkv" → "blocks_0_qkv".
  public var identifier: String { name.replacing(".", with: "_") }
}

extension RawTensor {
  /// Number of elements converted at a time.
  static let chunk = 1 << 15

  /// The integers at `range` of the flat order.
  func integers(_ range: Range<Int>) -> [Int64] {
    func read<Element: TensorElement & FixedWidthInteger>(_ type: Element.Type) -> [Int64] {
      bytes.withUnsafeBytes { raw in
        range.map { Int64(raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Element>.size, as: type)) }
      }
    }
    switch elementType {
    case .int8: return read(Int8.self)
    case .uint8: return read(UInt8.self)
    case .int16: return read(Int16.self)
    case .int32: return read(Int32.self)
    case .int64: return read(Int64.self)
    case .float32, .float16, .bfloat16: preconditionFailure("golden vectors are integers")
    }
  }
}
