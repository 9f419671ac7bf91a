import ArgumentParser
import Foundation
import Quasar
import QuasarConsole

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Training runs side by side, and differences over seeds.",
    discussion: """
      Example: quasar compare runs/a runs/b --out compare.html
      Example: quasar compare --paired runs/a1,runs/a2,runs/a3 runs/b1,runs/b2,runs/b3
      """)

  @OptionGroup var common: CommonOptions
  @Argument(help: "Run folders of 'quasar train' or 'quasar finetune'.") var folders: [String] = []
  @Option(
    name: .long, parsing: .upToNextOption,
    help: "Two lists of runs with the same seeds, A1,A2,… B1,B2,…: the mean of B − A with its 95 % interval.")
  var paired: [String] = []
  @Option(
    name: .long, parsing: .singleValue,
    help: "NAME=RUN,RUN,…: runs of one setting in the order of their seeds; every further group against the first.")
  var group: [String] = []
  @Option(
    name: .long,
    help: "The file to write: a page (.html), or the accuracy curves of the first sub-network, else the losses (.svg).")
  var out: String?

  func run() throws {
    try common.apply()
    if let out, !out.hasSuffix(".html"), !out.hasSuffix(".svg") {
      throw QuasarError(.usage, "--out \(out): the name ends neither in .html nor in .svg; choose one of them")
    }
    let comparison = try RunComparison(paths: folders.map(folder), groups: groups())
    if let out {
      let plot = comparison.accuracyPlots.first ?? comparison.lossPlot
      try AtomicFile.write(out.hasSuffix(".svg") ? plot.svg() : comparison.page.html(), to: out)
    }
    if common.json {
      try Console.json(json(comparison))
    } else {
      print(text(comparison))
    }
  }

  private func groups() throws -> [RunComparison.Group] {
    guard paired.isEmpty || group.isEmpty else {
      throw QuasarError(.usage, "--paired and --group cannot be combined; use --group for more than two groups")
    }
    if !paired.isEmpty {
      guard paired.count == 2 else {
        throw QuasarError(
          .usage, "--paired takes two lists, A1,A2,… B1,B2,…, not \(paired.count); single runs go in front of it")
      }
      return zip(["A", "B"], paired).map { RunComparison.Group(name: $0, paths: list($1)) }
    }
    return try group.map { text in
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw QuasarError(.usage, "--group \(text): write NAME=RUN,RUN,…")
      }
      return RunComparison.Group(name: parts[0], paths: list(parts[1]))
    }
  }

  private func list(_ text: String) -> [String] { text.split(separator: ",").map { folder(String($0)) } }

  /// A slash at the end is no part of a folder's name.
  private func folder(_ path: String) -> String {
    path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
  }

  private func text(_ comparison: RunComparison) -> String {
    func table(_ table: TablePage.Table) -> String { Console.table(table.header, table.rows) }
    var parts = [table(comparison.runTable)]
    if let differences = comparison.differenceTable {
      parts.append(comparison.differenceNote + "\n\n" + table(differences))
    }
    parts.append(comparison.settingsTable.map { "settings that differ\n\n" + table($0) } ?? "all settings are equal")
    if let out { parts.append(out) }
    return parts.joined(separator: "\n\n")
  }

  private func json(_ comparison: RunComparison) -> [String: Any] {
    func optional(_ value: Double?) -> Any { value.map { $0 as Any } ?? NSNull() }
    let runs = comparison.runs.map { run -> [String: Any] in
      [
        "name": run.name, "run": run.path, "step": run.step, "total_steps": run.totalSteps, "seed": run.seed,
        "loss": optional(run.finalLoss), "lowest_loss": optional(run.lowestLoss),
        "images_per_second": optional(run.imagesPerSecond),
        "accuracies": run.accuracies.mapValues {
          ["final": $0.final, "best": $0.best, "best_step": Double($0.bestStep)]
        },
      ]
    }
    let settings = Dictionary(
      uniqueKeysWithValues: comparison.settings.map { setting in
        (setting.key, Dictionary(uniqueKeysWithValues: zip(comparison.runs.map(\.name), setting.values)))
      })
    let differences = comparison.differences.map { one -> [String: Any] in
      var object: [String: Any] = ["first": one.first, "second": one.second, "figure": one.figure]
      if let found = one.difference {
        object["pairs"] = found.pairs
        object["mean"] = found.mean
        object["deviation"] = found.deviation
        object["low"] = found.low
        object["high"] = found.high
      }
      return object
    }
    var object: [String: Any] = ["runs": runs, "settings": settings, "differences": differences]
    if let out { object["out"] = out }
    return object
  }
}
