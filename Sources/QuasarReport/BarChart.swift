/// Horizontal bars in one or more panels next to each other that share their rows, as an SVG picture.
public struct BarChart: Sendable {
  /// One row; consecutive rows of one group stand together under its name.
  public struct Row: Sendable {
    /// Name of the group, empty for none.
    public var group: String
    /// Name of the row.
    public var label: String

    /// The row of this name.
    public init(group: String = "", label: String) {
      self.group = group
      self.label = label
    }
  }

  /// The bars of one kind; a missing value draws nothing.
  public struct Series: Sendable {
    /// Name in the legend and in hover titles.
    public var name: String
    /// One value per row, in the order of the rows.
    public var values: [Double?]
    /// Index of the plot colour, from 0.
    public var colour: Int
    /// 1 for the full colour, less for a tint of it.
    public var opacity: Double

    /// The series of these values.
    public init(name: String, values: [Double?], colour: Int = 0, opacity: Double = 1) {
      self.name = name
      self.values = values
      self.colour = colour
      self.opacity = opacity
    }

    fileprivate var fill: String {
      "fill:\(PlotTheme.colour(colour))" + (opacity < 1 ? ";fill-opacity:\(coordinate(opacity))" : "")
    }
  }

  /// The arrangement of a panel's series in a row.
  public enum Arrangement: Sendable {
    /// One bar, the series end to end.
    case stacked
    /// One thin bar per series, one below the other.
    case grouped
  }

  /// One set of bars with its own axis from 0.
  public struct Panel: Sendable {
    /// Heading of the panel.
    public var title: String
    /// The bars, in the order of the legend.
    public var series: [Series]
    /// The arrangement of the series in a row.
    public var arrangement: Arrangement
    /// The format of the values.
    public var format: ValueFormat
    /// End of the axis; the largest bar when nil.
    public var maximum: Double?
    /// Text after the bars, one per row; nil writes nothing.
    public var notes: [String]?
    /// Share of the width relative to the other panels.
    public var weight: Double

    /// The panel of these bars.
    public init(
      title: String, series: [Series], arrangement: Arrangement, format: ValueFormat = .number,
      maximum: Double? = nil, notes: [String]? = nil, weight: Double = 1
    ) {
      self.title = title
      self.series = series
      self.arrangement = arrangement
      self.format = format
      self.maximum = maximum
      self.notes = notes
      self.weight = weight
    }
  }

  /// Heading; empty for none.
  public var title: String
  /// Rows from top to bottom.
  public var rows: [Row]
  /// Panels from left to right.
  public var panels: [Panel]
  /// Width in pixels; the height follows from the rows.
  public var width: Double

  /// The chart of these rows and panels.
  public init(title: String, rows: [Row], panels: [Panel], width: Double = 720) {
    self.title = title
    self.rows = rows
    self.panels = panels
    self.width = max(320, width)
  }

  private static let rowHeight = 17.0
  private static let groupGap = 7.0

  /// The SVG element, with its own style sheet unless the surrounding page has the style of `HTMLReport`.
  public func svg(includingStyle: Bool = true) -> String {
    var body = svgText(title, x: 0, y: 15, class: "title")
    let top = title.isEmpty ? 0 : 26.0
    let groupWidth = rows.map { estimatedWidth(shortened($0.group, to: 16)) }.max() ?? 0
    let labelWidth = rows.map { estimatedWidth(shortened($0.label, to: 26)) }.max() ?? 0
    let begin = groupWidth + (groupWidth > 0 ? 14 : 0) + labelWidth + 10
    let gap = 28.0
    let free = width - begin - gap * Double(max(0, panels.count - 1))
    let weights = panels.reduce(0) { $0 + $1.weight }

    // Titles and legends above, all panels on one line.
    var lefts: [(left: Double, width: Double)] = []
    var left = begin
    var legendRows = 1
    for panel in panels {
      let share = free * panel.weight / weights
      lefts.append((left, share))
      left += share + gap
    }
    for (panel, place) in zip(panels, lefts) {
      body += svgText(panel.title, x: place.left, y: top + 12, class: "strong")
      let (legend, rows) = PlotFrame.drawLegend(
        legend(panel), left: place.left, width: place.width, top: top + 16)
      body += legend
      legendRows = max(legendRows, rows)
    }
    let first = top + 16 + Double(legendRows) * 18 + 8
    let tops = rowTops(from: first)
    let end = (tops.last ?? first) + BarChart.rowHeight
    body += rowLabels(tops: tops, groupWidth: groupWidth, begin: begin)
    for (panel, place) in zip(panels, lefts) {
      body += draw(panel, left: place.left, width: place.width, tops: tops, first: first, end: end)
    }
    return svgElement(width: width, height: end + 24, includingStyle: includingStyle, body: body)
  }

