import Foundation
import Quasar
import QuasarTestSupport
import Testing

/// What a training does beside training: profiles, less memory, kept checkpoints, teachers, followed sub-networks.
@Suite struct SessionOptionsTests {
  private func train(_ work: Workplace, _ out: String, _ more: [String]) throws -> ChildProcess.Result {
    try CommandRunner.run(
      [
        "train", "--space", work.smallSpace(), "--data", work.smallData(), "--out", work.path(out), "--epochs", "2",
        "--full-precision", "0", "--exact", "0.5",
      ] + more)
  }

  /// A plain run, one that is profiled, and one that computes its blocks again.
  @Test func neitherProfileNorRecomputationChangesABit() throws {
    let work = try Workplace()
    #expect(try train(work, "plain", []).status == 0)
    let profiled = try train(work, "profiled", ["--profile", work.path("trace.json")])
    #expect(profiled.status == 0, "\(profiled.errors)")
    let again = try train(work, "again", ["--recompute"])
    #expect(again.status == 0, "\(again.errors)")
    let plain = try work.bytes("plain/checkpoint.safetensors")
    #expect(try work.bytes("profiled/checkpoint.safetensors") == plain)
    #expect(try work.bytes("again/checkpoint.safetensors") == plain)

    for phase in ["forward products", "weight gradient products", "optimiser", "idle", "images/s", "of their bound"] {
      #expect(profiled.errors.contains(phase), "“\(phase)” is not in: \(profiled.errors)")
    }
    struct Trace: Decodable {
      struct Event: Decodable {
        let name: String
        let ts: Double
        let dur: Double
        let tid: Int
      }
      let traceEvents: [Event]
    }
    let events = try JSONDecoder().decode(Trace.self, from: Data(work.bytes("trace.json"))).traceEvents
    let steps = events.filter { $0.name == "step" }
    #expect(steps.count == 10)
    for name in ["forward attention", "backward attention", "weights to codes", "gradients to codes", "images"] {
      #expect(events.contains { $0.name == name }, "\(name)")
    }
    // Everything lies in a step.
    #expect(
      events.allSatisfy { event in
        steps.contains { $0.ts <= event.ts && event.ts + event.dur <= $0.ts + $0.dur + 0.001 } || event.name == "images"
      })
  }

  @Test func aTraceNeedsItsFolder() throws {
    let work = try Workplace()
    let result = try train(work, "net", ["--profile", work.path("none/trace.json")])
    #expect(result.status == 73 && result.errors.contains("there is no folder"), "\(result.status) \(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: work.path("net")))
  }

  @Test func bestAndLastEpochsAreKept() throws {
    let work = try Workplace()
    let result = try train(work, "net", ["--keep-best", "1", "--keep-last", "1", "--evaluate-subnets", "3"])
    #expect(result.status == 0, "\(result.errors)")
    let kept = try FileManager.default.contentsOfDirectory(atPath: work.path("net/kept")).filter {
      $0.hasPrefix("step-")
    }
    let steps = try RunDirectory(work.path("net")).load().description.totalSteps
    #expect(kept.contains("step-\(steps)") && (1...2).contains(kept.count))
    for name in ["largest", "smallest", "random-1", "random-2", "random-3"] {
      #expect(result.output.contains("\(name):"), "\(result.output)")
    }
    #expect(!result.output.contains("random-4"))
    let refused = try train(work, "other", ["--keep-best=-1"])
    #expect(refused.status == 64, "\(refused.errors)")
    let many = try train(work, "other", ["--evaluate-subnets", "1001"])
    #expect(many.status == 64 && many.errors.contains("--evaluate-subnets 1001: must be"), "\(many.errors)")
  }

  @Test func aTeacherChangesTheTargets() throws {
    let work = try Workplace()
    #expect(try train(work, "teacher", []).status == 0)
    #expect(try train(work, "alone", ["--seed", "2"]).status == 0)
    let taught = try train(work, "taught", ["--seed", "2", "--teacher", work.path("teacher"), "--distillation", "0.5"])
    #expect(taught.status == 0, "\(taught.errors)")
    #expect(try work.bytes("taught/checkpoint.safetensors") != work.bytes("alone/checkpoint.safetensors"))
    let json = try #require(
      JSONSerialization.jsonObject(with: Data(work.bytes("taught/run.json"))) as? [String: Any])
    #expect((json["sources"] as? [String: String]) == ["teacher": work.path("teacher")])
    let none = try train(work, "none", ["--teacher", work.path("nobody")])
    #expect(none.status == 66 && none.errors.contains("nobody"), "\(none.errors)")
  }
}
