/// Points over two axes with a Pareto front, vertical guides and marked points, as an SVG picture.
///
/// More is better on both axes: speed against accuracy.
public struct ScatterPlot: Sendable {
  /// One group of points with a common colour.
  public struct Series: Sendable {
    /// Name in the legend.
    public var name: String
    /// Points of the group.
    public var points: [Point]

    /// The series of these values.
    public init(name: String, points: [Point]) {
      self.name = name
      self.points = points
    }
  }

  /// One point and the text shown when the pointer rests on it.
  public struct Point: Sendable {
    /// Value on the x axis.
    public var x: Double
    /// Value on the y axis.
    public var y: Double
    /// Text shown when the pointer rests on it.
    public var title: String

    /// The point (x, y).
    public init(x: Double, y: Double, title: String = "") {
      self.x = x
      self.y = y
      self.title = title
    }
  }

  /// A vertical line with a label at the top.
  public struct Guide: Sendable {
    /// Value on the x axis.
    public var x: Double
    /// Text at the top of the line.
    public var label: String

    /// The line at this x.
    public init(x: Double, label: String) {
      self.x = x
      self.label = label
    }
  }

  /// A marked point with a label next to it.
  public struct Mark: Sendable {
    /// Value on the x axis.
    public var x: Double
    /// Value on the y axis.
    public var y: Double
    /// Text next to the mark.
    public var label: String
    /// Text shown when the pointer rests on it.
    public var title: String

    /// The mark at (x, y).
    public init(x: Double, y: Double, label: String, title: String = "") {
      self.x = x
      self.y = y
      self.label = label
      self.title = title
    }
  }

  /// Heading above the picture.
  public var title: String
  /// Label of the x axis, with its unit.
  public var xLabel: String
  /// Label of the y axis, with its unit.
  public var yLabel: String
  /// Groups of points, in the order of the legend.
  public var series: [Series]
  /// Vertical lines.
  public var guides: [Guide]
  /// Marked points.
  public var marks: [Mark]
  /// Name of the marks in the legend.
  public var markName = "chosen"
  /// True if a step line joins the points that no other point beats on both axes.
  public var showsFront = true
  /// The format of values on the y axis.
  public var yFormat = ValueFormat.number
  /// Width in pixels, at least 240.
  public var width = 720.0 { didSet { width = max(240, width) } }
  /// Height in pixels, at least 160.
  public var height = 360.0 { didSet { height = max(160, height) } }

