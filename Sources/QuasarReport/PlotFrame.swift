/// One point of a plot, in the units of its axes.
public struct PlotPoint: Sendable, Hashable {
  /// Value on the x axis.
  public var x: Double
  /// Value on the y axis.
  public var y: Double

  /// The point (x, y).
  public init(x: Double, y: Double) {
    self.x = x
    self.y = y
  }
}

/// The parts that all plots share: the SVG element, title, legend, grid and axes.
struct PlotFrame {
  let width: Double
  let height: Double
  let x: Axis
  let y: Axis
  /// Edges of the plot area in pixels.
  let left: Double
  let right: Double
  let top: Double
  let bottom: Double
  private var header = ""
  private let xLabel: String

  /// One entry of the legend: a symbol of 18×12 pixels, drawn with its left edge and centre, and a text.
  struct LegendEntry {
    var text: String
    var symbol: (_ left: Double, _ centre: Double) -> String
  }

  /// The heading and the names of the axes.
  struct Labels {
    var title: String
    var x: String
    var y: String
  }

  /// Lays the plot out; `band` is free space between legend and plot area, for labels at the top.
  /// The outermost values stay 8 pixels away from the edges, so that their marks stay inside.
  init(
    width: Double, height: Double, labels: Labels, legend: [LegendEntry], x: Axis, y: Axis, band: Double = 0
  ) {
    self.width = width
    self.height = height
    xLabel = labels.x
    let inner = 8.0
    left = max(34, y.labelWidth + 12)
    right = width - 14
    bottom = height - 44
    var cursor = 18.0
    header += svgText(labels.title, x: 0, y: cursor - 3, class: "title")
    cursor += 18
    header += svgText(labels.y, x: 0, y: cursor - 4, class: "soft")
    if !legend.isEmpty {
      let (drawn, rows) = PlotFrame.drawLegend(legend, left: 0, width: width, top: cursor)
      header += drawn
      cursor += Double(rows) * 18 + 2
    }
    top = cursor + 6 + band
    self.x = x.placed(from: left + inner, to: right - inner)
    self.y = y.placed(from: bottom - inner, to: top + inner)
  }

  /// The whole SVG element around the drawn marks.
  func svg(marks: String, includingStyle: Bool) -> String {
    var body = header
    for tick in y.ticks {
      let position = y.position(tick)
      body += svgLine(left, position, right, position, class: "grid")
      body += svgText(y.label(tick), x: left - 7, y: position + 4, class: "soft", anchor: "end")
    }
    body += svgLine(left, bottom, right, bottom, class: "axis")
    var free = -Double.infinity
    for tick in x.ticks {
      let position = x.position(tick)
      let label = x.label(tick)
      let half = estimatedWidth(label) / 2
      body += svgLine(position, bottom, position, bottom + 4, class: "axis")
      guard position - half > free else { continue }
      let centre = min(position, width - half)
      body += svgText(label, x: centre, y: bottom + 17, class: "soft", anchor: "middle")
      free = position + half + 6
    }
    body += svgText(xLabel, x: right, y: height - 6, class: "soft", anchor: "end")
    body += marks
    return svgElement(width: width, height: height, includingStyle: includingStyle, body: body)
  }

  /// The note in the middle of a plot that has nothing to show.
  var emptyNote: String {
    svgText(
      "no values were recorded", x: (left + right) / 2, y: (top + bottom) / 2, class: "soft", anchor: "middle"
    )
  }

  /// The legend from left to right, in as many rows as it needs; its SVG text and the number of rows.
  static func drawLegend(
    _ entries: [LegendEntry], left: Double, width: Double, top: Double
  ) -> (svg: String, rows: Int) {
    var svg = ""
    var x = 0.0
    var row = 0
    for entry in entries {
      let text = shortened(entry.text, to: 48)
      let needed = 24 + estimatedWidth(text)
      if x > 0, x + needed > width {
        x = 0
        row += 1
      }
      let centre = top + Double(row) * 18 + 9
      svg += entry.symbol(left + x, centre) + svgText(text, x: left + x + 24, y: centre + 4)
      x += needed + 16
    }
    return (svg, row + 1)
  }
}

func svgElement(width: Double, height: Double, includingStyle: Bool, body: String) -> String {
  let size = "width=\"\(coordinate(width))\" height=\"\(coordinate(height))\""
  // A stand-alone picture gets a margin; on a page the surrounding text gives one.
  let (sideways, upright) = includingStyle ? (14.0, 10.0) : (0, 0)
  let view =
    "\(coordinate(-sideways)) \(coordinate(-upright)) \(coordinate(width + 2 * sideways)) "
    + coordinate(height + 2 * upright)
  let box = "viewBox=\"\(view)\""
  let paper =
    includingStyle
    ? PlotTheme.standalone + "<rect x=\"-20\" y=\"-20\" width=\"200%\" height=\"200%\" "
      + "style=\"fill:var(--paper)\"/>\n" : ""
  return
    "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" \(size) "
    + "\(box)>\n\(paper)\(body)</svg>\n"
}

func svgText(
  _ text: String, x: Double, y: Double, class name: String = "", anchor: String = "start"
) -> String {
  guard !text.isEmpty else { return "" }
  let style = name.isEmpty ? "" : " class=\"\(name)\""
  let place = anchor == "start" ? "" : " text-anchor=\"\(anchor)\""
  return "<text x=\"\(coordinate(x))\" y=\"\(coordinate(y))\"\(style)\(place)>\(escaped(text))</text>\n"
}

func svgLine(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, class name: String) -> String {
  "<line x1=\"\(coordinate(x1))\" y1=\"\(coordinate(y1))\" x2=\"\(coordinate(x2))\" y2=\"\(coordinate(y2))\" "
    + "class=\"\(name)\"/>\n"
}

/// A shape with a hover title; `shape` is an element without its closing slash: "<circle r=\"3\"".
func svgTitled(_ shape: String, title: String) -> String {
  title.isEmpty
    ? shape + "/>\n"
    : shape + "><title>\(escaped(title))</title></\(shape.dropFirst().prefix { $0 != " " })>\n"
}
