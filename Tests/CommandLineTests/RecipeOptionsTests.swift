import Foundation
import Quasar
import QuasarTestSupport
import Testing

/// Options of `quasar train` that make the recipe of one network, and its accuracy without quantisers.
@Suite struct RecipeOptionsTests {
  private func train(_ work: Workplace, _ out: String, _ more: [String]) throws -> ChildProcess.Result {
    try CommandRunner.run(
      [
        "train", "--space", work.smallSpace(), "--data", work.smallData(), "--out", work.path(out), "--epochs", "1",
      ] + more)
  }

  @Test func everyOptionReachesItsField() throws {
    let work = try Workplace()
    let result = try train(
      work, "net",
      [
        "--warm-up", "0.25", "--label-smoothing", "0.125", "--weight-decay", "0.375", "--drop-path", "0.0625",
        "--no-flip",
        "--shift", "3", "--random-erasing", "0.75", "--no-sandwich", "--random-subnets", "2", "--no-layer-scale",
      ])
    #expect(result.status == 0, "\(result.errors)")
    var expected = TrainingOptions()
    expected.epochs = 1
    expected.warmUp = 0.25
    expected.labelSmoothing = 0.125
    expected.optimizer.weightDecay = 0.375
    expected.dropPath = 0.0625
    expected.flip = false
    expected.shift = 3
    expected.randomErasing = 0.75
    expected.sandwich = false
    expected.randomSubnets = 2
    expected.layerScale = false
    let checkpoint = try RunDirectory(work.path("net")).load()
    #expect(checkpoint.description.options == expected)
    #expect(checkpoint.net.layerScales.allSatisfy { $0.value.scalars.allSatisfy { $0 == 1 } })
  }

  @Test func whatIsLeftOutKeepsItsDefault() throws {
    let work = try Workplace()
    #expect(try train(work, "plain", []).status == 0)
    #expect(try train(work, "written", ["--flip", "--sandwich"]).status == 0)
    var expected = TrainingOptions()
    expected.epochs = 1
    let checkpoint = try RunDirectory(work.path("plain")).load()
    #expect(checkpoint.description.options == expected)
    #expect(checkpoint.net.layerScales.contains { $0.value.scalars.contains { $0 != 0.1 } })
    #expect(try work.bytes("plain/checkpoint.safetensors") == work.bytes("written/checkpoint.safetensors"))
  }

  @Test(arguments: [
    (["--warm-up", "1.5"], "--warm-up 1.5: must be a number from 0 to 1"),
    (["--label-smoothing", "1"], "--label-smoothing 1: must be a number from 0 to below 1"),
    (["--weight-decay", "2"], "--weight-decay 2: must be a number from 0 to 1"),
    (["--drop-path", "1"], "--drop-path 1: must be a number from 0 to below 1"),
    (["--random-erasing", "1.5"], "--random-erasing 1.5: must be a number from 0 to 1"),
    (["--shift=-1"], "--shift -1: must be a whole number from 0 to 64"),
    (["--shift", "100"], "--shift 100: must be a whole number from 0 to 64"),
    (["--epochs", "two"], "--epochs two: must be a whole number from 1 to 100000"),
    (["--products", "real"], "--products real: must be one of integer, integer8, float"),
    (["--no-sandwich", "--random-subnets", "0"], "--no-sandwich, --random-subnets 0: without sandwich"),
    (["--full-precision", "0.7", "--exact", "0.6"], "--full-precision 0.7, --exact 0.6: the parts"),
    (["--exact", "0.7"], "--exact 0.7: the parts"),
  ])
  func valuesOutOfRangeAreRefused(options: [String], says: String) throws {
    let work = try Workplace()
    let result = try train(work, "net", options)
    #expect(result.status == 64 && result.errors.contains(says), "\(options): \(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: work.path("net")))
  }

  /// Steps of quantisers are 4/limit or three deviations until they are calibrated: only fp32 may ignore them.
  @Test func fp32EvaluatesWithoutQuantisers() throws {
    let work = try Workplace()
    #expect(try train(work, "net", ["--full-precision", "1"]).status == 0)
    func logits(_ backend: String) throws -> [UInt8] {
      let file = "\(backend).npy"
      let result = try CommandRunner.run([
        "eval", "--model", work.path("net"), "--backend", backend, "--data", work.smallData(), "--logits",
        work.path(file), "--json",
      ])
      #expect(result.status == 0 && result.output.contains("\"\(backend)\""), "\(result.errors)")
      return try work.bytes(file)
    }
    let checkpoint = try RunDirectory(work.path("net")).load()
    let space = try #require(checkpoint.description.space)
    let test = try DataSpecification(parsing: work.smallData()).load().test
    let expected = try Evaluation(checkpoint.net, architecture: space.largest, mode: .full, data: test)
    let found = try logits("fp32")
    try NumPyFile.write(
      RawTensor(expected.logits.scalars, shape: expected.logits.shape), to: work.path("expected.npy"))
    #expect(try work.bytes("expected.npy") == found)
    #expect(try logits("float") != found)
    let packed = try CommandRunner.run([
      "eval", "--model", work.path("space.yaml"), "--backend", "fp32", "--data", "embedded",
    ])
    #expect(packed.status == 64 && packed.errors.contains("--backend fp32 takes a run folder"), "\(packed.errors)")
  }
}
