import Foundation
import Quasar
import QuasarTestSupport
import Testing

/// `--help`, `quasar options`, the page of options and what the flags do, as the tables have them.
@Suite struct OptionsTests {
  /// Help without its line breaks.
  private func help(_ arguments: [String]) throws -> String {
    let result = try CommandRunner.run(arguments)
    #expect(result.status == 0, "\(result.errors)")
    return result.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  private func lists(_ help: String, _ section: OptionsPage.Section, finetune: Bool = false, prefix: String? = nil) {
    for row in section.rows {
      let option = row.option
      let start = "--\(prefix ?? "")\(option.flag)"
      let name = option.kind == .flag ? "\(start)/--no-\(prefix ?? "")\(option.flag)" : "\(start) <"
      let usual = prefix != nil ? "" : finetune ? row.finetune ?? row.usual : row.usual
      #expect(help.contains(name), "\(name)")
      #expect(help.contains(option.line(default: usual)), "\(option.line(default: usual))")
    }
  }

  @Test func helpListsEveryOption() throws {
    let sections = OptionsPage.sections
    #expect(sections.map(\.mappings) == [[], ["init"], ["train", "finetune"], ["search"]])
    let train = try help(["train", "--help"])
    lists(train, sections[2])
    lists(train, sections[1])
    #expect(train.contains("--epochs <epochs> Passes over the training images. (1…100000; default: 20)"))
    let finetune = try help(["finetune", "--help"])
    lists(finetune, sections[2], finetune: true)
    #expect(finetune.contains("(1…100000; default: 5)") && finetune.contains("(default: --no-sandwich)"))
    lists(try help(["search", "--help"]), sections[3])
    let run = try help(["run", "--help"])
    lists(run, sections[0], prefix: "")
    lists(run, sections[1], prefix: "")
    #expect(!run.contains("--train-epochs <"))
    let all = try help(["run", "--help-hidden"])
    lists(all, sections[2], prefix: "train-")
    lists(all, sections[2], prefix: "finetune-")
    lists(all, sections[3], prefix: "search-")
    let augment = try help(["data", "inspect", "--help"])
    #expect(augment.contains("--shift <shift> Largest shift") && !augment.contains("--epochs"))
  }

  @Test func unknownFlagsAndCompletion() throws {
    for (arguments, wrong, right) in [
      (["train"], "--batch-sise", "--batch-size"), (["search", "--run", "x"], "--elite", "--elites"),
      (["run", "x.yaml"], "--clok", "--clock"),
    ] {
      let result = try CommandRunner.run(arguments + [wrong, "3", "--out", "x"])
      #expect(result.status == 64 && result.errors.contains("Did you mean '\(right)'?"), "\(result.errors)")
    }
    let script = try CommandRunner.run(["--generate-completion-script", "bash"])
    #expect(script.status == 0)
    for part in ["--decay-points", "--no-gptq-start", "independent-steps", "--elites"] {
      #expect(script.output.contains(part), "\(part)")
    }
  }

  @Test func thePageIsWhatTheTablesGive() throws {
    let root = (0..<3).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
    let page = root.appendingPathComponent("Sources/QuasarUmbrella/Quasar.docc/Options.md")
    let result = try CommandRunner.run(["options", "--markdown"])
    #expect(result.status == 0 && result.output == OptionsPage.markdown)
    #expect(
      try String(contentsOf: page, encoding: .utf8) == result.output,
      "write it anew: quasar options --markdown > \(page.path)")
  }

