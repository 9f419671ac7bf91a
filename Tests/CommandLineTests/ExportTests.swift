import Foundation
import Quasar
import QuasarTestSupport
import Testing

/// `quasar export` from a packed model to a folder of golden vectors.
@Suite struct ExportTests {
  /// A trained, packed model of two blocks of one head; its path and the data specification.
  private func pack(_ work: Workplace) throws -> (model: String, data: String) {
    let data = try work.smallData()
    let net = work.path("net")
    let train = ["train", "--space", try work.smallSpace(), "--data", data, "--out", net, "--epochs", "1"]
    #expect(try CommandRunner.run(train).status == 0)
    let subnet = try work.write(
      """
      {"geometry":{"imageSize":28,"channels":1,"patchSize":7,"classes":10,"headDimension":8},
       "embedDimension":16,"activationBits":6,
       "blocks":[{"heads":1,"mlpRatio":1,"qkv":2,"projection":2,"expand":0,"contract":4},
                 {"heads":2,"mlpRatio":2,"qkv":4,"projection":0,"expand":2,"contract":2}]}
      """, "subnet.json")
    let model = work.path("m.quasar")
    #expect(try CommandRunner.run(["pack", "--run", net, "--subnet", subnet, "--out", model]).status == 0)
    return (model, data)
  }

  private func files(_ folder: String) throws -> [String] {
    try #require(FileManager.default.enumerator(atPath: folder)).compactMap { $0 as? String }
  }

  /// The units of an engine for the model, complete enough for Icarus to judge them.
  @Test func rtlOfAModel() throws {
    let work = try Workplace()
    let (model, _) = try pack(work)
    let export = ["export", "--model", model, "--format", "rtl", "--device", "zcu102", "--out", work.path("rtl")]
    let result = try CommandRunner.run(export + ["--vectors", "30", "--json"])
    #expect(result.status == 0, "\(result.errors)")
    let found = try files(work.path("rtl"))
    for file in ["bench.sv", "Makefile", "README.txt", "units/quasar_pe.sv", "dsp/dsp48e2.sv", "synth.txt"] {
      #expect(found.contains(file), "\(file) is missing")
    }
    let make = try ChildProcess.run("make", ["-C", work.path("rtl"), "-s", "icarus"])
    let cases = found.filter { $0.hasSuffix(".in.hex") }.count
    #expect(
      make.status == 0 && make.output.components(separatedBy: "PASS").count - 1 == cases, "\(make.output)\(make.errors)"
    )
    try FileManager.default.createDirectory(atPath: work.path("full"), withIntermediateDirectories: true)
    _ = try work.write("mine", "full/notes.txt")
    #expect(try CommandRunner.run(export.dropLast() + [work.path("full")]).status == 73)
  }

  @Test func vectorsOfAModel() throws {
    let work = try Workplace()
    let (model, data) = try pack(work)
    let export = ["export", "--model", model, "--format", "vectors", "--data", data]
    let result = try CommandRunner.run(export + ["--out", work.path("all"), "--json", "--images", "3"])
    #expect(result.status == 0, "\(result.errors)")
    let figures = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect(figures["schema"] as? Int == 1 && figures["images"] as? Int == 3 && figures["layers"] as? Int == 17)
    let found = try files(work.path("all")).filter { $0.contains(".") && !$0.hasPrefix("blocks.0") }
    #expect(found.contains("network/logits.npy") && found.contains("blocks.1.attention/blocks_1_attention.h"))

    // The logits are those of eval.
    let eval = ["eval", "--model", model, "--data", data, "--logits", work.path("logits.npy")]
    #expect(try CommandRunner.run(eval).status == 0)
    let all: [Int32] = try NumPyFile.read(work.path("logits.npy")).values()
    let three: [Int32] = try NumPyFile.read(work.path("all/network/logits.npy")).values()
    #expect(three == Array(all.prefix(30)))

    // On a board: the same numbers, its engine in the manifest; a second run replaces the folder.
    let board = export + ["--out", work.path("board"), "--device", "pynq-z2", "--layer", "blocks.1.qkv", "head"]
    let first = try CommandRunner.run(board)
    #expect(first.status == 0 && first.output.contains("2 layers on the engine of"), "\(first.errors)")
    #expect(try CommandRunner.run(board).status == 0)
    let manifest = try String(contentsOfFile: work.path("board/manifest.json"), encoding: .utf8)
    #expect(
      manifest.contains("\"input_lanes\"") && manifest.contains("\"pynq-z2\"") && manifest.contains("-e1\"")
        && !manifest.contains("blocks.0.qkv/"))
    let two: [Int8] = try NumPyFile.read(work.path("board/blocks.1.qkv/output.npy")).values()
    let whole: [Int8] = try NumPyFile.read(work.path("all/blocks.1.qkv/output.npy")).values()
    #expect(two == Array(whole.prefix(two.count)))
  }

  @Test func mistakes() throws {
    let work = try Workplace()
    let (model, data) = try pack(work)
    let out = work.path("out")
    func expect(_ status: Int32, _ words: [String], _ arguments: [String]) throws {
      let result = try CommandRunner.run(["export", "--data", data, "--out", out] + arguments)
      #expect(result.status == status, "\(arguments): \(result.errors)")
      let errors = result.errors.split(separator: "\n").filter { $0.contains("rror: ") }
      #expect(errors.count == 1 && words.allSatisfy { errors[0].contains($0) }, "\(words) in: \(result.errors)")
    }
    let vectors = ["--model", model, "--format", "vectors"]
    try expect(64, ["'blocks.2'", "blocks.0 to blocks.1", "head"], vectors + ["--layer", "blocks.2"])
    try expect(66, ["none.quasar"], ["--model", work.path("none.quasar"), "--format", "vectors"])
    try expect(64, ["is a folder", "quasar pack"], ["--model", work.path("net"), "--format", "vectors"])
    try expect(64, ["--images 0"], vectors + ["--images", "0"])
    try expect(64, ["--images 101", "100 test images"], vectors + ["--images", "101"])
    try expect(64, ["MiB", "--limit"], vectors + ["--images", "50", "--limit", "1"])
    try expect(64, ["--limit 0"], vectors + ["--limit", "0"])
    try expect(64, ["--device"], vectors + ["--clock", "200"])
    try expect(64, ["zcu103"], vectors + ["--device", "zcu103"])
    try expect(64, ["vectors"], ["--model", model, "--format", "drawings"])
    #expect(!FileManager.default.fileExists(atPath: out))
    try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    _ = try work.write("mine", "out/notes")
    try expect(73, ["not empty", "manifest.json"], vectors)
    #expect(try files(out) == ["notes"])
  }
}
