import Foundation
import QuasarTestSupport
import Testing

/// The whole flow through the program, on a small set.
@Suite struct FlowTests {
  @Test func wholePipelineIsReproducibleAndItsModelsAreExact() throws {
    let work = try Workplace()
    let pipeline = try work.smallPipeline()
    for threads in ["1", "2"] {
      let result = try CommandRunner.run([
        "run", pipeline, "--out", work.path("t\(threads)"), "--threads", threads, "--json",
      ])
      #expect(result.status == 0, "\(result.errors)")
      let summary = try #require(
        try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
      #expect(summary["schema"] as? Int == 1)
      let subnets = try #require(summary["subnets"] as? [[String: Any]])
      #expect(subnets.map { $0["fps_target"] as? Double } == [30000, 40000])
      for subnet in subnets {
        for key in [
          "fps", "device", "activation_bits", "share_8bit", "average_weight_bits", "dsp", "lut", "bram18",
          "accuracy_float", "accuracy_integer", "model", "run",
        ] {
          #expect(subnet[key] != nil, "summary.json lacks \(key)")
        }
        #expect((subnet["fps"] as? Double ?? 0) >= (subnet["fps_target"] as? Double ?? .infinity))
      }
      #expect(try work.bytes("t\(threads)/report.html").count > 10_000)
    }
    for file in [
      "supernet/checkpoint.safetensors", "search/lineage.jsonl", "search/search.json",
      "finetune-30000/checkpoint.safetensors", "models/30000fps.quasar", "models/40000fps.quasar",
    ] {
      #expect(try work.bytes("t1/\(file)") == work.bytes("t2/\(file)"), "\(file) depends on the threads")
    }

    // The same logit codes from training's graph and from the packed file, on every path.
    let data = "fashion-mnist:\(work.folder.path)"
    var first: [UInt8]?
    let packed = "t1/models/40000fps.quasar"
    for (backend, model, options) in [
      ("qat", "t1/finetune-40000", []), ("integer", packed, []),
      ("datapath", packed, ["--device", "pynq-z2", "--speed", "structural"]),
      ("datapath", packed, ["--device", "zcu102", "--speed", "proved"]),
    ] {
      for threads in ["1", "2"] {
        for isa in ["reference", "avx2"] {
          let logits = "\(backend)-\(threads)-\(isa).npy"
          let result = try CommandRunner.run(
            [
              "eval", "--model", work.path(model), "--backend", backend, "--data", data, "--threads", threads,
              "--isa", isa, "--logits", work.path(logits),
            ] + options)
          #if arch(x86_64)
            #expect(result.status == 0, "\(result.errors)")
          #else
            if isa != "reference" { continue }
          #endif
          let bytes = try work.bytes(logits)
          #expect(first == nil || bytes == first, "\(logits) differs")
          first = bytes
        }
      }
    }

    // Hardware that is not exact runs as well, to other logits.
    let spec = try work.write("accumulator: {bits: 12, overflow: wrap}\n", "spec.yaml")
    let lossy = try CommandRunner.run([
      "eval", "--model", work.path(packed), "--backend", "datapath", "--spec", spec, "--data", data, "--logits",
      work.path("lossy.npy"), "--json",
    ])
    #expect(lossy.status == 0 && lossy.errors.contains("not proved"), "\(lossy.errors)")
    #expect(try work.bytes("lossy.npy") != first)

    // A second run finds everything done; a changed configuration is refused.
    let again = try CommandRunner.run(["run", pipeline, "--out", work.path("t1")])
    #expect(again.status == 0 && !again.errors.contains("supernet …"))
    let other = try work.write(
      String(contentsOfFile: pipeline, encoding: .utf8).replacingOccurrences(of: "seed: 3", with: "seed: 4"),
      "other.yaml")
    #expect(try CommandRunner.run(["run", other, "--out", work.path("t1")]).status == 64)
  }

  @Test func eachStepWorksAsACommand() throws {
    let work = try Workplace()
    let data = try work.smallData()
    let space = try work.smallSpace()
    func run(_ arguments: [String]) throws -> String {
      let result = try CommandRunner.run(arguments)
      #expect(result.status == 0, "\(arguments.joined(separator: " ")): \(result.errors)")
      return result.output
    }
    _ = try run(["train", "--space", space, "--data", data, "--out", work.path("net"), "--epochs", "2"])
    _ = try run([
      "search", "--run", work.path("net"), "--data", data, "--device", "pynq-z2", "--fps", "25000", "--out",
      work.path("found"), "--population", "3", "--generations", "1",
    ])
    _ = try run([
      "finetune", "--run", work.path("net"), "--subnet", work.path("found/subnet-25000.json"), "--data", data,
      "--out", work.path("fast"), "--epochs", "1", "--gptq-start", "--calibration-percentile", "99.9",
      "--oscillation-threshold", "0.02", "--oscillation-momentum", "0.0150",
    ])
    let checkpoint = String(decoding: try work.bytes("fast/checkpoint.safetensors").prefix(100_000), as: UTF8.self)
    for setting in ["gptqStart\\\":true", "calibrationPercentile\\\":99.9", "oscillationMomentum\\\":0.01"] {
      #expect(checkpoint.contains(setting), "\(setting)")
    }
    #expect(checkpoint.contains("oscillation.mean.blocks.0.qkv"))
    #expect(String(decoding: try work.bytes("fast/log.jsonl"), as: UTF8.self).contains("\"frozen\":"))
    _ = try run(["pack", "--run", work.path("fast"), "--out", work.path("fast.quasar")])
    #expect(try run(["eval", "--model", work.path("fast.quasar"), "--data", data]).contains("100 images"))
    #expect(
      try run(["eval", "--model", work.path("fast"), "--backend", "float", "--data", data]).contains("float"))
    #expect(try run(["data", "inspect", data, "--sheet", work.path("sheet.png")]).contains("400 training"))
    #expect(try work.bytes("sheet.png").prefix(4) == [0x89, 0x50, 0x4E, 0x47])
    #expect(
      try run(["estimate", "--arch", "deit-s", "--device", "zcu102", "--activation-bits", "6"]).contains(
        "FPS"))
    #expect(try run(["doctor"]).contains("reference"))
    let operands = try work.write("chain,w0,w1,x0\na,3,-1,5\n", "operands.csv")
    _ = try run(["vectors", "--mode", "w8a8-pair", "--in", operands, "--out", work.path("words.csv")])
    let words = String(decoding: try work.bytes("words.csv"), as: UTF8.self)
    #expect(words.hasSuffix("a,3,-1,5,3,7fc0000,5,0,ffffffec000f,15,-5\n"))
    let bench = try run(["bench", "gemm", "--m", "8", "--n", "32", "--k", "32", "--rounds", "2", "--json"])
    let rows = try #require(try JSONSerialization.jsonObject(with: Data(bench.utf8)) as? [[String: Any]])
    #expect(rows.first?["unit"] as? String == "GOP/s" && rows.first?["shape"] as? String == "8x32x32")
    // Training on goes on where it stopped; a finished run stays as it is.
    let before = try work.bytes("net/checkpoint.safetensors")
    _ = try run([
      "train", "--space", space, "--data", data, "--out", work.path("net"), "--epochs", "2", "--resume",
    ])
    #expect(try work.bytes("net/checkpoint.safetensors") == before)
  }
}
