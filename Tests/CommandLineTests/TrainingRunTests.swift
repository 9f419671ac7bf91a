import Foundation
import QuasarTestSupport
import Testing

/// Start weights, event files and comparisons through the program.
@Suite struct TrainingRunTests {
  private func expect(_ status: Int32, _ parts: [String], _ arguments: [String]) throws {
    let result = try CommandRunner.run(arguments)
    #expect(result.status == status, "\(arguments): \(result.errors)")
    for part in parts { #expect(result.errors.contains(part), "“\(part)” is not in: \(result.errors)") }
  }

  @Test func runsAreComparedAndLeaveEvents() throws {
    let work = try Workplace()
    let data = try work.smallData()
    let space = try work.smallSpace()
    let folders = try ["a1", "a2", "b1", "b2"].map { name in
      let out = work.path(name)
      let result = try CommandRunner.run([
        "train", "--space", space, "--data", data, "--out", out, "--epochs", "1", "--seed", String(name.suffix(1)),
        "--learning-rate", name.hasPrefix("a") ? "0.004" : "0.001",
      ])
      #expect(result.status == 0, "\(result.errors)")
      #expect(try work.bytes("\(name)/events.out.tfevents.quasar").count > 200)
      return out
    }
    let compared = try CommandRunner.run([
      "compare", "--json", "--out", work.path("compare.html"), "--paired", "\(folders[0]),\(folders[1])/",
      "\(folders[2]),\(folders[3])",
    ])
    #expect(compared.status == 0, "\(compared.errors)")
    let json = try #require(JSONSerialization.jsonObject(with: Data(compared.output.utf8)) as? [String: Any])
    #expect(json["schema"] as? Int == 1)
    #expect((json["runs"] as? [[String: Any]])?.map { $0["name"] as? String } == ["a1", "a2", "b1", "b2"])
    #expect((json["settings"] as? [String: Any])?.keys.sorted() == ["learningRate", "seed"])
    let differences = try #require(json["differences"] as? [[String: Any]])
    #expect(
      differences.map { $0["figure"] as? String } == [
        "largest, final", "largest, best", "smallest, final", "smallest, best", "loss, final",
      ])
    #expect(differences.allSatisfy { $0["pairs"] as? Int == 2 && $0["low"] is Double && $0["high"] is Double })
    #expect(try String(decoding: work.bytes("compare.html"), as: UTF8.self).contains("Paired differences"))

    let plain = try CommandRunner.run(["compare", folders[0], folders[2], "--out", work.path("compare.svg")])
    #expect(plain.status == 0 && plain.output.contains("settings that differ"), "\(plain.errors)")
    #expect(try String(decoding: work.bytes("compare.svg"), as: UTF8.self).contains("<svg"))
    try expect(66, ["none", "no such folder"], ["compare", folders[0], work.path("none")])
    try expect(64, ["1 run to compare"], ["compare", folders[0]])
    try expect(64, ["--out", ".html"], ["compare", folders[0], folders[1], "--out", work.path("x.png")])
    try expect(64, ["--paired", "not 1"], ["compare", "--paired", folders[0]])
    try expect(64, ["NAME=RUN"], ["compare", "--group", folders[0]])

    // A checkpoint of ours has other names than a network of timm.
    let train = ["train", "--space", space, "--data", data, "--out", work.path("new"), "--epochs", "1"]
    let pixels = ["--init-mean", "0.3", "--init-deviation", "0.35"]
    let own = "\(folders[0])/checkpoint.safetensors"
    try expect(
      65, ["missing: blocks.0.attn.proj.bias", "surplus: blocks.0.attention.step.a6", "and"],
      train + pixels + ["--init", own])
    try expect(66, ["none.safetensors"], train + pixels + ["--init", work.path("none.safetensors")])
    try expect(64, ["3 channels", "--init-mean"], train + ["--init", own])
    try expect(64, ["--init FILE"], train + pixels)
    try expect(
      64, ["--init-mean x: 'x' is not a number"], train + ["--init", own, "--init-mean", "x", "--init-deviation", "1"])
    #expect(!FileManager.default.fileExists(atPath: work.path("new")))
    try expect(
      64, ["--resume"],
      ["train", "--space", space, "--data", data, "--out", folders[0], "--resume", "--init", own] + pixels)
  }
}
