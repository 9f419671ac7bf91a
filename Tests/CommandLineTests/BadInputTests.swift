import Foundation
import QuasarTestSupport
import Testing

/// Every mistake: one clear line, the right exit code, nothing left behind.
@Suite struct BadInputTests {
  /// Runs the program and checks the code and that one line of standard error holds all the words.
  private func expect(
    _ status: Int32, _ words: [String], _ arguments: [String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try CommandRunner.run(arguments)
    #expect(result.status == status, "\(result.errors)", sourceLocation: sourceLocation)
    let lines = result.errors.split(separator: "\n")
    #expect(
      lines.contains { line in words.allSatisfy { line.contains($0) } },
      "no line with \(words) in: \(result.errors)", sourceLocation: sourceLocation)
  }

  @Test func badPipelines() throws {
    let work = try Workplace()
    let good = try String(contentsOfFile: work.smallPipeline(), encoding: .utf8)
    let out = work.path("out")
    let unknown = try work.write(good + "\nspeed: 3\n", "unknown.yaml")
    try expect(65, ["unknown.yaml:", "speed", "unknown key"], ["run", unknown, "--out", out])
    let option = try work.write(
      good.replacingOccurrences(of: "{epochs: 3,", with: "{epochs: 0,"), "option.yaml")
    try expect(65, ["option.yaml:7", "epochs", "1"], ["run", option, "--out", out])
    let broken = try work.write("name: [", "broken.yaml")
    try expect(65, ["broken.yaml", "not valid YAML"], ["run", broken, "--out", out])
    try expect(66, ["nowhere.yaml"], ["run", work.path("nowhere.yaml"), "--out", out])
    #expect(!FileManager.default.fileExists(atPath: out))
  }

  @Test func unknownGeneAndSpace() throws {
    let work = try Workplace()
    let space = try String(contentsOfFile: work.smallSpace(), encoding: .utf8)
    let odd = try work.write(space.replacingOccurrences(of: "depth:", with: "deepth:"), "odd.yaml")
    let out = work.path("out")
    try expect(65, ["odd.yaml:5", "deepth", "unknown key"], ["train", "--space", odd, "--out", out])
    try expect(66, ["fashion-m", "fashion-s"], ["train", "--space", "fashion-m", "--out", out])
    #expect(!FileManager.default.fileExists(atPath: out))
  }

  @Test func badData() throws {
    let work = try Workplace()
    let data = try work.smallData()
    let images = try work.bytes("train-images-idx3-ubyte")
    try expect(66, ["no such folder"], ["data", "inspect", "fashion-mnist:\(work.path("missing"))"])
    try expect(64, ["zoo"], ["data", "inspect", "zoo:/tmp"])
    _ = try work.write(Array(images.dropLast(100)), "train-images-idx3-ubyte")
    try expect(65, ["train-images-idx3-ubyte"], ["data", "inspect", data])
    _ = try work.write([0, 0, 8, 9] + images.dropFirst(4), "train-images-idx3-ubyte")
    try expect(65, ["0x", "803"], ["data", "inspect", data])
    _ = try work.write(images, "train-images-idx3-ubyte")
    _ = try work.write(Workplace.header(0x801, [3]) + [1, 2, 3], "train-labels-idx1-ubyte")
    try expect(65, ["400", "3"], ["data", "inspect", data])
  }

