/// A set of options with a table: checked and stored in JSON by it.
public protocol TabledOptions: Codable, Sendable {
  /// Every stored option.
  static var table: OptionTable<Self> { get }
  /// Every option at its default.
  init()
}

extension TabledOptions {
  /// Throws `usage` for a value outside its range and for a broken rule, naming the keys.
  public func validate() throws { try Self.table.validate(self) }

  /// Options that are missing keep their defaults, so older files can be read.
  public init(from decoder: any Decoder) throws {
    self.init()
    try Self.table.decode(&self, from: decoder)
  }

  public func encode(to encoder: any Encoder) throws { try Self.table.encode(self, to: encoder) }
}

extension OptionTable {
  /// Writes each option under its stored name; "optimizer.rule" is the member "rule" of an object "optimizer".
  func encode(_ root: Root, to encoder: any Encoder) throws {
    var whole = encoder.container(keyedBy: OptionName.self)
    var objects: [String: KeyedEncodingContainer<OptionName>] = [:]
    for entry in entries {
      let path = entry.description.storedPath
      guard path.count == 2 else {
        try entry.encode(root, &whole)
        continue
      }
      var object = objects[path[0]] ?? whole.nestedContainer(keyedBy: OptionName.self, forKey: OptionName(path[0]))
      try entry.encode(root, &object)
      objects[path[0]] = object
    }
  }

  /// Takes the options that are there.
  func decode(_ root: inout Root, from decoder: any Decoder) throws {
    let whole = try decoder.container(keyedBy: OptionName.self)
    for entry in entries {
      let path = entry.description.storedPath
      guard path.count == 2 else {
        try entry.decode(&root, whole)
        continue
      }
      guard whole.contains(OptionName(path[0])) else { continue }
      try entry.decode(&root, whole.nestedContainer(keyedBy: OptionName.self, forKey: OptionName(path[0])))
    }
  }
}
