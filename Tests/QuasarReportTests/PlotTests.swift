import Testing

@testable import QuasarReport

@Suite struct PlotTests {
  /// Expects every circle and diamond inside the axes; the plot area is where grid lines end.
  func expectMarksInside(_ picture: PictureReader, at location: SourceLocation = #_sourceLocation) throws {
    let axis = try #require(picture.all("line", class: "axis").first { $0.number("y1") == $0.number("y2") })
    for circle in picture.all("circle") where circle.number("r") <= 3 {
      #expect((axis.number("x1")...axis.number("x2")).contains(circle.number("cx")), sourceLocation: location)
      #expect(circle.number("cy") + circle.number("r") <= axis.number("y1"), sourceLocation: location)
      #expect(circle.number("cy") > 30, sourceLocation: location)
    }
  }

  @Test func linesWithEveryEdgeInside() throws {
    let plot = LinePlot(
      title: "Loss & more", xLabel: "step", yLabel: "loss",
      series: [
        LinePlot.Series(name: "a<b", points: (0...9).map { PlotPoint(x: Double($0), y: Double($0 * $0)) }),
        LinePlot.Series(name: "second", points: (0...9).map { PlotPoint(x: Double($0), y: 81 - Double($0)) }),
      ], references: [LinePlot.Reference(value: 40, label: "baseline")])
    let picture = PictureReader(plot.svg())
    #expect(picture.isWellFormed)
    #expect(picture.overlappingTexts == [])
    #expect(picture.all("path", class: "line").count == 2 && picture.all("style").count == 1)
    #expect(picture.all("title").first?.text == "a<b: 0.000 at step 0")
    try expectMarksInside(picture)
    #expect(PictureReader(plot.svg(includingStyle: false)).all("style").isEmpty)
  }

  @Test func hoverTitlesKeepFractionsOfX() {
    let points = [PlotPoint(x: 3, y: 1), PlotPoint(x: 3.5, y: 2)]
    let svg = LinePlot(
      title: "t", xLabel: "log2 n", yLabel: "y", series: [LinePlot.Series(name: "s", points: points)]
    ).svg()
    #expect(PictureReader(svg).all("title").map(\.text) == ["s: 1.000 at log2 n 3", "s: 2.000 at log2 n 3.50"])
  }

  @Test func longCurvesAreThinnedWithoutLosingPeaks() throws {
    var points = (0..<200_000).map { PlotPoint(x: Double($0), y: 1) }
    points[77_777].y = 50
    let svg = LinePlot(
      title: "t", xLabel: "x", yLabel: "y", series: [LinePlot.Series(name: "s", points: points)]
    ).svg()
    #expect(svg.utf8.count < 80_000)
    let path = try #require(PictureReader(svg).all("path", class: "line").first?.attributes["d"])
    let heights = path.split(whereSeparator: { "ML".contains($0) }).compactMap {
      $0.split(separator: " ").last.flatMap { Double($0) }
    }
    #expect((heights.max() ?? 0) - (heights.min() ?? 0) > 200)
  }

  @Test(arguments: [.nan, .infinity, -.infinity, 1e308, 0, -5] as [Double])
  func strangeValuesAreSafe(value: Double) {
    let points = [PlotPoint(x: value, y: 1), PlotPoint(x: 1, y: value), PlotPoint(x: value, y: value)]
    let line = LinePlot(
      title: "t", xLabel: "x", yLabel: "y", series: [LinePlot.Series(name: "s", points: points)],
      references: [LinePlot.Reference(value: value, label: "r")], yFormat: .percent)
    let scatter = ScatterPlot(
      title: "t", xLabel: "x", yLabel: "y",
      series: [ScatterPlot.Series(name: "s", points: points.map { ScatterPlot.Point(x: $0.x, y: $0.y) })],
      guides: [ScatterPlot.Guide(x: value, label: "g")],
      marks: [ScatterPlot.Mark(x: value, y: value, label: "m")])
    let bars = BarChart(
      title: "t", rows: [BarChart.Row(label: "r")],
      panels: [
        BarChart.Panel(
          title: "p", series: [BarChart.Series(name: "s", values: [value, 3])], arrangement: .stacked)
      ])
    for svg in [line.svg(), scatter.svg(), bars.svg()] {
      #expect(PictureReader(svg).isWellFormed)
      #expect(!svg.contains("nan") && !svg.contains("inf\"") && !svg.contains("e+"))
    }
  }

