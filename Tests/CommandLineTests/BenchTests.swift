import Foundation
import QuasarTestSupport
import Testing

/// Every bench runs on small sizes, prints what scripts rely on, and refuses what it cannot do.
@Suite struct BenchTests {
  /// The entries of `bench ARGUMENTS --json`, with the keys that all of them have checked.
  private func records(_ arguments: [String], rounds: Int = 2) throws -> [[String: Any]] {
    let result = try CommandRunner.run(
      ["bench"] + arguments + ["--rounds", "\(rounds)", "--threads", "1", "--json"])
    #expect(result.status == 0, "\(arguments.joined(separator: " ")): \(result.errors)")
    let records = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]])
    #expect(!records.isEmpty)
    for record in records {
      for key in ["bench", "name", "shape", "unit", "isa"] {
        #expect((record[key] as? String)?.isEmpty == false, "\(key) of \(record)")
      }
      let times = ["min_s", "median_s", "max_s"].map { record[$0] as? Double ?? -1 }
      #expect(times[0] > 0 && times[0] <= times[1] && times[1] <= times[2], "times of \(record)")
      #expect((record["value"] as? Double ?? 0) > 0 && record["schema"] as? Int == 1)
      #expect(record["rounds"] as? Int == rounds && (record["noisy_rounds"] as? Int ?? -1) >= 0)
      #expect(record["approximate"] as? Bool == (rounds - (record["noisy_rounds"] as? Int ?? 0) < 3))
    }
    return records
  }

  private func expectRefusal(
    _ words: [String], _ arguments: [String], status: Int32 = 64, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let result = try CommandRunner.run(["bench"] + arguments)
    #expect(result.status == status, "\(result.errors)", sourceLocation: sourceLocation)
    #expect(
      result.errors.split(separator: "\n").contains { line in words.allSatisfy { line.contains($0) } },
      "no line with \(words) in: \(result.errors)", sourceLocation: sourceLocation)
  }

  @Test(arguments: ["accumulator", "int32", "int8", "uint8", "int16", "residual", "gelu", "float", "requantised"])
  func products(_ output: String) throws {
    let sizes = ["gemm", "--m", "5", "--n", "40", "--k", "33", "--output", output]
    let records = try records(sizes + ["--weight-bits", "8,4,mixed:0.25"])
    #expect(
      records.map { $0["name"] as? String } == ["8", "4", "mixed:0.25"].map { "gemm-w\($0)-a8-\(output)" })
    for record in records {
      // Twice the product of the sizes over the median.
      let rate = 2.0 * 5 * 40 * 33 / (record["median_s"] as? Double ?? 1) / 1e9
      #expect(abs(rate / (record["value"] as? Double ?? 0) - 1) < 1e-9 && record["shape"] as? String == "5x40x33")
      let fraction = rate / (record["peak"] as? Double ?? 0)
      #expect(abs(fraction / (record["peak_fraction"] as? Double ?? 0) - 1) < 1e-9)
    }
    _ = try self.records(sizes + ["--activations", "unsigned", "--activation-bits", "6", "--isa", "reference"])
  }

  @Test func exchangesNeedProcesses() throws {
    try expectRefusal(["nobody to exchange with", "mpirun"], ["exchange", "--space", "fashion-s"])
    try expectRefusal(["--batch-ms -1"], ["exchange", "--batch-ms=-1"])
  }

  @Test func profileOfOneMode() throws {
    let work = try Workplace()
    let trace = work.path("trace.json")
    let steps = ["train", "--arch", "vit-cifar", "--batch", "4", "--mode"]
    let record = try #require(try records(steps + ["qat", "--profile", trace]).first)
    let profile = try #require(record["profile"] as? [String: Any])
    let lines = try #require(profile["lines"] as? [[String: Any]])
    let shares = lines.compactMap { $0["share"] as? Double }.reduce(profile["idleShare"] as? Double ?? 0, +)
    #expect(profile["steps"] as? Int == 3 && abs(shares - 1) < 0.01, "\(shares)")
    let products = try #require(lines.first { $0["name"] as? String == "forward products" })
    // The patch embedding and 9 blocks of four products, leaves of 4 images.
    #expect(products["callsPerStep"] as? Double == 37 && (products["ofBound"] as? Double ?? 0) > 0)
    #expect(FileManager.default.fileExists(atPath: trace))
    try expectRefusal(["one mode at a time"], steps + ["qat,fp32", "--profile", trace])
  }

  @Test func suite() throws {
    // One round: the 24 products are not small.
    let records = try records(["gemm", "--suite", "deit", "--weight-bits", "4"], rounds: 1)
    #expect(Set(records.compactMap { $0["shape"] as? String }).count == 24)
    #expect(records.contains { $0["part"] as? String == "B fc2" && $0["shape"] as? String == "1576x768x3072" })
  }

  @Test func attention() throws {
    let records = try records([
      "attention", "--batch", "2", "--heads", "3", "--tokens", "7", "--head-dimension", "16", "--activation-bits",
      "8,6,4",
    ])
    #expect(records.map { $0["name"] as? String } == ["attention-a8", "attention-a6", "attention-a4"])
    for record in records {
      let rate = 4.0 * 2 * 3 * 7 * 7 * 16 / (record["median_s"] as? Double ?? 1) / 1e9
      #expect(abs(rate / (record["value"] as? Double ?? 0) - 1) < 1e-9)
    }
  }

  @Test func elementwise() throws {
    let records = try records(["elementwise", "--rows", "9", "--width", "24"])
    #expect(records.count == 14 && Set(records.compactMap { $0["name"] as? String }).count == 14)
    #expect(records.allSatisfy { $0["unit"] as? String == "GB/s" && $0["peak_unit"] as? String == "GB/s" })
    let two = try self.records(["elementwise", "--rows", "3", "--width", "8", "--kernel", "add,gelu-forward"])
    #expect(two.map { $0["name"] as? String } == ["add", "gelu-forward"])
    #expect(two.map { $0["bytes"] as? Int } == [3 * 8 * 12, 3 * 8 * 8])
  }

  @Test func inference() throws {
    let records = try records(["infer", "--arch", "vit-cifar", "--batch", "2", "--weight-bits", "8,mixed:0.5"])
    #expect(records.map { $0["name"] as? String } == ["vit-cifar-w8-a8", "vit-cifar-wmixed:0.5-a8"])
    for record in records {
      let parts = try #require(record["breakdown"] as? [[String: Any]])
      #expect(
        parts.map { $0["layer"] as? String } == [
          "patch embedding", "layer norm", "qkv", "attention", "projection", "fc1", "fc2", "head", "other",
        ])
      // Every kind but "other" takes time, and none more than the whole.
      #expect(parts.dropLast().allSatisfy { (0...1).contains($0["share"] as? Double ?? -1) })
      #expect(parts.dropLast().allSatisfy { ($0["median_s"] as? Double ?? 0) > 0 })
    }
  }

  @Test func pool() throws {
    let records = try records(["pool", "--idle-ms", "0.1,1", "--work-us", "10"])
    #expect(
      records.map { $0["name"] as? String } == [
        "fork-warm", "fork-idle", "fork-idle", "product-one-thread", "product-all-threads",
      ])
    let two = try CommandRunner.run([
      "bench", "pool", "--idle-ms", "1", "--work-us", "10", "--rounds", "2", "--threads", "2",
    ])
    #expect(two.status == 0 && two.output.contains("of the ideal") && two.output.contains("noisy"))
  }

  @Test func limits() throws {
    let work = try Workplace()
    let bench = ["gemm", "--m", "4", "--n", "16", "--k", "16", "--weight-bits", "8", "--rounds", "2"]
    let low = try work.write("{\"gemm-w8-a8-requantised\": 0}", "low.json")
    #expect(try CommandRunner.run(["bench"] + bench + ["--check", low]).status == 0)
    let high = try work.write("{\"gemm-w8-a8-requantised/4x16x16\": 5}", "high.json")
    try expectRefusal(["4x16x16", "below 5", "high.json"], bench + ["--check", high], status: 69)
    let other = try work.write("{\"gemm-w4-a8-requantised\": 0}", "other.json")
    try expectRefusal(["other.json", "names none"], bench + ["--check", other], status: 65)
    let odd = try work.write("[1]", "odd.json")
    try expectRefusal(["odd.json", "JSON object"], bench + ["--check", odd], status: 65)
    try expectRefusal(["none.json"], bench + ["--check", work.path("none.json")], status: 66)
  }

  @Test func refusedArguments() throws {
    try expectRefusal(["--m 0", "1 to"], ["gemm", "--m", "0"])
    try expectRefusal(["--k 32001", "32000"], ["gemm", "--k", "32001"])
    try expectRefusal(["--suite", "--m"], ["gemm", "--suite", "deit", "--m", "4"])
    try expectRefusal(["weight bits ''", "mixed:R"], ["gemm", "--weight-bits", "8,"])
    try expectRefusal(["--activation-bits 5"], ["gemm", "--activation-bits", "5"])
    try expectRefusal(["int5", "--output"], ["gemm", "--output", "int5"])
    try expectRefusal(["--rounds 0"], ["gemm", "--rounds", "0"])
    try expectRefusal(["--threads 0"], ["attention", "--threads", "0"])
    try expectRefusal(["--tokens 5000", "4096"], ["attention", "--tokens", "5000"])
    try expectRefusal(["--activation-bits 9"], ["attention", "--activation-bits", "8,9"])
    try expectRefusal(["--kernel tanh", "gelu-forward"], ["elementwise", "--kernel", "tanh"])
    try expectRefusal(["--width 9000", "8192"], ["elementwise", "--width", "9000"])
    try expectRefusal(["deit-x", "deit-s"], ["infer", "--arch", "deit-x"])
    try expectRefusal(["--batch 0"], ["infer", "--batch", "0"])
    try expectRefusal(["--idle-ms soon"], ["pool", "--idle-ms", "soon"])
    try expectRefusal(["--work-us"], ["pool", "--work-us", "0"])
  }

  @Test func doctorSaysWhyKernelsDoNotServe() throws {
    func doctor(_ arguments: [String]) throws -> [String: Any] {
      let result = try CommandRunner.run(["doctor", "--json"] + arguments)
      #expect(result.status == 0, "\(result.errors)")
      return try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    }
    let best = try doctor([])
    let sets = try #require(best["instruction_sets"] as? [[String: Any]])
    for set in sets {
      // Available, or something is missing.
      #expect((set["available"] as? Bool == true) == (set["missing"] as? String == ""))
    }
    let forced = try doctor(["--isa", "reference"])
    let operations = try #require(forced["operations"] as? [[String: Any]])
    #expect(
      operations.map { $0["name"] as? String } == [
        "gemm", "attention", "layer-norm", "datapath", "bf16-gemm", "float-gemm", "gradient",
      ])
    for operation in operations {
      #expect((operation["kernel"] as? String)?.hasSuffix("_reference") == true)
      let others = try #require(operation["not_used"] as? [[String: Any]])
      for set in sets where set["name"] as? String != "reference" {
        let other = others.first { $0["isa"] as? String == set["name"] as? String }
        let reason = other?["reason"] as? String ?? ""
        #expect(
          reason.contains(set["available"] as? Bool == true ? "forced to reference by --isa" : "this CPU does not have")
        )
      }
    }
    if let absent = sets.first(where: { $0["available"] as? Bool == false })?["name"] as? String {
      let refused = try CommandRunner.run(["doctor", "--isa", absent])
      #expect(refused.status == 64 && refused.errors.contains("this CPU does not have"))
    }
  }
}
