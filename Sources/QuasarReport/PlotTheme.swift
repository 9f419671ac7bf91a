/// Colours and fonts of all plots, as one style sheet with a light, a dark and a printed look.
enum PlotTheme {
  /// Number of colours for series; further series reuse them with dashed lines.
  static let colours = 6

  /// Colour of a series, as a CSS value.
  static func colour(_ series: Int) -> String { "var(--q\(series % colours + 1))" }

  /// Variables: q1…q6 series, ink text, soft secondary text, grid lines, paper background.
  ///
  /// The six hues keep their order of lightness, so that they differ in grey print and for colour-blind readers.
  static let variables = """
    --q1:#2563a8;--q2:#d2691e;--q3:#2e8b6f;--q4:#8a5aa8;--q5:#b8860b;--q6:#b23a48;
    --ink:#1d2126;--soft:#626a73;--grid:#e6e8eb;--axis:#a3aab2;--paper:#ffffff
    """

  static let darkVariables = """
    --q1:#6ca6e8;--q2:#f0955a;--q3:#5fc3a3;--q4:#b991d6;--q5:#dcb24a;--q6:#e57c88;
    --ink:#e8e6e1;--soft:#a0a6ad;--grid:#2d3238;--axis:#5d656e;--paper:#16191d
    """

  /// Rules for the parts of a plot.
  static let rules = """
    .plot text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
    font-size:12px;fill:var(--ink);font-variant-numeric:tabular-nums}
    .plot .title{font-size:14px;font-weight:600}
    .plot .soft{fill:var(--soft)}
    .plot .strong{font-weight:600}
    .plot .halo{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}
    .plot .grid{stroke:var(--grid);stroke-width:1}
    .plot .axis{stroke:var(--axis);stroke-width:1}
    .plot .guide{stroke:var(--soft);stroke-width:1;stroke-dasharray:4 3}
    .plot .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
    .plot .hover{fill:transparent}
    .plot .hover:hover{fill:var(--soft);fill-opacity:.35}
    """

  /// A style element for a stand-alone SVG file.
  static let standalone = """
    <style>.plot{\(variables)}
    @media screen and (prefers-color-scheme:dark){.plot{\(darkVariables)}}
    \(rules)</style>
    """
}
