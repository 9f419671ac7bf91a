import Testing

/// The tree of modules: the declared dependencies are those that the files import, and arrows point down.
@Suite struct ModuleTests {
  private static func swiftTargets() throws -> [Manifest.Target] {
    try Manifest().targets.filter { target in
      target.kind != "systemLibrary" && (try? SourceFile.all(in: target.folder).isEmpty) == false
    }
  }

  @Test func theManifestIsRead() throws {
    let manifest = try Manifest()
    #expect(manifest.targets.count > 35)
    #expect(manifest["QuasarTensor"]?.dependencies == ["CKernels"])
    #expect(manifest["CProcesses"]?.dependencies == ["COpenMPI"])
    #expect(manifest["QuasarInterchange"]?.dependencies == ["QuasarTensor"], "products of other packages are not ours")
    #expect(manifest["QuasarPipeline"]?.dependencies.contains("QuasarSearch") == true)
  }

  /// A target names only targets above it in the manifest, so the graph has no circle and reads from the bottom up.
  @Test func arrowsPointDown() throws {
    var known: Set<String> = []
    for target in try Manifest().targets {
      for dependency in target.dependencies {
        #expect(known.contains(dependency), "\(target.name) depends on \(dependency), which stands below it")
      }
      known.insert(target.name)
    }
  }

  @Test func everyImportIsDeclared() throws {
    let own = Set(try Manifest().targets.map(\.name))
    for target in try Self.swiftTargets() {
      for file in try SourceFile.all(in: target.folder) {
        let undeclared = file.imports.intersection(own).subtracting(target.dependencies).subtracting([target.name])
        #expect(
          undeclared.isEmpty, "\(file.name) imports \(undeclared.sorted()), which \(target.name) does not declare")
      }
    }
  }

  @Test func everyDeclaredArrowIsUsed() throws {
    let manifest = try Manifest()
    for target in try Self.swiftTargets() {
      let imports = try SourceFile.all(in: target.folder).reduce(into: Set<String>()) { $0.formUnion($1.imports) }
      // A program is run, not imported.
      let imported = target.dependencies.filter { manifest[$0]?.kind != "executableTarget" }
      let unused = Set(imported).subtracting(imports)
      #expect(unused.isEmpty, "\(target.name) declares \(unused.sorted()) and imports none of it")
    }
  }

  /// A serving program links no training engine, and neither does anything that only reads networks.
  @Test(arguments: [
    "QuasarRuntime", "QuasarNetwork", "QuasarArithmetic", "QuasarData", "QuasarHardware", "QuasarRTL",
    "QuasarDatapath", "QuasarExchange", "QuasarReport",
  ])
  func runtimeAndHardwareDoNotReachAutograd(module: String) throws {
    let manifest = try Manifest()
    #expect(manifest[module] != nil)
    let forbidden: Set = ["QuasarAutograd", "QuasarSupernet", "QuasarTrain", "QuasarSearch", "QuasarProcesses"]
    #expect(manifest.reachable(module).intersection(forbidden).isEmpty)
  }

  @Test func theRuntimeIsNetworkAndData() throws {
    let own = try Manifest().reachable("QuasarRuntime").filter { $0.hasPrefix("Quasar") }
    #expect(own == ["QuasarNetwork", "QuasarData", "QuasarArithmetic", "QuasarInterchange", "QuasarTensor"])
  }

  @Test func noModuleIsCalledNN() throws {
    #expect(try Manifest().targets.allSatisfy { !$0.name.contains("NN") })
  }

  @Test func noUnsafeFlags() throws {
    #expect(try !Manifest().text.contains("unsafeFlags"))
  }
}