  /// The plot of these points; everything else is set afterwards.
  public init(
    title: String, xLabel: String, yLabel: String, series: [Series], guides: [Guide] = [], marks: [Mark] = []
  ) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.series = series
    self.guides = guides
    self.marks = marks
  }

  /// The points that no other point beats or equals on both axes, from left to right.
  ///
  /// x grows and y falls along the front. Example: (1, 3), (2, 2), (1, 2) → (1, 3), (2, 2).
  public static func front(of points: [PlotPoint]) -> [PlotPoint] {
    var front: [PlotPoint] = []
    var best = -Double.infinity
    let sorted = points.filter { isDrawable($0.x, $0.y) }.sorted { ($0.x, $0.y) > ($1.x, $1.y) }
    for point in sorted where point.y > best {
      best = point.y
      front.append(point)
    }
    return front.reversed()
  }

  /// The SVG element, with its own style sheet unless the surrounding page has the style of `HTMLReport`.
  public func svg(includingStyle: Bool = true) -> String {
    let points = series.flatMap(\.points).filter { isDrawable($0.x, $0.y) }
    let marks = marks.filter { isDrawable($0.x, $0.y) }
    let guides = guides.filter { isDrawable($0.x, 0) }.sorted { $0.x < $1.x }
    let xAxis = Axis(
      points.map(\.x) + marks.map(\.x) + guides.map(\.x), ticks: width < 500 ? 5 : 8, format: .number)
    let yAxis = Axis(
      points.map(\.y) + marks.map(\.y), ticks: 6, format: yFormat, limits: yFormat == .percent ? 0...1 : nil)
    // The rows of guide labels are known only when x positions are; a first frame gives these.
    func makeFrame(band: Double) -> PlotFrame {
      PlotFrame(
        width: width, height: height, labels: PlotFrame.Labels(title: title, x: xLabel, y: yLabel),
        legend: legend(marks: marks, hasPoints: !points.isEmpty), x: xAxis, y: yAxis, band: band)
    }
    let rows = guideRows(guides, frame: makeFrame(band: 0))
    let band = guides.isEmpty ? 0 : Double((rows.map(\.row).max() ?? 0) + 1) * 16
    let frame = makeFrame(band: band)
    guard !points.isEmpty || !marks.isEmpty else {
      return frame.svg(marks: frame.emptyNote, includingStyle: includingStyle)
    }
    let front = showsFront ? ScatterPlot.front(of: points.map { PlotPoint(x: $0.x, y: $0.y) }) : []
    var drawn = ""
    for (guide, place) in zip(guides, rows) {
      let x = frame.x.position(guide.x)
      let base = frame.top - band + Double(place.row + 1) * 16 - 4
      drawn += svgLine(x, base + 4, x, frame.bottom, class: "guide")
      drawn += svgText(guide.label, x: place.centre, y: base, class: "soft halo", anchor: "middle")
    }
    drawn += drawPoints(frame) + drawFront(front, frame)
    drawn += drawMarks(marks, points: points, front: front, guides: guides, frame: frame)
    return frame.svg(marks: drawn, includingStyle: includingStyle)
  }

  private func drawPoints(_ frame: PlotFrame) -> String {
    var drawn = ""
    for (index, group) in series.enumerated() {
      for point in group.points where isDrawable(point.x, point.y) {
        let place =
          "cx=\"\(coordinate(frame.x.position(point.x)))\" cy=\"\(coordinate(frame.y.position(point.y)))\""
        drawn += svgTitled(
          "<circle \(place) r=\"3\" style=\"fill:\(PlotTheme.colour(index));fill-opacity:.42\"",
          title: point.title)
      }
    }
    return drawn
  }

  /// The step line: level at the best y that can still be reached at this x, and down at each point of the front.
  private func drawFront(_ front: [PlotPoint], _ frame: PlotFrame) -> String {
    guard let first = front.first else { return "" }
    var path = "M\(coordinate(frame.left)) \(coordinate(frame.y.position(first.y)))"
    for (index, point) in front.enumerated() {
      path += "H\(coordinate(frame.x.position(point.x)))"
      path +=
        index + 1 < front.count
        ? "V\(coordinate(frame.y.position(front[index + 1].y)))" : "V\(coordinate(frame.bottom))"
    }
    return "<path class=\"line\" style=\"stroke:var(--ink);stroke-width:1.5\" d=\"\(path)\">"
      + "<title>Pareto front: no candidate is both faster and more accurate</title></path>\n"
  }

  private func drawMarks(
    _ marks: [Mark], points: [Point], front: [PlotPoint], guides: [Guide], frame: PlotFrame
  ) -> String {
    var placer = LabelPlacer(
      area: Box(left: frame.left + 2, top: frame.top, right: frame.right, bottom: frame.bottom - 2))
    for point in points {
      let (x, y) = (frame.x.position(point.x), frame.y.position(point.y))
      placer.avoid(Box(left: x - 3, top: y - 3, right: x + 3, bottom: y + 3), cost: 3)
    }
    for guide in guides {
      let x = frame.x.position(guide.x)
      placer.avoid(Box(left: x - 2, top: frame.top, right: x + 2, bottom: frame.bottom), cost: 45)
    }
    for (index, point) in front.enumerated() {
      let (x, y) = (frame.x.position(point.x), frame.y.position(point.y))
      let from = index == 0 ? frame.left : frame.x.position(front[index - 1].x)
      let to = index + 1 < front.count ? frame.y.position(front[index + 1].y) : frame.bottom
      placer.avoid(Box(left: from, top: y - 1, right: x, bottom: y + 1), cost: 20)
      placer.avoid(Box(left: x - 1, top: y, right: x + 1, bottom: to), cost: 20)
    }
    for mark in marks {
      let (x, y) = (frame.x.position(mark.x), frame.y.position(mark.y))
      placer.avoid(Box(left: x - 8, top: y - 8, right: x + 8, bottom: y + 8), cost: 500)
    }
    var shapes = ""
    var labels = ""
    var lines = ""
    for mark in marks {
      let (x, y) = (frame.x.position(mark.x), frame.y.position(mark.y))
      shapes += svgTitled(ScatterPlot.diamond(x, y), title: mark.title)
      let text = shortened(mark.label, to: 40)
      guard !text.isEmpty else { continue }
      let place = placer.place(width: estimatedWidth(text) + 4, beside: x, y)
      if let end = place.lineEnd { lines += svgLine(x, y, end.x, end.y, class: "axis") }
      labels += svgText(text, x: place.x + 2, y: place.baseline, class: "strong halo")
    }
    return lines + shapes + labels
  }

  private static func diamond(_ x: Double, _ y: Double) -> String {
    "<path style=\"fill:var(--q6);stroke:var(--paper);stroke-width:1.5\" "
      + "d=\"M\(coordinate(x)) \(coordinate(y - 7.5))l7.5 7.5l-7.5 7.5l-7.5 -7.5z\""
  }

  /// Centre and row of each guide's label, in the first row where it overlaps no other label.
  private func guideRows(_ guides: [Guide], frame: PlotFrame) -> [(centre: Double, row: Int)] {
    var ends: [Double] = []
    return guides.map { guide in
      let half = estimatedWidth(guide.label) / 2 + 4
      let centre = min(max(frame.x.position(guide.x), half), width - half)
      if let row = ends.firstIndex(where: { $0 <= centre - half }) {
        ends[row] = centre + half
        return (centre, row)
      }
      ends.append(centre + half)
      return (centre, ends.count - 1)
    }
  }

  private func legend(marks: [Mark], hasPoints: Bool) -> [PlotFrame.LegendEntry] {
    var entries = series.enumerated().map { index, group in
      PlotFrame.LegendEntry(text: group.name) { left, centre in
        "<circle cx=\"\(coordinate(left + 9))\" cy=\"\(coordinate(centre))\" r=\"4\" "
          + "style=\"fill:\(PlotTheme.colour(index));fill-opacity:.7\"/>\n"
      }
    }
    if showsFront, hasPoints {
      entries.append(
        PlotFrame.LegendEntry(text: "Pareto front") { left, centre in
          "<path class=\"line\" style=\"stroke:var(--ink);stroke-width:1.5\" "
            + "d=\"M\(coordinate(left)) \(coordinate(centre - 4))h9v8h9\"/>\n"
        })
    }
    if !marks.isEmpty {
      entries.append(
        PlotFrame.LegendEntry(text: markName) { left, centre in ScatterPlot.diamond(left + 9, centre) + "/>\n"
        })
    }
    return entries
  }
}
