/// The table of targets: the target, the sub-network found, its cost and its accuracy.
struct ReportSummarySection {
  let content: ReportContent

  func html() -> String {
    guard !content.subnets.isEmpty || !content.unmetTargets.isEmpty || content.baseline != nil else {
      return ""
    }
    return """
      <section>
      <h2>Targets and sub-networks</h2>
      <p class="note">FPS is predicted for one image after another. Accuracy is top-1 on the test images: \
      “float” with \
      fake-quantised products and float non-linear functions, “integer” with the arithmetic of the device.</p>
      <div class="scroll"><table>
      <thead>
      <tr class="bands"><th></th><th colspan="2">Frames a \
      second</th><th class="start" colspan="3">Precision</th>\
      <th class="start" colspan="3">Resources</th><th class="start" colspan="2">Accuracy</th></tr>
      <tr><th class="text">Sub-network</th><th>target</th><th>predicted</th><th class="start">activation \
      bits</th>\
      <th>8-bit rows</th><th>average weight bits</th><th class="start">DSP</th><th>LUT</th><th>BRAM18</th>\
      <th class="start">float</th><th>integer</th></tr>
      </thead>
      <tbody>
      \(content.subnets.map(row).joined(separator: "\n"))
      \(baselineRow())
      </tbody>
      </table></div>
      \(unmet())
      </section>
      """
  }

  private func row(_ subnet: SubnetSummary) -> String {
    let isMet = subnet.fps >= subnet.fpsTarget
    let verdict = isMet ? "<small class=\"good\">✓ met</small>" : "<small class=\"bad\">✗ not met</small>"
    let place = "\(subnet.board.device), \(grouped(subnet.board.clockMegahertz)) MHz"
    let cells = [
      "<th><span class=\"swatch\"></span>\(escaped(subnet.name))<small>\(escaped(place))</small></th>",
      "<td>\(speed(subnet.fpsTarget))</td>", "<td>\(grouped(subnet.fps, decimals: 1))\(verdict)</td>",
      "<td class=\"start\">\(subnet.genes.activationBits)</td>",
      "<td>\(percent(subnet.genes.share8Bit, decimals: 1))</td>",
      "<td>\(grouped(subnet.genes.averageWeightBits, decimals: 2))</td>",
      "<td class=\"start\">\(resource(subnet.board.dsp))</td>",
      "<td>\(resource(subnet.board.lut))</td>",
      "<td>\(resource(subnet.board.bram18))</td>",
      "<td class=\"start\">\(percent(subnet.accuracyFloat))</td>",
      "<td><b>\(percent(subnet.accuracyInteger))</b>\(gain(subnet.accuracyInteger))</td>",
    ]
    return "<tr>" + cells.joined() + "</tr>"
  }

  private func baselineRow() -> String {
    guard let baseline = content.baseline else { return "" }
    return
      "<tr class=\"baseline\"><th colspan=\"9\">Baseline on the same split: \(escaped(baseline.name))</th>"
      + "<td class=\"start\">\(percent(baseline.accuracy))</td><td></td></tr>"
  }

  private func unmet() -> String {
    guard !content.unmetTargets.isEmpty else { return "" }
    let items = content.unmetTargets.map {
      "<li><b class=\"bad\">\(speed($0.fpsTarget)) FPS</b>: \(escaped($0.reason))</li>"
    }
    return "<h3>Targets without a sub-network</h3>\n<ul>\(items.joined())</ul>"
  }

  /// Difference from the baseline in points.
  private func gain(_ accuracy: Double) -> String {
    guard let baseline = content.baseline, accuracy.isFinite, baseline.accuracy.isFinite else { return "" }
    let points = (accuracy - baseline.accuracy) * 100
    return "<small>\(points < 0 ? "" : "+")\(grouped(points, decimals: 1)) points</small>"
  }

  private func resource(_ use: BoardSummary.Use) -> String {
    guard use.available > 0 else { return grouped(use.used) }
    return "\(grouped(use.used))<small>\(percent(Double(use.used) / Double(use.available), decimals: 0))</small>"
  }
}

/// Frames per second without needless decimals: 100 → "100", 101.5 → "101.5".
func speed(_ framesPerSecond: Double) -> String {
  grouped(framesPerSecond, decimals: framesPerSecond == framesPerSecond.rounded() ? 0 : 1)
}