  @Test func targetsOutOfReach() throws {
    let work = try Workplace()
    let data = try work.smallData()
    let space = try work.smallSpace()
    let net = work.path("net")
    #expect(
      try CommandRunner.run(["train", "--space", space, "--data", data, "--out", net, "--epochs", "1"]).status
        == 0)
    let search = ["search", "--run", net, "--data", data, "--device", "pynq-z2", "--out", work.path("found")]
    try expect(69, ["99999999", "fastest reachable", "limited by"], search + ["--fps", "99999999"])
    try expect(64, ["--fps"], search + ["--fps", "fast"])
    #expect(!FileManager.default.fileExists(atPath: work.path("found")))
    try expect(73, ["net", "--resume"], ["train", "--space", space, "--data", data, "--out", net])
    // Another space does not fit the checkpoint; other images do not fit the space.
    try expect(
      64, ["another space"],
      ["train", "--space", "fashion-s", "--data", data, "--out", net, "--resume"])
    try expect(
      65, ["choose another space"],
      ["train", "--space", "cifar-s", "--data", data, "--out", work.path("other")])
  }

  @Test func damagedModels() throws {
    let work = try Workplace()
    let data = try work.smallData()
    let space = try work.smallSpace()
    let net = work.path("net")
    _ = try CommandRunner.run(["train", "--space", space, "--data", data, "--out", net, "--epochs", "1"])
    let subnet = try work.write(
      """
      {"geometry":{"imageSize":28,"channels":1,"patchSize":7,"classes":10,"headDimension":8},
       "embedDimension":16,"activationBits":6,
       "blocks":[{"heads":1,"mlpRatio":1,"qkv":2,"projection":2,"expand":0,"contract":4}]}
      """, "subnet.json")
    let model = work.path("m.quasar")
    #expect(try CommandRunner.run(["pack", "--run", net, "--subnet", subnet, "--out", model]).status == 0)
    let bytes = try work.bytes("m.quasar")
    for place in [0, 9, 14, bytes.count / 2, bytes.count - 1] {
      var damaged = bytes
      damaged[place] ^= 0x10
      let path = try work.write(damaged, "damaged.quasar")
      try expect(65, ["damaged.quasar"], ["eval", "--model", path, "--data", data])
    }
    try expect(66, ["none.quasar"], ["eval", "--model", work.path("none.quasar"), "--data", data])
    let wide = try work.write(
      String(contentsOfFile: subnet, encoding: .utf8)
        .replacingOccurrences(of: "\"embedDimension\":16", with: "\"embedDimension\":512"), "wide.json")
    try expect(
      65, ["does not fit", "512"], ["pack", "--run", net, "--subnet", wide, "--out", work.path("w.quasar")])
    #expect(!FileManager.default.fileExists(atPath: work.path("w.quasar")))
    try expect(64, ["--subnet"], ["pack", "--run", net, "--out", work.path("w.quasar")])
    let short = try work.write(
      Array(try work.bytes("net/checkpoint.safetensors").dropLast(9)), "checkpoint.safetensors")
    #expect(short.hasSuffix("checkpoint.safetensors"))
    try expect(
      65, ["checkpoint.safetensors"],
      ["pack", "--run", work.folder.path, "--subnet", subnet, "--out", work.path("w.quasar")])
    try expect(64, ["--isa", "avx9"], ["doctor", "--isa", "avx9"])
  }

  @Test func hardwareCommands() throws {
    let work = try Workplace()
    let operands = try work.write("chain,w0,w1,x0\na,3,-1,500\n", "operands.csv")
    let out = work.path("words.csv")
    try expect(
      65, ["operands.csv", "chain 1", "500", "w8a8-pair"],
      ["vectors", "--mode", "w8a8-pair", "--in", operands, "--out", out])
    try expect(64, ["w9a9", "w4a6-2x2"], ["vectors", "--mode", "w9a9", "--in", operands, "--out", out])
    try expect(66, ["none.csv"], ["vectors", "--mode", "w8a8-pair", "--in", work.path("none.csv"), "--out", out])
    #expect(!FileManager.default.fileExists(atPath: out))
    let spec = try work.write("decode: nice\n", "spec.yaml")
    try expect(64, ["--spec", "datapath"], ["eval", "--model", "m.quasar", "--spec", spec])
    try expect(66, ["m.quasar"], ["eval", "--model", work.path("m.quasar"), "--backend", "datapath", "--spec", spec])
    try expect(64, ["--units", "--synthesis"], ["cosim"])
    try expect(64, ["--vectors 0"], ["cosim", "--units", "--vectors", "0"])
    try expect(
      66, ["none.quasar"], ["cosim", "--units", "--model", work.path("none.quasar"), "--out", work.path("rtl")])
    #expect(!FileManager.default.fileExists(atPath: work.path("rtl")))
  }
}
