import Foundation
import QuasarInterchange
import QuasarNetwork
import QuasarTensor

extension SearchSpace {
  /// Names of the built-in spaces.
  public static let presets = [
    "fashion-s", "cifar-xs", "cifar-s", "autoformer-t", "autoformer-s", "autoformer-b", "deit-t", "deit-s", "deit-b",
  ]

  /// A built-in space by name, or the space in a YAML file.
  public static func load(_ nameOrPath: String) throws -> SearchSpace {
    if presets.contains(nameOrPath) {
      let url = Bundle.module.url(forResource: "Spaces/\(nameOrPath)", withExtension: "yaml")
      guard let url, let text = try? String(contentsOf: url, encoding: .utf8) else {
        throw QuasarError(
          .missing, "the built-in space '\(nameOrPath)' is not next to the program; build the package again")
      }
      return try SearchSpace(yaml: text, file: "\(nameOrPath).yaml")
    }
    guard FileManager.default.fileExists(atPath: nameOrPath) else {
      throw QuasarError(
        .missing,
        "no space or file '\(nameOrPath)'; built-in spaces are \(presets.joined(separator: ", "))")
    }
    guard let text = try? String(contentsOfFile: nameOrPath, encoding: .utf8) else {
      throw QuasarError(.badData, "\(nameOrPath): not readable as UTF-8 text")
    }
    return try SearchSpace(yaml: text, file: nameOrPath)
  }

  /// A space from YAML; unknown keys and impossible values are refused with their line.
  public init(yaml: String, file: String) throws {
    let root = try StrictYAML(text: yaml, file: file)
    try root.allowOnly(["name", "image", "genes"])
    let image = try root.nested("image")
    try image.allowOnly(["size", "channels", "patch", "classes", "head_dimension"])
    let geometry = ImageGeometry(
      imageSize: try image.integer("size", 4...1024), channels: try image.integer("channels", 1...16),
      patchSize: try image.integer("patch", 1...256), classes: try image.integer("classes", 2...100_000),
      headDimension: try image.integer("head_dimension", 8...64))
    guard geometry.imageSize % geometry.patchSize == 0 else {
      throw image.error(
        "patch", "\(geometry.patchSize) does not divide the image size \(geometry.imageSize)")
    }
    guard geometry.tokens <= 256 else {
      throw image.error("patch", "\(geometry.tokens) tokens; training takes at most 256, use larger patches")
    }
    guard geometry.headDimension % 8 == 0 else {
      throw image.error("head_dimension", "\(geometry.headDimension) is no multiple of 8")
    }
    let genes = try root.nested("genes")
    try genes.allowOnly([
      "embed_dimension", "depth", "heads", "mlp_ratio", "share_8bit", "activation_bits",
    ])
    let embed = try genes.integers("embed_dimension", 8...4096)
    if let odd = embed.first(where: { $0 % 8 != 0 }) {
      throw genes.error("embed_dimension", "\(odd) is no multiple of 8")
    }
    let shares = try genes.numbers("share_8bit", 0...1).map { value in
      guard let share = RowShare(value: value) else {
        throw genes.error("share_8bit", "\(value) is none of 0, 0.25, 0.5, 0.75, 1")
      }
      return share
    }
    let bits = try genes.integers("activation_bits", 4...8)
    if let odd = bits.first(where: { ![4, 6, 8].contains($0) }) {
      throw genes.error("activation_bits", "\(odd) is none of 4, 6, 8")
    }
    self.init(
      name: try root.string("name"), geometry: geometry, embedDimensions: embed,
      depths: try genes.integers("depth", 1...64), heads: try genes.integers("heads", 1...64),
      mlpRatios: try genes.numbers("mlp_ratio", 0.25...16), shares: shares, activationBits: bits)
  }
}
