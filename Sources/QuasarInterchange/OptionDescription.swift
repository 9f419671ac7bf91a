/// All that people see of an option: what `--help`, the page of options and errors are made of.
public struct OptionDescription: Sendable, Equatable {
  /// In YAML files: "batch_size".
  public let key: String
  /// On command lines, without hyphens in front: "batch-size".
  public let flag: String
  /// In JSON: "batchSize", or "optimizer.rule" for a member of an object.
  public let stored: String
  public let kind: OptionKind
  /// The numbers that are taken; nil without a limit.
  public let range: OptionRange?
  /// The words of a choice.
  public let choices: [String]
  /// "a number from 0 to 1".
  public let expected: String
  /// "images", "of the run"; empty without one.
  public let unit: String
  /// One sentence.
  public let help: String
  /// A pipeline file must have the key, unless the flag is given.
  public let isRequired: Bool

  var storedPath: [String] { stored.split(separator: ".").map(String.init) }

  /// The values as one short text: "0…1", "cosine, step"; empty for flags and texts.
  public var values: String { range?.text ?? choices.joined(separator: ", ") }

  /// How a command line has the option: "--batch-size", or "--flip, --no-flip".
  public var flagText: String { kind == .flag ? "--\(flag), --no-\(flag)" : "--\(flag)" }

  /// The help with values, unit and default, for one line of `--help`.
  public func line(default value: String) -> String {
    let values = kind == .flag ? "" : [values, unit].filter { !$0.isEmpty }.joined(separator: " ")
    let usual = value.isEmpty ? "" : "default: \(kind == .flag ? flagText(value) : value)"
    let facts = [values, usual].filter { !$0.isEmpty }.joined(separator: "; ")
    return facts.isEmpty ? help : "\(help) (\(facts))"
  }

  /// A flag with its value as it was given: "--epochs 0" or "--no-flip".
  func flagText(_ value: String, prefix: String = "") -> String {
    switch kind {
    case .flag: value == "true" ? "--\(prefix)\(flag)" : "--no-\(prefix)\(flag)"
    default: "--\(prefix)\(flag) \(value)"
    }
  }

  /// "batch_size" → "batchSize".
  static func camelCase(_ key: String) -> String {
    let words = key.split(separator: "_")
    return words.prefix(1).joined() + words.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }
}
