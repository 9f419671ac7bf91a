import Foundation
import QuasarReport

/// A comparison of runs as tables, plots and a page.
extension RunComparison {
  /// One row per run: steps, losses, speed, accuracies of the common sub-networks.
  public var runTable: TablePage.Table {
    let header =
      ["run", "steps", "loss", "lowest", "images/s"] + subnets.flatMap { [$0, "best", "at step"] }
    let rows = runs.map { run in
      let steps = run.step == run.totalSteps ? "\(run.step)" : "\(run.step) of \(run.totalSteps)"
      return [
        run.name, steps, RunComparison.number(run.finalLoss, 4), RunComparison.number(run.lowestLoss, 4),
        RunComparison.number(run.imagesPerSecond, 0),
      ]
        + subnets.flatMap { subnet -> [String] in
          guard let accuracy = run.accuracies[subnet] else { return ["–", "–", "–"] }
          return [
            RunComparison.share(accuracy.final), RunComparison.share(accuracy.best), "\(accuracy.bestStep)",
          ]
        }
    }
    return TablePage.Table(header: header, rows: rows)
  }

  /// One row per setting that differs; nil when all runs have the same settings.
  public var settingsTable: TablePage.Table? {
    guard !settings.isEmpty else { return nil }
    return TablePage.Table(
      header: ["setting"] + runs.map(\.name),
      rows: settings.map { setting in [setting.key] + setting.values.map { RunComparison.shortened($0) } })
  }

  /// One row per difference of groups; nil without groups. Accuracies are in points.
  public var differenceTable: TablePage.Table? {
    guard !differences.isEmpty else { return nil }
    return TablePage.Table(
      header: ["difference", "figure", "pairs", "mean", "95 % from", "to"],
      rows: differences.map { one in
        let texts = one.difference.map { difference in
          [difference.mean, difference.low, difference.high].map {
            one.isShare ? RunComparison.signed(100 * $0, 2) : RunComparison.signed($0, 4)
          }
        }
        return ["\(one.second) − \(one.first)", one.figure, one.difference.map { "\($0.pairs)" } ?? "–"]
          + (texts ?? ["–", "–", "–"])
      })
  }

  /// Accuracies over the steps, one plot for each common sub-network.
  public var accuracyPlots: [LinePlot] {
    subnets.map { subnet in
      LinePlot(
        title: subnet == "network" ? "Accuracy" : "Accuracy of the \(subnet) sub-network", xLabel: "step",
        yLabel: "top-1",
        series: runs.compactMap { run in
          run.accuracies[subnet].map { RunComparison.line(run.name, $0.curve) }
        }, yFormat: .percent, width: TablePage.plotWidth)
    }
  }

  /// Losses over the steps.
  public var lossPlot: LinePlot {
    LinePlot(
      title: "Training loss", xLabel: "step", yLabel: "loss", series: runs.map { RunComparison.line($0.name, $0.loss) },
      width: TablePage.plotWidth)
  }

  /// Tables and curves as one page.
  public var page: TablePage {
    let best = subnets.first.flatMap { subnet in
      runs.max { ($0.accuracies[subnet]?.final ?? 0) < ($1.accuracies[subnet]?.final ?? 0) }.map { run in
        " At the end \(run.name) has the highest accuracy of the sub-network “\(subnet)”: "
          + "\(RunComparison.share(run.accuracies[subnet]?.final ?? 0))."
      }
    }
    var sections = [
      TablePage.Section(
        heading: "Runs",
        note:
          "Loss: mean over the last steps of the log, and the lowest such mean. Accuracy: at the end, and the best.",
        table: runTable)
    ]
    if let table = differenceTable {
      sections.append(TablePage.Section(heading: "Paired differences", note: differenceNote, table: table))
    }
    sections.append(TablePage.Section(heading: "Curves", plots: accuracyPlots + [lossPlot]))
    sections.append(
      TablePage.Section(
        heading: "Settings that differ", note: settings.isEmpty ? "None: all runs have the same." : "",
        table: settingsTable))
    return TablePage(
      title: "\(runs.count) training runs",
      lead: runs.map(\.name).joined(separator: ", ") + "." + (best ?? ""), sections: sections)
  }

  /// The note for the table of differences: its contents, the runs of the groups, and pairs whose seeds differ.
  public var differenceNote: String {
    let names = Dictionary(uniqueKeysWithValues: runs.map { ($0.path, $0.name) })
    let members = groups.map { group in
      "\(group.name) is \(group.paths.map { names[$0] ?? $0 }.joined(separator: ", "))"
    }
    let seeds = unequalSeeds.isEmpty ? "" : " Pairs with unequal seeds: \(unequalSeeds.joined(separator: "; "))."
    return "Mean over the pairs with its 95 % confidence interval (paired Student t); accuracies in percentage points. "
      + members.joined(separator: "; ") + "." + seeds
  }

  private static func line(_ name: String, _ series: RunRecord.Series) -> LinePlot.Series {
    LinePlot.Series(
      name: name, points: zip(series.steps, series.values).map { PlotPoint(x: Double($0), y: $1) })
  }

  static func number(_ value: Double?, _ decimals: Int) -> String {
    value.map { Workflow.fixed($0, decimals) } ?? "–"
  }

  static func share(_ value: Double) -> String { Workflow.fixed(100 * value, 2) + " %" }

  static func signed(_ value: Double, _ decimals: Int) -> String {
    let text = Workflow.fixed(abs(value), decimals)
    guard text.contains(where: { ("1"..."9").contains($0) }) else { return text }
    return (value < 0 ? "−" : "+") + text
  }

  /// A list of many blocks would fill a screen; --json prints it in full.
  private static func shortened(_ text: String) -> String {
    text.count <= 40 ? text : text.prefix(39) + "…"
  }
}
