/// Genes and layers of each chosen sub-network.
struct ReportSubnetSection {
  let content: ReportContent

  func html() -> String {
    guard !content.subnets.isEmpty else { return "" }
    return """
      <section>
      <h2>The chosen sub-networks, layer by layer</h2>
      <p class="note">A layer computes and moves data at the same time, so the longer of its two bars sets \
      the pace; \
      the number after the bars is the cycles of the layer in all, with fill and drain. Layers without \
      weights have \
      no rows.</p>
      \(content.subnets.map(article).joined(separator: "\n"))
      </section>
      """
  }

  private func article(_ subnet: SubnetSummary) -> String {
    """
    <article>
    <h3><span class="swatch"></span>\(escaped(subnet.name)): predicted \(grouped(subnet.fps, decimals: 1)) \
    FPS, \
    \(percent(subnet.accuracyInteger)) top-1 in integer arithmetic</h3>
    <dl class="traits">
    \(traits(subnet).map { "<div><dt>\($0)</dt><dd>\($1)</dd></div>" }.joined(separator: "\n"))
    </dl>
    \(genes(subnet))
    \(layers(subnet))
    </article>
    """
  }

  private func traits(_ subnet: SubnetSummary) -> [(String, String)] {
    [
      ("embedding width", "\(subnet.genes.embedDimension)"), ("depth", "\(subnet.genes.depth) blocks"),
      ("activations", "\(subnet.genes.activationBits) bits"),
      ("weights on average", "\(grouped(subnet.genes.averageWeightBits, decimals: 2)) bits"),
      ("8-bit rows", percent(subnet.genes.share8Bit, decimals: 1)),
      ("cycles an image", grouped(subnet.layers.reduce(0.0) { $0 + Double($1.cycles) })),
    ]
  }

  /// Heads and MLP ratio, one column per block.
  private func genes(_ subnet: SubnetSummary) -> String {
    let blocks = max(subnet.genes.heads.count, subnet.genes.mlpRatios.count)
    guard blocks > 0 else { return "" }
    func line(_ name: String, _ cells: [String]) -> String {
      let padded = cells + [String](repeating: "–", count: blocks - cells.count)
      return "<tr><th>\(name)</th>" + padded.map { "<td>\($0)</td>" }.joined() + "</tr>"
    }
    let ratios = subnet.genes.mlpRatios.map { grouped($0, decimals: $0 == $0.rounded() ? 0 : 1) }
    return """
      <div class="scroll"><table class="genes">
      <thead><tr><th class="text">block</th>\((0..<blocks).map { "<th>\($0)</th>" }.joined())</tr></thead>
      <tbody>\(line("heads", subnet.genes.heads.map(String.init)))\(line("MLP ratio", ratios))</tbody>
      </table></div>
      """
  }

  private func layers(_ subnet: SubnetSummary) -> String {
    guard !subnet.layers.isEmpty else { return "" }
    let shares = subnet.layers.map { $0.rows > 0 ? Double($0.rows8) / Double($0.rows) : nil }
    let chart = BarChart(
      title: "", rows: subnet.layers.map(row),
      panels: [
        BarChart.Panel(
          title: "Rows of the weight matrix",
          series: [
            BarChart.Series(name: "8 bits", values: shares),
            BarChart.Series(
              name: "4 bits", values: shares.map { share in share.map { 1 - $0 } }, opacity: 0.3),
          ],
          arrangement: .stacked, format: .percent, maximum: 1, weight: 0.55),
        BarChart.Panel(
          title: "Cycles",
          series: [
            BarChart.Series(
              name: "compute", values: subnet.layers.map { Double($0.computeCycles) }, colour: 2),
            BarChart.Series(
              name: "transfer", values: subnet.layers.map { Double($0.transferCycles) }, colour: 4),
          ],
          arrangement: .grouped, format: .short, notes: subnet.layers.map { grouped($0.cycles) }),
      ], width: HTMLReport.plotWidth)
    return "<figure class=\"wide\">\n\(chart.svg(includingStyle: false))</figure>"
  }

  /// "blocks.2.qkv" → group "block 2", label "qkv".
  private func row(_ layer: LayerSummary) -> BarChart.Row {
    guard let dot = layer.name.lastIndex(of: ".") else { return BarChart.Row(label: layer.name) }
    let group = layer.name[..<dot]
    let parts = group.split(separator: ".")
    let isBlock = parts.count == 2 && parts[0] == "blocks"
    return BarChart.Row(
      group: isBlock ? "block \(parts[1])" : String(group),
      label: String(layer.name[layer.name.index(after: dot)...]))
  }
}
