/// Loss and accuracy over the steps, of the supernet and of each fine-tuning.
struct ReportTrainingSection {
  let content: ReportContent

  func html() -> String {
    let supernet = content.supernet.map { pair([$0], title: "Supernet", naming: \.curve) } ?? ""
    let fineTuning = pair(content.fineTunings, title: "Fine-tuning", naming: \.run)
    guard !supernet.isEmpty || !fineTuning.isEmpty else { return "" }
    return """
      <section>
      <h2>Training</h2>
      \(supernet)\(fineTuning)</section>
      """
  }

  /// Possible names of a curve: its own, or that of its run (with its own, if the run has several curves).
  private struct Names {
    var curve: String
    var run: String
  }

  private func pair(_ runs: [TrainingRun], title: String, naming: KeyPath<Names, String>) -> String {
    let loss = plot(runs, curves: \.loss, title: "\(title): loss", yLabel: "loss", naming: naming)
    let accuracy = plot(
      runs, curves: \.accuracy, title: "\(title): accuracy", yLabel: "top-1", naming: naming)
    guard !loss.isEmpty || !accuracy.isEmpty else { return "" }
    return "<div class=\"pair\">\n\(loss)\(accuracy)</div>\n"
  }

  private func plot(
    _ runs: [TrainingRun], curves: KeyPath<TrainingRun, [Curve]>, title: String, yLabel: String,
    naming: KeyPath<Names, String>
  ) -> String {
    let series = runs.flatMap { run in
      let all = run[keyPath: curves]
      return all.map { curve in
        let names = Names(curve: curve.name, run: all.count == 1 ? run.name : "\(run.name), \(curve.name)")
        return LinePlot.Series(
          name: names[keyPath: naming],
          points: zip(curve.steps, curve.values).map { PlotPoint(x: Double($0), y: $1) })
      }
    }
    guard !series.isEmpty else { return "" }
    let isAccuracy = curves == \.accuracy
    let references =
      isAccuracy
      ? content.baseline.map { [LinePlot.Reference(value: $0.accuracy, label: $0.name)] } ?? [] : []
    let plot = LinePlot(
      title: title, xLabel: "step", yLabel: yLabel, series: series, references: references,
      yFormat: isAccuracy ? .percent : .number, width: HTMLReport.halfPlotWidth, height: 310)
    return "<figure>\n\(plot.svg(includingStyle: false))</figure>\n"
  }
}
