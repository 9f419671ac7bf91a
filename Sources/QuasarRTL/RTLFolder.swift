import Foundation
import QuasarInterchange
import QuasarTensor

/// A folder with the SystemVerilog of all units, their vectors, the top of the simulation and a Makefile.
public struct RTLFolder: Sendable {
  public let path: String
  public let cases: [UnitCase]

  /// Writes the folder; it may exist already if it holds exported RTL.
  public init(writing cases: [UnitCase], to path: String) throws {
    self.path = path
    self.cases = cases
    let manager = FileManager.default
    if let entries = try? manager.contentsOfDirectory(atPath: path), !entries.isEmpty,
      !Self.marks.contains(where: { manager.fileExists(atPath: path + "/" + $0) })
    {
      throw QuasarError(
        .cannotWrite, "\(path): is not empty and holds no exported RTL; name a new folder")
    }
    let sources = try Self.sources()
    let folders = Set(sources.map { ($0.0 as NSString).deletingLastPathComponent }).union(["vectors"])
    for folder in folders.sorted() {
      do {
        try manager.createDirectory(atPath: path + "/" + folder, withIntermediateDirectories: true)
      } catch {
        throw QuasarError(.cannotWrite, "\(path): the folder cannot be made (\(error.localizedDescription))")
      }
    }
    for (name, text) in sources { try AtomicFile.write(text, to: path + "/" + name) }
    for unit in cases {
      for file in unit.files {
        try AtomicFile.write(file.contents, to: "\(path)/vectors/\(unit.name).\(file.suffix).hex")
      }
    }
    try AtomicFile.write(Self.bench(cases), to: path + "/bench.sv")
    try AtomicFile.write(Self.readme, to: path + "/README.txt")
    try AtomicFile.write(cases.map(\.synthesis).joined(separator: "\n") + "\n", to: path + "/synth.txt")
  }

  /// Files that tell exported RTL from other folders: the package, or a unit of the earlier layout without folders.
  private static let marks = ["pkg/quasar_pkg.sv", "quasar_pe.sv"]

  private static let readme = """
    RTL units of a Quasar engine.

    pkg/quasar_pkg.sv    enumerations, widths and bundles of all units, and the rule of flow; to be read first
    units/               synthesizable units, one module a file; the head of each says what it computes, its ports,
                         widths and cycles
    engine/              the blocks that units are put together to, in the same form
    dsp/                 quasar_dsp.sv, the slice of either generation, and behavioural models of the primitives for open
                         simulators (dsp48e1.sv, dsp48e2.sv); leave the models out where the maker's library is at hand
    bench/, bench.sv     self-checking benches and the top that runs all cases
    lint.vlt             messages that Verilator's lint may give about the sources, with reasons
    vectors/             golden vectors written by the emulator, for $readmemh
    synth.txt            units and parameters for synthesis

    make lint            Verilator's lint of every unit
    make verilator       simulate with all assertions; every case prints PASS or FAIL (make icarus: the same with Icarus
                         Verilog)
    make -k synth        cells by yosys, in synth/
    Debian packages: verilator iverilog yosys make g++

    """

  /// Paths and texts of all files that ship with the package.
  static func sources() throws -> [(String, String)] {
    guard let folder = Bundle.module.url(forResource: "Verilog", withExtension: nil) else {
      throw QuasarError(.internal, "the Verilog sources are missing from the installation; install the package again")
    }
    var isFolder: ObjCBool = false
    return try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted().compactMap { name in
      let path = folder.appendingPathComponent(name).path
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
        return nil
      }
      return (name, String(decoding: try InputFile.read(path), as: UTF8.self))
    }
  }

  /// The top of the simulation: clock, reset, one bench per case; stops when all are done, fails if one has errors.
  static func bench(_ cases: [UnitCase]) -> String {
    let count = cases.count
    let instances = cases.enumerated().map { $1.instance(index: $0) }.joined(separator: "\n")
    return """
      // Generated: all cases side by side on one clock. Every bench ends by itself, also when its unit keeps silent.
      module bench;
        logic clk;
        logic reset;
        wire [\(count - 1):0] done;
        wire [\(32 * count - 1):0] errors;
        initial begin
          clk = 1'b0;
          forever #5 clk = !clk;
        end
        initial begin
          reset = 1'b1;
          #42 reset = 1'b0;
        end

      \(instances)

        always @(posedge clk) if (!reset && (&done)) begin
          if (errors != 0) $fatal(1);
          $finish;
        end
      endmodule

      """
  }
}
