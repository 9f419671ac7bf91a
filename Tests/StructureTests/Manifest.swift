import Foundation

/// The targets of the package as declared in its manifest, read from the text of Package.swift.
struct Manifest {
  struct Target {
    var name: String
    /// "target", "executableTarget", "testTarget" or "systemLibrary".
    var kind: String
    /// Modules of this package in its `dependencies`; products of other packages are left out.
    var dependencies: [String]
    var folder: URL
  }

  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// The targets in the order of the file.
  let targets: [Target]
  let text: String

  init() throws {
    text = try String(contentsOf: Manifest.root.appendingPathComponent("Package.swift"), encoding: .utf8)
    guard let start = text.range(of: "\n  targets: [") else { throw Unreadable(what: "targets") }
    var targets: [Target] = []
    let pattern = /\.(?<kind>target|executableTarget|testTarget|systemLibrary)\(\s*name: "(?<name>\w+)"/
    for match in text[start.upperBound...].matches(of: pattern) {
      let (kind, name) = (String(match.kind), String(match.name))
      let arguments = Manifest.balanced(text[match.range.lowerBound...])
      // A dependency with a condition has the form of a target: .target(name: "X", condition: …).
      if arguments.contains("condition:"), !arguments.contains("dependencies:") { continue }
      targets.append(
        Target(
          name: name, kind: kind, dependencies: Manifest.dependencies(arguments),
          folder: Manifest.folder(name, kind, arguments)))
    }
    self.targets = targets
  }

  struct Unreadable: Error { var what: String }

  /// The text from the first opening bracket to its closing one.
  private static func balanced(_ text: Substring) -> Substring {
    var depth = 0
    for index in text.indices {
      if text[index] == "(" { depth += 1 }
      if text[index] == ")" {
        depth -= 1
        if depth == 0 { return text[...index] }
      }
    }
    return text
  }

  private static func dependencies(_ arguments: Substring) -> [String] {
    guard let start = arguments.range(of: "dependencies: [") else { return [] }
    var depth = 1
    var list = ""
    for character in arguments[start.upperBound...] {
      if character == "[" { depth += 1 }
      if character == "]" { depth -= 1 }
      if depth == 0 { break }
      list.append(character)
    }
    // Products of other packages have the form .product(name: …, package: …).
    let own = list.replacing(/\.product\([^)]*\)/, with: "").replacing(/traits: \[[^\]]*\]/, with: "")
    return own.matches(of: /"(\w+)"/).map { String($0.1) }
  }

  private static func folder(_ name: String, _ kind: String, _ arguments: Substring) -> URL {
    let path = arguments.firstMatch(of: /path: "([^"]+)"/).map { String($0.1) }
    return root.appendingPathComponent(path ?? (kind == "testTarget" ? "Tests/\(name)" : "Sources/\(name)"))
  }

  subscript(name: String) -> Target? { targets.first { $0.name == name } }

  /// Every module that a target reaches.
  func reachable(_ name: String) -> Set<String> {
    var found: Set<String> = []
    var open = self[name]?.dependencies ?? []
    while let next = open.popLast() {
      if found.insert(next).inserted { open += self[next]?.dependencies ?? [] }
    }
    return found
  }
}

/// A Swift file with its text and the modules that it imports.
struct SourceFile {
  let url: URL
  let text: String
  var name: String { url.path.replacing(Manifest.root.path + "/", with: "") }

  var imports: Set<String> {
    Set(text.matches(of: /(?m)^(?:@\w+ )*import (?:struct |class |enum |func )?(\w+)/).map { String($0.1) })
  }

  /// All Swift files under a folder.
  static func all(in folder: URL) throws -> [SourceFile] {
    guard let paths = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil) else { return [] }
    return try paths.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
      .sorted { $0.path < $1.path }
      .map { SourceFile(url: $0, text: try String(contentsOf: $0, encoding: .utf8)) }
  }

  static func all(in folder: String) throws -> [SourceFile] {
    try all(in: Manifest.root.appendingPathComponent(folder))
  }
}
