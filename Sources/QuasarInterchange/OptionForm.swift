import Yams

/// The kinds of values that options have.
public enum OptionKind: String, Codable, Sendable {
  case integer, number, flag, choice, numbers, text
}

/// A reason why the text of a flag is not a value.
struct OptionFault: Error {
  let reason: String
}

/// How the values of an option are written in a YAML file and on a command line, and which ones are taken.
public struct OptionForm<Value: Sendable>: Sendable {
  public let kind: OptionKind
  /// The numbers that are taken, of a number or each of a list; nil without a limit.
  public let range: OptionRange?
  /// The words of a choice.
  public let choices: [String]
  /// "a number from 0 to 1": what an error asks for.
  let expected: String
  /// The value that the text of a flag stands for; throws `OptionFault`.
  let parse: @Sendable (String) throws -> Value
  /// The value of a key; throws with its line.
  let read: @Sendable (StrictYAML, String) throws -> Value
  /// Whether a value of the type is taken.
  let takes: @Sendable (Value) -> Bool
  /// A value as a flag would have it.
  let text: @Sendable (Value) -> String

  private init(
    _ kind: OptionKind, range: OptionRange? = nil, choices: [String] = [], expected: String,
    parse: @escaping @Sendable (String) throws -> Value, read: @escaping @Sendable (StrictYAML, String) throws -> Value,
    takes: @escaping @Sendable (Value) -> Bool, text: @escaping @Sendable (Value) -> String
  ) {
    (self.kind, self.range, self.choices, self.expected) = (kind, range, choices, expected)
    (self.parse, self.read, self.takes, self.text) = (parse, read, takes, text)
  }

  /// One value in one scalar.
  private init(
    _ kind: OptionKind, range: OptionRange? = nil, choices: [String] = [], expected: String,
    take: @escaping @Sendable (String) -> Value?, node: @escaping @Sendable (Node) -> Value?,
    takes: @escaping @Sendable (Value) -> Bool, text: @escaping @Sendable (Value) -> String
  ) {
    self.init(
      kind, range: range, choices: choices, expected: expected,
      parse: { text in
        guard let value = take(text), takes(value) else { throw OptionFault(reason: "must be \(expected)") }
        return value
      },
      read: { yaml, key in
        try yaml.scalar(key, expected: expected) { scalar in node(scalar).flatMap { takes($0) ? $0 : nil } }
      }, takes: takes, text: text)
  }

  /// Values that may be left out; nil has an empty text.
  public static func optional<Wrapped>(_ form: OptionForm<Wrapped>) -> OptionForm where Value == Wrapped? {
    OptionForm(
      form.kind, range: form.range, choices: form.choices, expected: form.expected, parse: form.parse, read: form.read,
      takes: { $0.map(form.takes) ?? true }, text: { $0.map(form.text) ?? "" })
  }
}

extension OptionForm where Value: FixedWidthInteger {
  /// Whole numbers of a range; nil: every one of the type.
  public static func integer(_ range: ClosedRange<Int>? = nil) -> OptionForm {
    let range = range.map { OptionRange(Double($0.lowerBound)...Double($0.upperBound)) }
    return OptionForm(
      .integer, range: range,
      expected: range?.expected("a whole number") ?? "a whole number from \(Value.min) to \(Value.max)",
      take: { Value($0) },
      node: { node in node.int.flatMap(Value.init(exactly:)) ?? node.scalar.flatMap { Value($0.string) } },
      takes: { range?.contains(Double($0)) ?? true }, text: { "\($0)" })
  }
}

extension OptionForm where Value: BinaryFloatingPoint {
  /// Numbers of a range with both ends, and one next to it.
  public static func number(_ range: ClosedRange<Double>, or also: Double? = nil) -> OptionForm {
    number(OptionRange(range, or: also))
  }

  /// Numbers below the end of a range.
  public static func number(_ range: Range<Double>) -> OptionForm { number(OptionRange(range)) }

  private static func number(_ range: OptionRange) -> OptionForm {
    OptionForm(
      .number, range: range, expected: range.expected("a number"),
      take: { text in Double(text).map { Value($0) } }, node: { node in node.float.map { Value($0) } },
      takes: { range.contains($0) }, text: { shortest($0) })
  }

  /// 0.1 as a Float has the text "0.1", not that of the nearest Double.
  private static func shortest(_ value: Value) -> String {
    Double(value) == Double(value).rounded() ? OptionRange.text(Double(value)) : "\(value)"
  }
}

extension OptionForm where Value == Bool {
  /// `--key` and `--no-key`, or true and false.
  public static var flag: OptionForm {
    OptionForm(
      .flag, expected: "true or false", take: { Bool($0) }, node: { $0.bool }, takes: { _ in true }, text: { "\($0)" })
  }
}

extension OptionForm where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
  /// The cases of an enumeration, by their raw words.
  public static var choice: OptionForm {
    let words = Value.allCases.map(\.rawValue)
    return OptionForm(
      .choice, choices: words, expected: "one of \(words.joined(separator: ", "))", take: { Value(rawValue: $0) },
      node: { node in node.string.flatMap { Value(rawValue: $0) } }, takes: { _ in true }, text: { $0.rawValue })
  }
}

extension OptionForm where Value == String {
  /// Any text.
  public static var text: OptionForm {
    OptionForm(
      .text, expected: "a text", parse: { $0 }, read: { yaml, key in try yaml.string(key) }, takes: { _ in true },
      text: { $0 })
  }
}

extension OptionForm where Value == [Double] {
  /// A list of numbers, in brackets or on a command line with commas; distinct ones unless `repeating`.
  public static func numbers(_ range: ClosedRange<Double>, repeating: Bool = false) -> OptionForm {
    let range = OptionRange(range)
    let expected = range.expected("a number")
    return OptionForm(
      .numbers, range: range, expected: "a list with each item \(expected)",
      parse: { text in
        var numbers: [Double] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
          let word = part.trimming(" ")
          guard let number = Double(word) else {
            throw OptionFault(reason: "'\(word)' is not a number; write e.g. 0.25,0.75")
          }
          guard range.contains(number) else { throw OptionFault(reason: "'\(word)' must be \(expected)") }
          guard repeating || !numbers.contains(number) else {
            throw OptionFault(reason: "\(OptionRange.text(number)) is listed twice")
          }
          numbers.append(number)
        }
        return numbers
      },
      read: { yaml, key in
        try yaml.scalars(key, expected: expected, repeating: repeating) { node in
          node.float.flatMap { range.contains($0) ? $0 : nil }
        }
      },
      takes: { $0.allSatisfy { range.contains($0) } }, text: { $0.map(OptionRange.text).joined(separator: ",") })
  }
}

extension Substring {
  /// Without a character at either end.
  fileprivate func trimming(_ character: Character) -> Substring {
    var part = drop { $0 == character }
    while part.last == character { part.removeLast() }
    return part
  }
}
