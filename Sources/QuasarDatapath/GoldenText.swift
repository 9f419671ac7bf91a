import QuasarInterchange
import QuasarTensor

/// Golden tensors as text: `.hex` files for `$readmemh` and arrays for C. All text is ASCII.
enum GoldenText {
  /// One comment with layer, role, shape and width; then one code per line in row-major order.
  ///
  /// A code is written as its low `bits` bits in ⌈bits/4⌉ lower-case digits. Example: −1 in 6 bits → "3f".
  static func writeHex(_ tensor: GoldenTensor, layer: String, to path: String) throws {
    let digits = Array("0123456789abcdef".utf8)
    let count = tensor.hexDigits
    let mask = tensor.bits == 64 ? UInt64.max : UInt64(1) << UInt64(tensor.bits) - 1
    try AtomicFile.write(to: path) { output throws(QuasarError) in
      try output.append(Array("// \(layer)/\(tensor.role.rawValue) \(summary(tensor))\n".utf8))
      try eachChunk(tensor.values) { codes throws(QuasarError) in
        var text: [UInt8] = []
        text.reserveCapacity(codes.count * (count + 1))
        for code in codes {
          let word = UInt64(bitPattern: code) & mask
          for digit in (0..<count).reversed() { text.append(digits[Int(word >> UInt64(4 * digit) & 15)]) }
          text.append(0x0a)
        }
        try output.append(text)
      }
    }
  }

  /// A C header with a macro for each dimension and a static const array for each tensor.
  static func writeHeader(_ layer: GoldenLayer, to path: String) throws {
    let macro = layer.identifier.uppercased()
    let guardName = "QUASAR_VECTORS_\(macro)_H"
    let dimensions = layer.dimensions.sorted { $0.key < $1.key }
    try AtomicFile.write(to: path) { output throws(QuasarError) in
      var head = "// Golden vectors of \(layer.name); formulas in the comments, all integers.\n"
      head += "#ifndef \(guardName)\n#define \(guardName)\n\n#include <stdint.h>\n\n"
      for (axis, extent) in dimensions { head += "#define \(macro)_\(axis.uppercased()) \(extent)\n" }
      try output.append(Array(head.utf8))
      for tensor in layer.tensors {
        let extents = tensor.axes.map { $0 == "one" ? "[1]" : "[\(macro)_\($0.uppercased())]" }
        var text = "\n// \(tensor.meaning); \(width(tensor))\n"
        if let formula = tensor.formula { text += "// \(formula)\n" }
        text += "static const \(type(tensor)) \(name(layer, tensor))\(extents.joined()) =\n"
        try output.append(Array(text.utf8))
        try appendArray(tensor.values, to: &output)
      }
      try output.append(Array("\n#endif\n".utf8))
    }
  }

  /// "blocks_0_qkv_weights"
  static func name(_ layer: GoldenLayer, _ tensor: GoldenTensor) -> String {
    "\(layer.identifier)_\(tensor.role.rawValue)"
  }

  /// "[192, 64], 8 bits, signed"
  static func summary(_ tensor: GoldenTensor) -> String {
    "[\(tensor.values.shape.map(String.init).joined(separator: ", "))], \(width(tensor))"
  }

  /// The element type in NumPy's spelling, for example "int8".
  static func elementName(_ tensor: GoldenTensor) -> String {
    switch tensor.values.elementType {
    case .int8: "int8"
    case .uint8: "uint8"
    case .int16: "int16"
    case .int32: "int32"
    case .int64: "int64"
    case .float32: "float32"
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    }
  }

  private static func type(_ tensor: GoldenTensor) -> String { elementName(tensor) + "_t" }

  private static func width(_ tensor: GoldenTensor) -> String {
    "\(tensor.bits) bits, \(tensor.isSigned ? "signed" : "unsigned")"
  }

  private static func eachChunk(_ values: RawTensor, _ body: ([Int64]) throws(QuasarError) -> Void) throws(QuasarError)
  {
    var first = 0
    while first < values.count {
      let last = min(first + RawTensor.chunk, values.count)
      try body(values.integers(first..<last))
      first = last
    }
  }

  /// Nested braces, one level for each extent; lines break after 24 numbers and at the end of the last extent.
  private static func appendArray(_ values: RawTensor, to output: inout AtomicFile.Output) throws(QuasarError) {
    let row = values.shape.last ?? 1
    // Number of values inside one brace of each level, innermost first.
    let blocks = values.shape.dropFirst().reversed().reduce(into: [Int]()) { $0.append(($0.last ?? 1) * $1) }
    let levels = (values.shape.count > 1 ? blocks : []) + [values.count]
    var place = 0
    try eachChunk(values) { codes throws(QuasarError) in
      var text: [UInt8] = []
      text.reserveCapacity(codes.count * 6)
      for code in codes {
        for level in levels where place % level == 0 { text.append(0x7b) }
        text += Array(String(code).utf8)
        place += 1
        for level in levels where place % level == 0 { text.append(0x7d) }
        if place == values.count {
          text.append(0x3b)
        } else {
          text.append(0x2c)
        }
        text.append(place % row == 0 || place % row % 24 == 0 ? 0x0a : 0x20)
      }
      try output.append(text)
    }
  }
}
