import Foundation
import QuasarInterchange
import QuasarTensor

/// A folder with the SystemVerilog of all units, their vectors, the top of the simulation and a Makefile.
public struct RTLFolder: Sendable {
  public let path: String
  public let cases: [UnitCase]

  /// Writes the folder; it may exist already if it holds a Makefile of ours.
  public init(writing cases: [UnitCase], to path: String) throws {
    self.path = path
    self.cases = cases
    let manager = FileManager.default
    if let entries = try? manager.contentsOfDirectory(atPath: path), !entries.isEmpty,
      !entries.contains("quasar_pe.sv")
    {
      throw QuasarError(
        .cannotWrite, "\(path): is not empty and holds no exported RTL; name a new folder")
    }
    do {
      try manager.createDirectory(atPath: path + "/vectors", withIntermediateDirectories: true)
    } catch {
      throw QuasarError(.cannotWrite, "\(path): the folder cannot be made (\(error.localizedDescription))")
    }
    for (name, text) in try Self.sources() { try AtomicFile.write(text, to: path + "/" + name) }
    for unit in cases {
      for file in unit.files {
        try AtomicFile.write(file.contents, to: "\(path)/vectors/\(unit.name).\(file.suffix).hex")
      }
    }
    try AtomicFile.write(Self.bench(cases), to: path + "/bench.sv")
    try AtomicFile.write(Self.readme, to: path + "/README.txt")
    try AtomicFile.write(cases.map(\.synthesis).joined(separator: "\n") + "\n", to: path + "/synth.txt")
  }

  private static let readme = """
    RTL units of a Quasar engine.

    quasar_*.sv          synthesizable units, one module a file; the head of each says what it computes, its ports,
                         widths and cycles
    dsp48e1.sv, dsp48e2.sv   behavioural models of the DSP slices, for open simulators; leave them out where the
                         maker's library is at hand
    *_tb.sv, bench.sv    self-checking benches and the top that runs all cases
    vectors/             golden vectors written by the emulator, for $readmemh
    synth.txt            units and parameters for synthesis

    make lint            Verilator's lint of every unit
    make verilator       simulate; every case prints PASS or FAIL (make icarus: the same with Icarus Verilog)
    make -k synth        cells by yosys, in synth/
    Debian packages: verilator iverilog yosys make g++

    """

  /// File names and texts of the units, benches and the Makefile that ship with the package.
  static func sources() throws -> [(String, String)] {
    guard let folder = Bundle.module.url(forResource: "Verilog", withExtension: nil) else {
      throw QuasarError(.internal, "the Verilog sources are missing from the installation; install the package again")
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    return try names.map { name in
      (name, String(decoding: try InputFile.read(folder.appendingPathComponent(name).path), as: UTF8.self))
    }
  }

  /// The top of the simulation: clock, reset, one bench per case; stops when all are done, fails if one has errors.
  static func bench(_ cases: [UnitCase]) -> String {
    let count = cases.count
    let instances = cases.enumerated().map { $1.instance(index: $0) }.joined(separator: "\n")
    return """
      // Generated: all cases side by side on one clock. Every bench ends by itself, also when its unit keeps silent.
      `timescale 1ns / 1ps
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
