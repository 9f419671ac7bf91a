/// One self-contained HTML page of a run: tables and SVG plots, no script, nothing fetched from elsewhere.
///
/// The page follows the reader's light or dark setting and prints in light colours. Every text of the
/// contents is escaped. Equal contents give equal bytes.
public struct HTMLReport: Sendable {
  /// The contents of the page.
  public let content: ReportContent

  /// The page of these contents.
  public init(_ content: ReportContent) {
    self.content = content
  }

  /// The whole page.
  public func html() -> String {
    let sections = [
      ReportSummarySection(content: content).html(), ReportSearchSection(content: content).html(),
      ReportTrainingSection(content: content).html(), ReportSubnetSection(content: content).html(),
      ReportProvenanceSection(content: content).html(),
    ]
    return htmlPage(
      title: content.title, lead: lead(), facts: facts(),
      body: sections.filter { !$0.isEmpty }.joined(separator: "\n"))
  }

  /// Width of plots that take the whole column.
  static let plotWidth = 912.0
  /// Width of each of two plots next to each other.
  static let halfPlotWidth = 444.0

  private func facts() -> String {
    let data = content.dataset
    let colour = data.channels == 1 ? "grey" : "colour"
    let size = "\(data.width)×\(data.height) \(colour)"
    let names = data.classNames.map { escaped(shortened($0, to: 60)) }
    let classes =
      names.count <= 20
      ? names.joined(separator: ", ")
      : names.prefix(20).joined(separator: ", ") + " and \(names.count - 20) more"
    return """
      <dl class="facts">
      <div><dt>Data</dt><dd>\(escaped(data.name))</dd></div>
      <div><dt>Images</dt><dd>\(grouped(data.trainImages)) train, \(grouped(data.testImages)) test, \
      \(size)</dd></div>
      <div class="wide"><dt>\(data.classNames.count) classes</dt><dd>\(classes)</dd></div>
      </dl>
      """
  }

  /// The main result in two or three sentences.
  private func lead() -> String {
    let subnets = content.subnets
    guard let best = subnets.max(by: { $0.accuracyInteger < $1.accuracyInteger }) else {
      return content.unmetTargets.isEmpty
        ? "This run has not chosen a sub-network."
        : "No sub-network meets a target of this run; the reasons are below."
    }
    let met = subnets.filter { $0.fps >= $0.fpsTarget }.count
    let all = subnets.count + content.unmetTargets.count
    let devices = Set(subnets.map(\.board.device)).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let place = devices.count == 1 ? " on the \(escaped(devices[0]))" : ""
    var text =
      "\(met) of \(all) speed \(all == 1 ? "target" : "targets") met\(place). The most accurate sub-network "
      + "runs at a "
      + "predicted <b>\(grouped(best.fps, decimals: 1)) FPS</b> with "
      + "<b>\(percent(best.accuracyInteger))</b> top-1 in "
      + "integer arithmetic"
    if let baseline = content.baseline, baseline.accuracy.isFinite {
      let points = (best.accuracyInteger - baseline.accuracy) * 100
      text +=
        ", \(grouped(abs(points), decimals: 1)) points \(points < 0 ? "below" : "above") "
        + "\(escaped(baseline.name))"
    }
    return text + "."
  }
}

/// A share as text: 0.8765 → "87.65 %".
func percent(_ value: Double, decimals: Int = 2) -> String {
  ValueFormat.percent.text(value, decimals: decimals)
}