  @Test func figuresOfEveryOption() throws {
    let result = try CommandRunner.run(["options", "--json"])
    let json = try #require(JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    let options = try #require(json["options"] as? [[String: Any]])
    #expect(options.count == OptionsPage.sections.reduce(0) { $0 + $1.rows.count })
    let smoothing = try #require(options.first { $0["key"] as? String == "label_smoothing" })
    #expect(smoothing["flag"] as? String == "--label-smoothing" && smoothing["kind"] as? String == "number")
    #expect(smoothing["minimum"] as? Double == 0 && smoothing["maximum"] as? Double == 1)
    #expect(smoothing["maximum_included"] as? Bool == false && smoothing["default"] as? String == "0.1")
    #expect(
      smoothing["unit"] as? String == "of the targets" && smoothing["mappings"] as? [String] == ["train", "finetune"])
    let epochs = options.first { $0["key"] as? String == "epochs" }
    #expect(epochs?["default"] as? String == "20" && epochs?["finetune_default"] as? String == "5")
    let text = try CommandRunner.run(["options"]).output
    #expect(text.contains("rand_augment, --rand-augment\n      0…16; default 0; Random operations"), "\(text)")
    #expect(try CommandRunner.run(["options", "--json", "--markdown"]).status == 64)
  }

  /// Values that a file refuses are refused from a flag, and the other way round; the place is the one at fault.
  @Test func fileAndFlagsRefuseTheSame() throws {
    let work = try Workplace()
    let good = try String(contentsOfFile: work.smallPipeline(), encoding: .utf8)
    for (option, key, value) in [("shift", "shift", "100"), ("epochs", "epochs", "0"), ("average", "average", "1")] {
      let flag = try CommandRunner.run(["train", "--\(option)", value, "--out", work.path("out")])
      #expect(flag.status == 64 && flag.errors.hasPrefix("error: --\(option) \(value): must be"), "\(flag.errors)")
      let text = good.replacingOccurrences(of: "train: {epochs: 3,", with: "train: {\(key): \(value),")
      let file = try CommandRunner.run(["run", work.write(text, "p.yaml"), "--out", work.path("out")])
      #expect(file.status == 65 && file.errors.contains("p.yaml:7: train.\(key): '\(value)' must be"), "\(file.errors)")
    }
    let points = good.replacingOccurrences(
      of: "train: {epochs: 3,", with: "train: {\n  decay_points: [0.5, 0.2],\n  epochs: 3,")
    let file = try CommandRunner.run(["run", work.write(points, "p.yaml"), "--out", work.path("out")])
    #expect(file.status == 65 && file.errors.contains("p.yaml:8: train.decay_points: decay points"), "\(file.errors)")
    let run = try CommandRunner.run([
      "run", work.path("pipeline.yaml"), "--train-repeats", "3", "--out", work.path("out"),
    ])
    #expect(run.status == 64 && run.errors.contains("--train-repeats 3: a batch holds"), "\(run.errors)")
    let best = try CommandRunner.run([
      "finetune", "--keep-best", "1", "--run", work.path("none"), "--subnet", "none", "--out", work.path("out"),
    ])
    #expect(best.status == 64 && best.errors.contains("--keep-best 1: no best checkpoints"), "\(best.errors)")
    let search = ["search", "--run", work.path("none"), "--out", work.path("out")]
    let targets = try CommandRunner.run(search)
    #expect(targets.status == 64 && targets.errors.contains("--fps: missing"), "\(targets.errors)")
    let clock = try CommandRunner.run(search + ["--fps", "10", "--clock", "0"])
    #expect(
      clock.status == 64 && clock.errors.contains("--clock 0: must be a number from 1 to 2000"), "\(clock.errors)")
    let seed = try CommandRunner.run(["train", "--seed", "x", "--cache", work.path("out"), "--out", work.path("out")])
    #expect(seed.status == 64 && seed.errors.contains("--seed x: must be a whole number"), "\(seed.errors)")
    let elites = try CommandRunner.run(search + ["--fps", "10", "--population", "3", "--elites", "4"])
    #expect(elites.status == 64 && elites.errors.contains("--population 3, --elites 4: elites"), "\(elites.errors)")
    #expect(!FileManager.default.fileExists(atPath: work.path("out")))
  }
}
