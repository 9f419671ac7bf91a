/// One option of a set `Root`: where it is stored, how it is called, which values it takes, and what it does.
public struct OptionEntry<Root>: Sendable {
  /// Names, values, unit and help.
  public let description: OptionDescription
  /// Sets the value that a text on a command line stands for; throws `OptionFault`.
  let take: @Sendable (inout Root, String) throws -> Void
  /// Sets the value of the key in a mapping; throws with its line.
  let read: @Sendable (inout Root, StrictYAML) throws -> Void
  /// Whether the stored value is in its range.
  let isValid: @Sendable (Root) -> Bool
  /// The stored value as a flag would have it.
  let text: @Sendable (Root) -> String
  /// Writes the stored value under its last name.
  let encode: @Sendable (Root, inout KeyedEncodingContainer<OptionName>) throws -> Void
  /// Sets the value under its last name, where it is there.
  let decode: @Sendable (inout Root, KeyedDecodingContainer<OptionName>) throws -> Void

  /// The key in YAML files.
  public var key: String { description.key }

  /// `flag` is the name on a command line where it is not the key with hyphens, `stored` the name in JSON where it is
  /// not the key in camel case ("optimizer.rule" for the member of an object). `isRequired`: a file must have the key.
  public init<Value: Codable>(
    _ key: String, _ path: WritableKeyPath<Root, Value> & Sendable, _ form: OptionForm<Value>, unit: String = "",
    flag: String? = nil, stored: String? = nil, isRequired: Bool = false, _ help: String
  ) {
    description = OptionDescription(
      key: key, flag: flag ?? key.replacing("_", with: "-"), stored: stored ?? OptionDescription.camelCase(key),
      kind: form.kind, range: form.range, choices: form.choices, expected: form.expected, unit: unit, help: help,
      isRequired: isRequired)
    take = { root, text in root[keyPath: path] = try form.parse(text) }
    read = { root, yaml in root[keyPath: path] = try form.read(yaml, key) }
    isValid = { form.takes($0[keyPath: path]) }
    text = { form.text($0[keyPath: path]) }
    let name = OptionName(description.storedPath[description.storedPath.count - 1])
    encode = { root, container in try container.encode(root[keyPath: path], forKey: name) }
    decode = { root, container in
      if let value = try container.decodeIfPresent(Value.self, forKey: name) { root[keyPath: path] = value }
    }
  }

  private init(
    _ description: OptionDescription, take: @escaping @Sendable (inout Root, String) throws -> Void,
    read: @escaping @Sendable (inout Root, StrictYAML) throws -> Void, isValid: @escaping @Sendable (Root) -> Bool,
    text: @escaping @Sendable (Root) -> String,
    encode: @escaping @Sendable (Root, inout KeyedEncodingContainer<OptionName>) throws -> Void,
    decode: @escaping @Sendable (inout Root, KeyedDecodingContainer<OptionName>) throws -> Void
  ) {
    (self.description, self.take, self.read, self.isValid) = (description, take, read, isValid)
    (self.text, self.encode, self.decode) = (text, encode, decode)
  }

  /// The same option of a larger set that holds this one.
  func lifted<Outer>(_ path: WritableKeyPath<Outer, Root> & Sendable) -> OptionEntry<Outer> {
    OptionEntry<Outer>(
      description, take: { try take(&$0[keyPath: path], $1) }, read: { try read(&$0[keyPath: path], $1) },
      isValid: { isValid($0[keyPath: path]) }, text: { text($0[keyPath: path]) },
      encode: { try encode($0[keyPath: path], &$1) }, decode: { try decode(&$0[keyPath: path], $1) })
  }
}

/// The name of an option in JSON.
struct OptionName: CodingKey, Hashable {
  let stringValue: String
  var intValue: Int? { nil }

  init(_ name: String) { stringValue = name }
  init?(stringValue: String) { self.init(stringValue) }
  init?(intValue: Int) { nil }
}

/// A rule on several options, or on one beyond its range.
public struct OptionRule<Root>: Sendable {
  /// The options that it is about.
  let keys: [String]
  /// The reason why a set breaks the rule, and what to do; nil where it keeps it.
  let fault: @Sendable (Root) -> String?

  /// `fault`: the reason why a set breaks the rule, and what to do; nil where it keeps it.
  public init(_ keys: [String], fault: @escaping @Sendable (Root) -> String?) {
    (self.keys, self.fault) = (keys, fault)
  }

  /// The same rule of a larger set that holds this one.
  public func lifted<Outer>(_ path: WritableKeyPath<Outer, Root> & Sendable) -> OptionRule<Outer> {
    OptionRule<Outer>(keys) { fault($0[keyPath: path]) }
  }
}

/// A default that depends on other options: it is applied where its own key is not given.
public struct DependentDefault<Root>: Sendable {
  let key: String
  let apply: @Sendable (inout Root) -> Void

  /// `apply` sets the option by the others.
  public init(_ key: String, apply: @escaping @Sendable (inout Root) -> Void) {
    (self.key, self.apply) = (key, apply)
  }

  func lifted<Outer>(_ path: WritableKeyPath<Outer, Root> & Sendable) -> DependentDefault<Outer> {
    DependentDefault<Outer>(key) { apply(&$0[keyPath: path]) }
  }
}
