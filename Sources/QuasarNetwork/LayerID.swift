/// The name of one layer of a network: its role, and the block it belongs to.
///
/// Every tensor, command, estimate and report names a layer by this value. Its text is the prefix of the layer's
/// tensors in files. Examples: `LayerID(.qkv, block: 3)` → "blocks.3.qkv", `LayerID(.patches)` → "patch_embed".
public struct LayerID: Hashable, Sendable {
  /// The function of a layer in a vision transformer; the raw value is its name in files.
  public enum Role: String, CaseIterable, Codable, Sendable {
    case patches = "patch_embed"
    case norm1, qkv, attention, projection, norm2, expand
    /// The table in the output of `expand`: it has parameters with a name of their own; the unit of `expand` computes
    /// it.
    case gelu
    case contract
    case norm, head

    /// The linear layers of a block whose rows mix 4 and 8 bits, in the order of execution.
    public static let mixed: [Role] = [.qkv, .projection, .expand, .contract]
  }

  public var role: Role
  /// Index of the block; nil outside the blocks.
  public var block: Int?

  public init(_ role: Role, block: Int? = nil) {
    self.role = role
    self.block = block
  }

  /// "blocks.3": the prefix of everything in block 3.
  public static func blockName(_ index: Int) -> String { "blocks.\(index)" }

  /// The name of something that belongs to the layer. Example: `name("weight")` → "blocks.3.qkv.weight".
  public func name(_ part: String) -> String { "\(self).\(part)" }
}

extension LayerID: LosslessStringConvertible {
  /// The layer of that name; nil where the text is not the name of a layer. Example: "blocks.3.qkv".
  public init?(_ description: String) {
    let parts = description.split(separator: ".", omittingEmptySubsequences: false)
    guard let role = parts.last.flatMap({ Role(rawValue: String($0)) }) else { return nil }
    self.init(role, block: parts.count == 3 ? Int(parts[1]) : nil)
    guard self.description == description else { return nil }
  }

  public var description: String { name(of: role.rawValue) }

  /// The name of something in the same place as the layer: in block 3, `name(of: "gain1")` → "blocks.3.gain1".
  public func name(of sibling: String) -> String {
    block.map { "\(LayerID.blockName($0)).\(sibling)" } ?? sibling
  }
}
