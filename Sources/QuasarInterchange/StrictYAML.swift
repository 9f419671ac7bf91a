import QuasarTensor
import Yams

/// One mapping of a YAML file, read strictly: every key known, every value of the right kind.
///
/// Every error names file, line and key and says what would be right.
public struct StrictYAML {
  public let file: String
  private let mapping: Node.Mapping
  private let parents: String

  /// The top-level mapping of a YAML text; `file` is its name in messages.
  public init(text: String, file: String) throws {
    let node: Node?
    do {
      node = try Yams.compose(yaml: text)
    } catch {
      let reason = "\(error)".split(separator: "\n").joined(separator: " ")
      throw QuasarError(.badData, "\(file): not valid YAML: \(reason)")
    }
    guard let mapping = node?.mapping else {
      throw QuasarError(.badData, "\(file):1: expected lines of the form 'key: value'")
    }
    self.init(file: file, mapping: mapping, parents: "")
  }

  private init(file: String, mapping: Node.Mapping, parents: String) {
    self.file = file
    self.mapping = mapping
    self.parents = parents
  }

  /// Refuses keys that are not listed.
  public func allowOnly(_ keys: [String]) throws {
    for (key, _) in mapping {
      let name = key.string ?? "?"
      guard keys.contains(name) else {
        throw error(name, key, "unknown key; the keys here are \(keys.joined(separator: ", "))")
      }
    }
  }

  public func has(_ key: String) -> Bool { mapping[key] != nil }

  /// The keys, in the order of the file.
  public var keys: [String] { mapping.compactMap { $0.key.string } }

  public func string(_ key: String) throws -> String {
    let node = try value(key)
    guard let text = node.string else { throw error(key, node, "expected a text") }
    return text
  }

  public func integer(_ key: String, _ range: ClosedRange<Int>) throws -> Int {
    try integer(try value(key), key, range)
  }

  public func number(_ key: String, _ range: ClosedRange<Double>) throws -> Double {
    try number(try value(key), key, range)
  }

  public func bool(_ key: String) throws -> Bool {
    let node = try value(key)
    guard let flag = node.bool else { throw error(key, node, "expected true or false") }
    return flag
  }

  /// A non-empty list of distinct whole numbers.
  public func integers(_ key: String, _ range: ClosedRange<Int>) throws -> [Int] {
    try list(key) { try integer($0, key, range) }
  }

  /// A non-empty list of numbers, distinct ones unless `repeating`.
  public func numbers(_ key: String, _ range: ClosedRange<Double>, repeating: Bool = false) throws -> [Double] {
    try list(key, repeating: repeating) { try number($0, key, range) }
  }

  /// A non-empty list of distinct words out of `choices`.
  public func words(_ key: String, _ choices: [String]) throws -> [String] {
    try list(key) { try word($0, key, choices) }
  }

  /// One word out of `choices`.
  public func word(_ key: String, _ choices: [String]) throws -> String {
    try word(try value(key), key, choices)
  }

  /// A scalar as `take` understands it; nil is an error that says what is expected.
  func scalar<Value>(_ key: String, expected: String, _ take: (Node) -> Value?) throws -> Value {
    try scalar(try value(key), key, expected, take)
  }

  /// A non-empty list of scalars, distinct ones unless `repeating`; as `scalar` for each of them.
  func scalars<Value: Equatable>(
    _ key: String, expected: String, repeating: Bool, _ take: (Node) -> Value?
  ) throws -> [Value] {
    try list(key, repeating: repeating) { try scalar($0, key, expected, take) }
  }

  /// A nested mapping.
  public func nested(_ key: String) throws -> StrictYAML {
    let node = try value(key)
    guard let inner = node.mapping else { throw error(key, node, "expected nested 'key: value' lines") }
    return StrictYAML(file: file, mapping: inner, parents: parents + key + ".")
  }

  /// A list of nested mappings.
  public func nestedList(_ key: String) throws -> [StrictYAML] {
    let node = try value(key)
    guard let sequence = node.sequence else { throw error(key, node, "expected a list") }
    return try sequence.enumerated().map { index, item in
      guard let inner = item.mapping else { throw error(key, item, "item \(index + 1) is no mapping") }
      return StrictYAML(file: file, mapping: inner, parents: "\(parents)\(key)[\(index)].")
    }
  }

  /// An error at a key of this mapping.
  public func error(_ key: String, _ reason: String) -> QuasarError {
    error(key, mapping[key], reason)
  }

  private func value(_ key: String) throws -> Node {
    guard let node = mapping[key] else {
      throw error(key, nil, "missing; add '\(key): …'")
    }
    return node
  }

  private func list<Element: Equatable>(
    _ key: String, repeating: Bool = false, _ read: (Node) throws -> Element
  ) throws -> [Element] {
    let node = try value(key)
    guard let sequence = node.sequence, !sequence.isEmpty else {
      throw error(key, node, "expected a list such as [1, 2]")
    }
    var result: [Element] = []
    for item in sequence {
      let element = try read(item)
      guard repeating || !result.contains(element) else { throw error(key, item, "\(element) is listed twice") }
      result.append(element)
    }
    return result
  }

  private func scalar<Value>(_ node: Node, _ key: String, _ expected: String, _ take: (Node) -> Value?) throws -> Value
  {
    guard let value = take(node) else { throw error(key, node, "\(found(node))must be \(expected)") }
    return value
  }

  private func integer(_ node: Node, _ key: String, _ range: ClosedRange<Int>) throws -> Int {
    try scalar(node, key, "a whole number from \(range.lowerBound) to \(range.upperBound)") { node in
      node.int.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  private func number(_ node: Node, _ key: String, _ range: ClosedRange<Double>) throws -> Double {
    try scalar(node, key, "a number from \(range.lowerBound) to \(range.upperBound)") { node in
      node.float.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  private func word(_ node: Node, _ key: String, _ choices: [String]) throws -> String {
    guard let word = node.string, choices.contains(word) else {
      throw error(key, node, "\(found(node))is not one of \(choices.joined(separator: ", "))")
    }
    return word
  }

  private func found(_ node: Node) -> String { node.scalar.map { "'\($0.string)' " } ?? "" }

  private func error(_ key: String, _ node: Node?, _ reason: String) -> QuasarError {
    let line = node?.mark?.line ?? mapping.mark?.line ?? 1
    return QuasarError(.badData, "\(file):\(line): \(parents)\(key): \(reason)")
  }
}
