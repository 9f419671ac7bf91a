/// One self-contained HTML page of tables and line plots: no script, nothing fetched from elsewhere.
///
/// It looks and escapes like `HTMLReport`. Equal contents give equal bytes.
public struct TablePage: Sendable {
  /// A table whose first column is text and whose others are numbers.
  public struct Table: Sendable {
    public var header: [String]
    public var rows: [[String]]

    public init(header: [String], rows: [[String]]) {
      self.header = header
      self.rows = rows
    }
  }

  /// A heading with the content below it.
  public struct Section: Sendable {
    public var heading: String
    /// Sentences above the table.
    public var note: String
    public var table: Table?
    /// Plots, one below the other.
    public var plots: [LinePlot]

    public init(heading: String, note: String = "", table: Table? = nil, plots: [LinePlot] = []) {
      self.heading = heading
      self.note = note
      self.table = table
      self.plots = plots
    }
  }

  public var title: String
  /// The main result in a sentence or two.
  public var lead: String
  public var sections: [Section]

  public init(title: String, lead: String, sections: [Section]) {
    self.title = title
    self.lead = lead
    self.sections = sections
  }

  /// The whole page.
  public func html() -> String {
    htmlPage(title: title, lead: escaped(lead), body: sections.map(section).joined(separator: "\n"))
  }

  /// Width of a plot that takes the whole column.
  public static let plotWidth = HTMLReport.plotWidth

  private func section(_ section: Section) -> String {
    let note = section.note.isEmpty ? "" : "<p class=\"note\">\(escaped(section.note))</p>\n"
    let plots = section.plots.map { "<figure>\n\($0.svg(includingStyle: false))</figure>\n" }.joined()
    return "<section>\n<h2>\(escaped(section.heading))</h2>\n\(note)\(section.table.map(table) ?? "")\(plots)</section>"
  }

  private func table(_ table: Table) -> String {
    let header = table.header.enumerated().map { column, text in
      "<th\(column == 0 ? " class=\"text\"" : "")>\(escaped(text))</th>"
    }.joined()
    let rows = table.rows.map { row in
      "<tr>"
        + row.enumerated().map { column, text in
          column == 0 ? "<th>\(escaped(text))</th>" : "<td>\(escaped(text))</td>"
        }.joined() + "</tr>"
    }.joined(separator: "\n")
    return """
      <div class="scroll"><table>
      <thead><tr>\(header)</tr></thead>
      <tbody>
      \(rows)
      </tbody>
      </table></div>

      """
  }
}
