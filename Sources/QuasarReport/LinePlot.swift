/// Curves over a common x axis, as an SVG picture.
public struct LinePlot: Sendable {
  /// One curve.
  public struct Series: Sendable {
    /// Name in the legend and in hover titles.
    public var name: String
    /// Points from left to right; one that is not finite interrupts the curve.
    public var points: [PlotPoint]

    /// The series of these values.
    public init(name: String, points: [PlotPoint]) {
      self.name = name
      self.points = points
    }
  }

  /// A horizontal line for comparison, with a label on it.
  public struct Reference: Sendable {
    /// Height of the line on the y axis.
    public var value: Double
    /// Text on the line.
    public var label: String

    /// The line at this value.
    public init(value: Double, label: String) {
      self.value = value
      self.label = label
    }
  }

  /// Heading above the picture.
  public var title: String
  /// Label of the x axis, with its unit.
  public var xLabel: String
  /// Label of the y axis, with its unit.
  public var yLabel: String
  /// Curves, in the order of the legend.
  public var series: [Series]
  /// Lines for comparison.
  public var references: [Reference]
  /// The format of values on the y axis.
  public var yFormat: ValueFormat
  /// Size in pixels, at least 240×160.
  public var width: Double
  /// Height in pixels.
  public var height: Double

  /// The plot of these curves.
  public init(
    title: String, xLabel: String, yLabel: String, series: [Series], references: [Reference] = [],
    yFormat: ValueFormat = .number, width: Double = 720, height: Double = 360
  ) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.series = series
    self.references = references
    self.yFormat = yFormat
    self.width = max(240, width)
    self.height = max(160, height)
  }

  /// The SVG element, with its own style sheet unless the surrounding page has the style of `HTMLReport`.
  public func svg(includingStyle: Bool = true) -> String {
    let finite = series.flatMap(\.points).filter { isDrawable($0.x, $0.y) }
    let references = references.filter { isDrawable($0.value, 0) }
    let isShare = yFormat == .percent
    let frame = PlotFrame(
      width: width, height: height, labels: PlotFrame.Labels(title: title, x: xLabel, y: yLabel),
      legend: series.count > 1 ? series.indices.map(legendEntry) : [],
      x: Axis(finite.map(\.x), ticks: width < 500 ? 5 : 8, format: .number, extends: false, integers: true),
      y: Axis(
        finite.map(\.y) + references.map(\.value), ticks: 5, format: yFormat, limits: isShare ? 0...1 : nil))
    guard !finite.isEmpty else { return frame.svg(marks: frame.emptyNote, includingStyle: includingStyle) }

    var marks = ""
    for (index, curve) in series.enumerated() { marks += draw(curve, index: index, frame: frame) }
    for reference in references {
      let position = frame.y.position(reference.value)
      marks += svgLine(frame.left, position, frame.right, position, class: "guide")
      marks += svgText(
        reference.label, x: frame.right - 4,
        y: labelHeight(over: position, frame: frame, label: reference.label),
        class: "soft halo", anchor: "end")
    }
    for (index, curve) in series.enumerated() { marks += hoverTargets(curve, index: index, frame: frame) }
    return frame.svg(marks: marks, includingStyle: includingStyle)
  }

  private func legendEntry(_ index: Int) -> PlotFrame.LegendEntry {
    PlotFrame.LegendEntry(text: series[index].name) { left, centre in
      "<line x1=\"\(coordinate(left))\" x2=\"\(coordinate(left + 18))\" y1=\"\(coordinate(centre))\" "
        + "y2=\"\(coordinate(centre))\" class=\"line\" style=\"\(stroke(index))\"/>\n"
    }
  }

  private func stroke(_ index: Int) -> String {
    "stroke:\(PlotTheme.colour(index))" + (index < PlotTheme.colours ? "" : ";stroke-dasharray:6 4")
  }

  private func draw(_ curve: Series, index: Int, frame: PlotFrame) -> String {
    var path = ""
    var isFirst = true
    for point in thinned(curve.points, frame: frame) {
      guard isDrawable(point.x, point.y) else {
        isFirst = true
        continue
      }
      path +=
        (isFirst ? "M" : "L") + coordinate(frame.x.position(point.x)) + " "
        + coordinate(frame.y.position(point.y))
      isFirst = false
    }
    return "<path class=\"line\" style=\"\(stroke(index))\" d=\"\(path)\"/>\n"
  }

  /// At most four points per column of pixels (first, lowest, highest and last), so that no peak is lost.
  private func thinned(_ points: [PlotPoint], frame: PlotFrame) -> [PlotPoint] {
    let columns = Int(frame.right - frame.left)
    guard points.count > 4 * columns else { return points }
    var result: [PlotPoint] = []
    var start = 0
    while start < points.count {
      let column = pixelColumn(points[start], frame)
      var end = start + 1
      while end < points.count, pixelColumn(points[end], frame) == column { end += 1 }
      let range = start..<end
      let lowest = range.min { points[$0].y < points[$1].y } ?? start
      let highest = range.max { points[$0].y < points[$1].y } ?? start
      for place in Set([start, lowest, highest, end - 1]).sorted() { result.append(points[place]) }
      start = end
    }
    return result
  }

  private func pixelColumn(_ point: PlotPoint, _ frame: PlotFrame) -> Int? {
    guard isDrawable(point.x, point.y) else { return nil }
    return Int(frame.x.position(point.x))
  }

  /// Invisible circles with titles on at most 60 points, including the last one; dots where points are few.
  private func hoverTargets(_ curve: Series, index: Int, frame: PlotFrame) -> String {
    let points = curve.points.filter { isDrawable($0.x, $0.y) }
    guard let last = points.last else { return "" }
    let skip = max(1, (points.count + 59) / 60)
    var chosen = stride(from: 0, to: points.count, by: skip).map { points[$0] }
    if chosen.last != last { chosen.append(last) }
    let showsDots = points.count <= 30
    return chosen.map { point in
      let place =
        "cx=\"\(coordinate(frame.x.position(point.x)))\" cy=\"\(coordinate(frame.y.position(point.y)))\""
      let dot = showsDots ? "<circle \(place) r=\"2.5\" style=\"fill:\(PlotTheme.colour(index))\"/>\n" : ""
      let title =
        "\(curve.name): \(yFormat.detail(point.y)) at \(xLabel) "
        + ValueFormat.number.text(point.x, decimals: point.x == point.x.rounded() ? 0 : 2)
      return dot + svgTitled("<circle \(place) r=\"7\" class=\"hover\"", title: title)
    }.joined()
  }

  /// The height above the line, or below it where the ends of the curves are nearer to the upper side.
  private func labelHeight(over position: Double, frame: PlotFrame, label: String) -> Double {
    let begin = frame.right - 4 - estimatedWidth(label)
    let near = series.flatMap(\.points).filter {
      isDrawable($0.x, $0.y) && frame.x.position($0.x) >= begin
    }.map { frame.y.position($0.y) }
    let above = near.filter { (position - 20...position).contains($0) }.count
    let below = near.filter { (position...position + 20).contains($0) }.count
    let fitsAbove = position - 16 > frame.top
    let fitsBelow = position + 16 < frame.bottom
    return fitsAbove && (above <= below || !fitsBelow) ? position - 6 : position + 15
  }
}
