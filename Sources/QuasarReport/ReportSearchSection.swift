/// Speed against accuracy of every candidate, with the Pareto front, the targets and the chosen sub-networks.
struct ReportSearchSection {
  let content: ReportContent

  func html() -> String {
    guard let search = content.search, !search.candidates.isEmpty else { return "" }
    // A target far beyond every candidate would squeeze them into a corner.
    let fastest = search.candidates.map(\.fps).max() ?? 0
    let shown = targets().filter { $0 <= fastest * 1.15 }
    let hidden = targets().filter { $0 > fastest * 1.15 }.map(speed)
    let beyond =
      hidden.isEmpty ? "" : " Off the right edge: the target of \(hidden.joined(separator: ", ")) FPS."
    var plot = ScatterPlot(
      title: "Every candidate that the search evaluated", xLabel: "predicted frames a second",
      yLabel: "top-1 accuracy during the search", series: series(search),
      guides: shown.map { ScatterPlot.Guide(x: $0, label: "target \(speed($0)) FPS") },
      marks: marks(search))
    plot.markName = "chosen sub-network"
    plot.yFormat = .percent
    plot.width = HTMLReport.plotWidth
    plot.height = 470
    let generations = Set(search.candidates.map(\.generation)).count
    let rejected =
      search.rejected > 0
      ? " Another \(grouped(search.rejected)) broke a constraint and were dropped before any accuracy was "
        + "measured."
      : ""
    return """
      <section>
      <h2>Speed against accuracy</h2>
      <p>The search measured \(grouped(search.candidates.count)) candidates in \(grouped(generations)) \
      \(generations == 1 ? "generation" : "generations").\(rejected)</p>
      <figure class="wide">
      \(plot.svg(includingStyle: false))<figcaption>Accuracy: \(escaped(search.accuracySource)). The step \
      line joins the \
      candidates that no other beats in both speed and accuracy. Chosen sub-networks are trained on after \
      the \
      search, so the table above shows other accuracies for them.\(beyond)</figcaption>
      </figure>
      </section>
      """
  }

  /// One series for each number of activation bits, most bits first.
  private func series(_ search: SearchSummary) -> [ScatterPlot.Series] {
    Set(search.candidates.map(\.activationBits)).sorted(by: >).map { bits in
      ScatterPlot.Series(
        name: "\(bits)-bit activations",
        points: search.candidates.filter { $0.activationBits == bits }.map {
          ScatterPlot.Point(
            x: $0.fps, y: $0.accuracy,
            title: "\(grouped($0.fps, decimals: 1)) FPS, \(percent($0.accuracy)), generation \($0.generation)"
          )
        })
    }
  }

  private func targets() -> [Double] {
    Set(content.subnets.map(\.fpsTarget) + content.unmetTargets.map(\.fpsTarget)).sorted()
  }

  /// The chosen candidates; one that was chosen for several targets has one mark with all names.
  private func marks(_ search: SearchSummary) -> [ScatterPlot.Mark] {
    var marks: [ScatterPlot.Mark] = []
    for candidate in search.candidates where !candidate.chosenFor.isEmpty {
      if let place = marks.firstIndex(where: { $0.x == candidate.fps && $0.y == candidate.accuracy }) {
        marks[place].label += ", " + candidate.chosenFor
      } else {
        marks.append(
          ScatterPlot.Mark(
            x: candidate.fps, y: candidate.accuracy, label: candidate.chosenFor,
            title:
              "\(candidate.chosenFor): \(grouped(candidate.fps, decimals: 1)) FPS, "
              + "\(percent(candidate.accuracy))"
          ))
      }
    }
    return marks
  }
}