  @Test func emptyPlotsSaySo() {
    let line = LinePlot(title: "t", xLabel: "x", yLabel: "y", series: []).svg()
    let scatter = ScatterPlot(title: "t", xLabel: "x", yLabel: "y", series: []).svg()
    #expect(line.contains("no values were recorded") && scatter.contains("no values were recorded"))
    #expect(PictureReader(BarChart(title: "t", rows: [], panels: []).svg()).isWellFormed)
  }

  @Test func frontAgreesWithItsDefinition() {
    var noise = SampleReport.Noise(state: 99)
    for _ in 0..<200 {
      // Coarse values, so that ties and doubles are frequent.
      let points = (0..<30).map { _ in
        PlotPoint(x: (noise.next() * 5).rounded(), y: (noise.next() * 5).rounded())
      }
      let expected = Set(points).filter { point in
        !points.contains { $0 != point && $0.x >= point.x && $0.y >= point.y }
      }
      #expect(ScatterPlot.front(of: points) == expected.sorted { $0.x < $1.x })
    }
  }

  @Test func crowdedGuidesAndMarksDoNotOverlap() throws {
    let places = [(100.0, 0.9), (101, 0.8999), (102, 0.8), (100.5, 0.8999), (400, 0.4)]
    var plot = ScatterPlot(
      title: "Crowded", xLabel: "FPS", yLabel: "accuracy",
      series: [
        ScatterPlot.Series(
          name: "one", points: places.map { ScatterPlot.Point(x: $0.0, y: $0.1, title: "<p>") })
      ], guides: places.map { ScatterPlot.Guide(x: $0.0, label: "target \(Int($0.0)) FPS") },
      marks: places.map { ScatterPlot.Mark(x: $0.0, y: $0.1, label: "network at \($0.0)") })
    plot.yFormat = .percent
    let picture = PictureReader(plot.svg())
    #expect(picture.isWellFormed)
    #expect(picture.overlappingTexts == [])
    try expectMarksInside(picture)
    for box in picture.textBoxes { #expect(box.left >= -2 && box.right <= 722 && box.bottom <= 360) }
    #expect(picture.all("title").contains { $0.text == "<p>" })
  }

  @Test func barsHaveTheirLengths() throws {
    let chart = BarChart(
      title: "Cycles", rows: [BarChart.Row(group: "g", label: "a"), BarChart.Row(group: "g", label: "b")],
      panels: [
        BarChart.Panel(
          title: "stacked",
          series: [
            BarChart.Series(name: "one", values: [0.25, nil]),
            BarChart.Series(name: "two", values: [0.75, 0.5]),
          ],
          arrangement: .stacked, format: .percent, maximum: 1),
        BarChart.Panel(
          title: "grouped", series: [BarChart.Series(name: "three", values: [1000, 2500], colour: 2)],
          arrangement: .grouped, format: .short, notes: ["1,000", "2,500"]),
      ])
    let picture = PictureReader(chart.svg(includingStyle: false))
    #expect(picture.isWellFormed)
    #expect(picture.overlappingTexts == [])
    let bars = picture.all("rect").filter { $0.number("height") != 12 || $0.number("width") != 12 }
    let legend = 3
    #expect(picture.all("rect").count == legend + 5)
    let stacked = bars.filter { ($0.attributes["style"] ?? "").contains("--q1") }.map { $0.number("width") }
      .sorted()
    #expect(abs(stacked[0] * 3 - stacked[2]) < 0.5 && abs(stacked[1] * 1.5 - stacked[2]) < 0.5)
    #expect(picture.all("title").map(\.text).contains("g b, three: 2,500"))
  }
}
