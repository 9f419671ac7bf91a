import Foundation
import Testing

/// Modules import only what stands below them.
@Suite struct ImportArrowTests {
  /// Direct dependencies of each module, as ARCHITECTURE.md draws them.
  static let arrows: [String: Set<String>] = [
    "QuasarTensor": ["CKernels"],
    "QuasarProcesses": ["QuasarTensor"],
    "QuasarAutograd": ["QuasarTensor"],
    "QuasarNN": ["QuasarAutograd"],
    "QuasarQuant": ["QuasarNN"],
    "QuasarSupernet": ["QuasarQuant"],
    "QuasarInterchange": ["QuasarTensor"],
    "QuasarDeploy": ["QuasarSupernet", "QuasarInterchange"],
    "QuasarHardware": ["QuasarSupernet"],
    "QuasarRTL": ["QuasarDeploy", "QuasarHardware"],
    "QuasarData": ["QuasarInterchange"],
    "QuasarTrain": ["QuasarDeploy", "QuasarData", "QuasarProcesses"],
    "QuasarSearch": ["QuasarTrain", "QuasarHardware"],
    "QuasarReport": [],
    "QuasarPipeline": ["QuasarSearch", "QuasarReport"],
  ]

  static func reachable(_ module: String) -> Set<String> {
    (arrows[module] ?? []).reduce(into: arrows[module] ?? []) { $0.formUnion(reachable($1)) }
  }

  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  @Test(arguments: arrows.keys.sorted())
  func importsPointDown(_ module: String) throws {
    let folder = ImportArrowTests.root.appendingPathComponent("Sources/\(module)")
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "swift" }
    #expect(!files.isEmpty)
    let allowed = ImportArrowTests.reachable(module)
    for file in files {
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
      where line.hasPrefix("import ") {
        let imported = String(line.dropFirst("import ".count))
        guard imported.hasPrefix("Quasar") || imported == "CKernels" else { continue }
        #expect(allowed.contains(imported), "\(file.lastPathComponent) of \(module) imports \(imported)")
      }
    }
  }

  @Test func manifestHasTheSameArrows() throws {
    let manifest = try String(
      contentsOf: ImportArrowTests.root.appendingPathComponent("Package.swift"), encoding: .utf8)
    for (module, direct) in ImportArrowTests.arrows {
      let parts = manifest.components(separatedBy: "name: \"\(module)\"")
      let declaration = try #require(
        parts.dropFirst().first { $0.contains("dependencies") || direct.isEmpty }, "\(module) is not declared"
      )
      let list = declaration.prefix { $0 != "]" }
      let named = Set(
        list.split(separator: "\"").map(String.init).filter { $0.hasPrefix("Quasar") || $0 == "CKernels" })
      if !direct.isEmpty {
        #expect(named == direct, "\(module) depends on \(named.sorted()) in Package.swift")
      }
    }
  }

  @Test func noUnsafeFlags() throws {
    let manifest = try String(
      contentsOf: ImportArrowTests.root.appendingPathComponent("Package.swift"), encoding: .utf8)
    #expect(!manifest.contains("unsafeFlags"))
  }
}
