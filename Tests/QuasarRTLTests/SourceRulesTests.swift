import Testing

@testable import QuasarRTL

/// Rules that simulators and synthesis accept to be broken.
@Suite("Rules of the RTL's text")
struct SourceRulesTests {
  /// References like `stage[i-1].digits`: block, an index or none, a name inside.
  static func references(_ text: String) -> [String] {
    let code = text.replacing(/\/\/[^\n]*/, with: "")
    let labels = Set(code.matches(of: /begin\s*:\s*(\w+)/).map { String($0.1) })
    return code.matches(of: /(\w+)\s*(?:\[[^\[\]]*\])?\s*\.\s*\w+/).filter { labels.contains(String($0.1)) }
      .map { String($0.0) }
  }

  @Test("No unit refers to names inside a generate block")
  func hierarchy() throws {
    for (name, text) in try RTLFolder.sources() where name.hasSuffix(".sv") {
      #expect(Self.references(text) == [], "\(name)")
    }
    let old = "for (i = 0; i < 4; i = i + 1) begin : stage\n assign x = stage[i-1].keep.digits; end"
    #expect(Self.references(old) == ["stage[i-1].keep"])
  }

  @Test("Lint is told in lint.vlt what it may say, not in the sources")
  func pragmas() throws {
    for (name, text) in try RTLFolder.sources() where name.hasSuffix(".sv") {
      #expect(!text.contains("verilator lint"), "\(name)")
      #expect(!text.contains("unused = &"), "\(name)")
    }
  }

  @Test("A file of units holds the module or package of its name, and every kind of unit has a file and a bench")
  func files() throws {
    let names = Set(try RTLFolder.sources().map(\.0))
    let folders = ["units/", "engine/", "bench/"]
    for (name, text) in try RTLFolder.sources() where folders.contains(where: { name.hasPrefix($0) }) {
      let module = name.split(separator: "/")[1].dropLast(3)
      #expect(text.contains("\nmodule \(module)") || text.contains("\npackage \(module);"), "\(name)")
    }
    for kind in UnitSuite.kinds {
      let files = ["units/\(kind.module).sv", "engine/\(kind.module).sv"]
      #expect(files.contains(where: names.contains), "\(kind.module)")
      #expect(names.contains("bench/\(kind.module)_tb.sv"), "\(kind.module)")
    }
  }
}
