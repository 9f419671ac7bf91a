import CKernels
import QuasarArithmetic
import QuasarInterchange
import QuasarTensor

/// Hardware whose arithmetic deviates from the contract, as a YAML file; parts that the file does not name stay exact.
///
/// ```yaml
/// name: 18-bit accumulators
/// accumulator: {bits: 18, overflow: saturate}   # wrap or saturate, after each chain
/// chain_length: 16                              # products per chain, also beyond the proved depth
/// decode: naive                                 # exact, parallel or naive
/// truncate: [requantiser, softmax, context, layer-norm]
/// exponent_table: 16                            # entries of the softmax table, a power of two up to 256
/// gelu_table: 64                                # entries of the GELU table, likewise
/// ```
public struct HardwareSpecFile: Sendable {
  public var name: String
  public var spec: HardwareSpec

  static let truncations = [
    "requantiser": QK_TRUNCATE_REQUANTISER, "softmax": QK_TRUNCATE_SOFTMAX, "context": QK_TRUNCATE_CONTEXT,
    "layer-norm": QK_TRUNCATE_LAYER_NORM,
  ]

  /// Reads a file; errors name file, line and key.
  public static func read(_ path: String) throws -> HardwareSpecFile {
    let text = String(decoding: try InputFile.read(path), as: UTF8.self)
    return try HardwareSpecFile(text: text, file: path)
  }

  public init(text: String, file: String) throws {
    let yaml = try StrictYAML(text: text, file: file)
    try yaml.allowOnly([
      "name", "accumulator", "chain_length", "decode", "truncate", "exponent_table", "gelu_table",
    ])
    var spec = HardwareSpec.exact
    name = yaml.has("name") ? try yaml.string("name") : file
    if yaml.has("accumulator") {
      let accumulator = try yaml.nested("accumulator")
      try accumulator.allowOnly(["bits", "overflow"])
      spec.accumulator_bits = Int32(try accumulator.integer("bits", 8...32))
      spec.accumulator_saturates = try accumulator.word("overflow", ["wrap", "saturate"]) == "saturate" ? 1 : 0
    }
    if yaml.has("chain_length") {
      spec.chain_limit = Int32(try yaml.integer("chain_length", 1...Int(QK_MAX_DEPTH)))
    }
    if yaml.has("decode") {
      let names = LaneDecoder.allCases.map(\.rawValue).sorted()
      spec.decode = LaneDecoder(rawValue: try yaml.word("decode", names))!.descriptor
    }
    if yaml.has("truncate") {
      for unit in try yaml.words("truncate", Self.truncations.keys.sorted()) {
        spec.truncated |= Int32(Self.truncations[unit]!)
      }
    }
    spec.exponent_index_bits = try Self.indexBits(yaml, "exponent_table")
    spec.gelu_index_bits = try Self.indexBits(yaml, "gelu_table")
    try spec.validate()
    self.spec = spec
  }

  private static func indexBits(_ yaml: StrictYAML, _ key: String) throws -> Int32 {
    guard yaml.has(key) else { return 8 }
    let entries = try yaml.integer(key, 2...256)
    guard entries.nonzeroBitCount == 1 else {
      throw yaml.error(key, "'\(entries)' must be a power of two from 2 to 256")
    }
    return Int32(entries.trailingZeroBitCount)
  }
}
