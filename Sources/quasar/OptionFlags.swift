import ArgumentParser
import Quasar

/// A part of a table of options that a command takes as flags.
protocol OptionFlagGroup: SendableMetatype {
  associatedtype Root
  static var table: OptionTable<Root> { get }
  /// The values without any flag, which `--help` shows; nil where a file has them.
  static var defaults: Root? { get }
  /// What the names of the flags begin with.
  static var prefix: String { get }
}

extension OptionFlagGroup {
  static var prefix: String { "" }
}

/// Flags made of a table: `--batch-size N` for the key `batch_size`, `--flip` and `--no-flip` for `flip`.
///
/// The argument parser finds the arguments of a type by a mirror of its properties, and their values under the same names in
/// a decoder; here both are made of the table. Values stay texts, which the table reads, so that a flag takes what its key in
/// a file takes.
struct OptionFlags<Group: OptionFlagGroup>: ParsableArguments, CustomReflectable {
  /// What was given, by key.
  private(set) var given = OptionFlagValues()

  init() {}

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Name.self)
    given.prefix = Group.prefix
    for option in Group.table.descriptions {
      let name = Name(stringValue: option.key)
      given.values[option.key] =
        option.kind == .flag
        ? try container.decode(Flag<Bool?>.self, forKey: name).wrappedValue.map { "\($0)" }
        : try container.decode(Option<String?>.self, forKey: name).wrappedValue
    }
  }

  var customMirror: Mirror {
    let options = Group.table.descriptions
    let texts = Group.defaults.map(Group.table.texts) ?? options.map { _ in "" }
    return Mirror(
      self, children: zip(options, texts).map { ("_" + $0.key, OptionFlags.argument($0, default: $1)) })
  }

  private static func argument(_ option: OptionDescription, default text: String) -> Any {
    let name = NameSpecification.customLong(Group.prefix + option.flag)
    let help = ArgumentHelp(option.line(default: text))
    if option.kind == .flag { return Flag<Bool?>(name: name, inversion: .prefixedNo, help: help) }
    return Option<String?>(
      name: name, help: help, completion: option.choices.isEmpty ? .default : .list(option.choices))
  }

  /// `root` with what was given; throws `usage` naming the flags at fault.
  func read(onto root: Group.Root) throws -> Group.Root {
    var root = root
    try Group.table.read(&root, flags: given)
    return root
  }

  /// The key of an option.
  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}
