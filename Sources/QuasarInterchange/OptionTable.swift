import QuasarTensor

/// The options of a set `Root`: one row each, with the rules between them.
///
/// Everything that reads, checks, stores or explains options goes through such a table, so that a name, a range or a help
/// text is written once and a YAML file and a command line cannot differ.
public struct OptionTable<Root>: Sendable {
  /// The rows.
  public let entries: [OptionEntry<Root>]
  let rules: [OptionRule<Root>]
  let dependentDefaults: [DependentDefault<Root>]

  /// Stops the program where a key stands twice, or a rule names a key that is not there.
  public init(
    _ entries: [OptionEntry<Root>], rules: [OptionRule<Root>] = [], dependentDefaults: [DependentDefault<Root>] = []
  ) {
    self.entries = entries
    self.rules = rules
    self.dependentDefaults = dependentDefaults
    let keys = Set(entries.map(\.key))
    precondition(keys.count == entries.count, "an option stands twice in its table")
    let named = rules.flatMap(\.keys) + dependentDefaults.map(\.key)
    precondition(named.allSatisfy(keys.contains), "a rule names an option that is not in the table")
  }

  /// The keys in YAML files, in the order of the table.
  public var keys: [String] { entries.map(\.key) }
  /// All that people see of the options, in the same order.
  public var descriptions: [OptionDescription] { entries.map(\.description) }

  /// The description of a key; nil without such an option.
  public func description(_ key: String) -> OptionDescription? { descriptions.first { $0.key == key } }

  /// The value of each option as a flag would have it, in the order of the table.
  public func texts(_ root: Root) -> [String] { entries.map { $0.text(root) } }

  // MARK: Other tables

  /// The options with these keys, and the rules that are about them alone.
  public func only(_ keys: [String]) -> OptionTable {
    OptionTable(
      entries.filter { keys.contains($0.key) }, rules: rules.filter { $0.keys.allSatisfy(keys.contains) },
      dependentDefaults: dependentDefaults.filter { keys.contains($0.key) })
  }

  /// The options of a larger set that holds this one.
  public func lifted<Outer>(_ path: WritableKeyPath<Outer, Root> & Sendable) -> OptionTable<Outer> {
    OptionTable<Outer>(
      entries.map { $0.lifted(path) }, rules: rules.map { $0.lifted(path) },
      dependentDefaults: dependentDefaults.map { $0.lifted(path) })
  }

  /// The options of two tables.
  public static func + (a: OptionTable, b: OptionTable) -> OptionTable {
    OptionTable(
      a.entries + b.entries, rules: a.rules + b.rules, dependentDefaults: a.dependentDefaults + b.dependentDefaults)
  }

  /// The same options with one more rule.
  public func adding(_ rule: OptionRule<Root>) -> OptionTable {
    OptionTable(entries, rules: rules + [rule], dependentDefaults: dependentDefaults)
  }

  // MARK: Reading and checking

  /// Takes what a mapping of a file has, then what a command line says, which wins; then checks the rules.
  ///
  /// The mapping may have keys of `others` too. A fault is named where it was written: by its flag (`usage`), or by its
  /// key at its line (`badData`); of several keys that do not fit together by the last one in the file.
  public func read(
    _ root: inout Root, from yaml: StrictYAML? = nil, flags: OptionFlagValues = OptionFlagValues(),
    others: [String] = []
  ) throws {
    try yaml?.allowOnly(keys + others)
    var given = Set(flags.values.keys)
    for entry in entries {
      let text = flags.values[entry.key]
      if let yaml, yaml.has(entry.key) || (entry.description.isRequired && text == nil) {
        try entry.read(&root, yaml)
        given.insert(entry.key)
      }
      guard let text else { continue }
      do {
        try entry.take(&root, text)
      } catch let fault as OptionFault {
        throw QuasarError(.usage, "\(flags.written(entry.description, text)): \(fault.reason)")
      }
    }
    for dependent in dependentDefaults where !given.contains(dependent.key) { dependent.apply(&root) }
    for rule in rules {
      guard let reason = rule.fault(root) else { continue }
      let named = entries.filter { rule.keys.contains($0.key) }.compactMap { entry in
        flags.values[entry.key].map { flags.written(entry.description, $0) }
      }
      if named.isEmpty, let yaml {
        throw yaml.error(yaml.keys.last { rule.keys.contains($0) } ?? rule.keys[0], reason)
      }
      throw QuasarError(.usage, "\((named.isEmpty ? rule.keys : named).joined(separator: ", ")): \(reason)")
    }
  }

  /// Throws `usage` for a value outside its range and for a broken rule, naming the keys.
  public func validate(_ root: Root) throws {
    for entry in entries where !entry.isValid(root) {
      throw QuasarError(.usage, "\(entry.key) \(entry.text(root)): must be \(entry.description.expected)")
    }
    for rule in rules {
      if let reason = rule.fault(root) {
        throw QuasarError(.usage, "\(rule.keys.joined(separator: ", ")): \(reason)")
      }
    }
  }
}

/// The options that a command line names, as texts by key.
public struct OptionFlagValues: Sendable, Equatable {
  /// Texts by key; "true" and "false" for flags.
  public var values: [String: String]
  /// What the names of the flags begin with: "train-" for `--train-epochs`.
  public var prefix: String

  /// Nothing is given without an argument.
  public init(_ values: [String: String] = [:], prefix: String = "") {
    self.values = values
    self.prefix = prefix
  }

  func written(_ option: OptionDescription, _ text: String) -> String { option.flagText(text, prefix: prefix) }
}