  private func rowTops(from first: Double) -> [Double] {
    var tops: [Double] = []
    var y = first
    for (index, row) in rows.enumerated() {
      if index > 0 { y += BarChart.rowHeight + (row.group != rows[index - 1].group ? BarChart.groupGap : 0) }
      tops.append(y)
    }
    return tops
  }

  private func rowLabels(tops: [Double], groupWidth: Double, begin: Double) -> String {
    var drawn = ""
    for (index, row) in rows.enumerated() {
      let base = tops[index] + BarChart.rowHeight / 2 + 4
      if index == 0 || row.group != rows[index - 1].group {
        drawn += svgText(shortened(row.group, to: 16), x: 0, y: base, class: "strong")
        if index > 0 {
          let y = tops[index] - BarChart.groupGap / 2
          drawn += svgLine(0, y, width, y, class: "grid")
        }
      }
      drawn += svgText(shortened(row.label, to: 26), x: begin - 8, y: base, class: "soft", anchor: "end")
    }
    return drawn
  }

  private func draw(
    _ panel: Panel, left: Double, width: Double, tops: [Double], first: Double, end: Double
  ) -> String {
    let noteWidth = (panel.notes ?? []).map { estimatedWidth($0) + 8 }.max() ?? 0
    let longest = panel.maximum ?? rows.indices.map { extent(panel, row: $0) }.max() ?? 0
    let axis = Axis(
      [0, longest > 0 ? longest : 1], ticks: width < 220 ? 2 : 4, format: panel.format,
      extends: panel.maximum == nil
    ).placed(from: left, to: left + width - max(noteWidth, 14))
    var drawn = ""
    for tick in axis.ticks {
      let x = axis.position(tick)
      drawn += svgLine(x, first - 3, x, end + 3, class: tick == 0 ? "axis" : "grid")
      drawn += svgText(axis.label(tick), x: x, y: end + 18, class: "soft", anchor: "middle")
    }
    for (row, top) in tops.enumerated() {
      var edge = 0.0
      for (index, series) in panel.series.enumerated() {
        guard row < series.values.count, let value = series.values[row], isDrawable(value, 0), value > 0
        else { continue }
        let lanes = panel.arrangement == .stacked ? 1 : Double(panel.series.count)
        let lane = panel.arrangement == .stacked ? 0 : Double(index)
        let thickness = (BarChart.rowHeight - 5) / lanes
        let start = axis.position(panel.arrangement == .stacked ? edge : 0)
        let stop = axis.position((panel.arrangement == .stacked ? edge : 0) + value)
        let shape =
          "<rect x=\"\(coordinate(start))\" y=\"\(coordinate(top + 2.5 + lane * thickness))\" "
          + "width=\"\(coordinate(max(0.5, stop - start)))\" "
          + "height=\"\(coordinate(max(1, thickness - (lanes > 1 ? 0.5 : 0))))\" "
          + "style=\"\(series.fill)\""
        let name = [rows[row].group, rows[row].label].filter { !$0.isEmpty }.joined(separator: " ")
        drawn += svgTitled(shape, title: "\(name), \(series.name): \(panel.format.detail(value))")
        edge += value
      }
      if let notes = panel.notes, row < notes.count {
        let x = axis.position(min(extent(panel, row: row), axis.upper)) + 6
        drawn += svgText(notes[row], x: x, y: top + BarChart.rowHeight / 2 + 4, class: "soft halo")
      }
    }
    return drawn
  }

  /// Length of the longest bar of a row.
  private func extent(_ panel: Panel, row: Int) -> Double {
    let values = panel.series.compactMap { row < $0.values.count ? $0.values[row] : nil }.filter {
      isDrawable($0, 0) && $0 > 0
    }
    return panel.arrangement == .stacked ? values.reduce(0, +) : values.max() ?? 0
  }

  private func legend(_ panel: Panel) -> [PlotFrame.LegendEntry] {
    panel.series.map { series in
      PlotFrame.LegendEntry(text: series.name) { left, centre in
        "<rect x=\"\(coordinate(left + 4))\" y=\"\(coordinate(centre - 6))\" width=\"12\" height=\"12\" "
          + "style=\"\(series.fill)\"/>\n"
      }
    }
  }
}
