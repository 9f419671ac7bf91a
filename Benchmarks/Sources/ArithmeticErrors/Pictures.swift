import Foundation
import Quasar

/// The error plots; each shows 8-bit and 6-bit activations in one picture.
enum Pictures {
  /// File names and SVG texts.
  static func all(note: (String) -> Void) throws -> [(file: String, svg: String)] {
    note("softmax")
    var pictures = [("error-softmax.svg", try softmax())]
    note("attention")
    pictures += [
      ("error-attention-tokens.svg", try attentionTokens()),
      ("error-attention-spread.svg", try attentionSpread()),
      ("error-attention-normalised.svg", try attentionNormalised()),
    ]
    note("GELU")
    pictures.append(("error-gelu.svg", gelu()))
    note("LayerNorm")
    pictures += [
      ("error-layernorm-deviation.svg", try layerNormDeviation()),
      ("error-layernorm-width.svg", try layerNormWidth()),
    ]
    return pictures
  }

  private static let widths = [6, 8]

  private static func softmax() throws -> String {
    LinePlot(
      title: "Softmax probability code: largest error over the score distance",
      xLabel: "distance of the score from the row's maximum, octaves (factors of 2)",
      yLabel: "|code − (2^A − 1)·2^−z|, largest of each 1/16 octave",
      series: try widths.map { .init(name: "A = \($0)", points: try Sweeps.probability(bits: $0)) },
      references: [.init(value: 0.5, label: "rounding alone")]
    ).svg()
  }

  /// One value of the errors, with its name in the legend.
  private typealias Measure = (name: String, value: @Sendable (Sweeps.AttentionErrors) -> Double)

  /// Curves of these measures for both widths.
  private static func attention(
    title: String, xLabel: String, measures: [Measure], _ points: [(x: Double, tokens: Int, spread: Double)]
  ) throws -> String {
    var series: [LinePlot.Series] = []
    for bits in widths {
      let errors = try points.map { try Sweeps.attention(bits: bits, tokens: $0.tokens, spread: $0.spread) }
      for measure in measures {
        let values = zip(points, errors).map { PlotPoint(x: $0.x, y: measure.value($1)) }
        series.append(.init(name: "A = \(bits): \(measure.name)", points: values))
      }
    }
    return LinePlot(
      title: title, xLabel: xLabel, yLabel: "relative rms error of the output codes", series: series,
      yFormat: .percent
    ).svg()
  }

  private static let unit: Measure = ("the unit", { $0.unit })
  private static let rounding: Measure = ("rounding alone", { $0.rounding })
  private static let normalisedFirst: Measure = ("normalised before rounding", { $0.normalisedFirst })

  /// 1…1024 tokens in half octaves, scores with standard deviation 1.
  private static var tokenCounts: [(x: Double, tokens: Int, spread: Double)] {
    // √2 rounds to 1, which is already there.
    (0...20).filter { $0 != 1 }.map { step in
      let tokens = Int(exp2(Double(step) / 2).rounded())
      return (log2(Double(tokens)), tokens, 1)
    }
  }

  private static func attentionTokens() throws -> String {
    try attention(
      title: "Attention: error over the number of tokens", xLabel: "log2 of the number of tokens",
      measures: [unit, rounding], tokenCounts)
  }

  private static func attentionSpread() throws -> String {
    try attention(
      title: "Attention: error over the spread of the scores, 197 tokens",
      xLabel: "log2 of the deviation of the scores (natural logarithm)", measures: [unit, rounding],
      (-8...8).map { (Double($0) / 2, 197, exp2(Double($0) / 2)) })
  }

  private static func attentionNormalised() throws -> String {
    try attention(
      title: "Attention: probabilities rounded before and after they are normalised",
      xLabel: "log2 of the number of tokens", measures: [unit, normalisedFirst], tokenCounts)
  }

  private static func gelu() -> String {
    LinePlot(
      title: "GELU table: error over the input code",
      xLabel: "input code, step 4/127", yLabel: "dequantised entry − gelu",
      series: widths.map { .init(name: "A = \($0)", points: Sweeps.gelu(bits: $0)) }
    ).svg()
  }

  /// Curves of unit and rounding floor for both widths.
  private static func layerNorm(
    title: String, xLabel: String, _ points: [(x: Double, width: Int, deviation: Double)]
  ) throws -> String {
    var series: [LinePlot.Series] = []
    for bits in widths {
      let sums = try points.map { try Sweeps.layerNorm(bits: bits, width: $0.width, deviation: $0.deviation) }
      func curve(_ name: String, _ value: (ErrorSums) -> Double) {
        let values = zip(points, sums).map { PlotPoint(x: $0.x, y: value($1)) }
        series.append(.init(name: "A = \(bits): \(name)", points: values))
      }
      curve("the unit", \.total)
      curve("rounding alone", \.floor)
    }
    return LinePlot(
      title: title, xLabel: xLabel, yLabel: "relative rms error of the output codes", series: series,
      yFormat: .percent
    ).svg()
  }

  private static func layerNormDeviation() throws -> String {
    // 0.3…10,000 codes in half octaves.
    let exponents = stride(from: log2(0.3), through: log2(10_000), by: 0.5).map { $0 } + [log2(10_000)]
    return try layerNorm(
      title: "LayerNorm: error over the deviation of its input, width 192",
      xLabel: "log2 of the input's deviation in residual codes", exponents.map { ($0, 192, exp2($0)) })
  }

  private static func layerNormWidth() throws -> String {
    try layerNorm(
      title: "LayerNorm: error over the width, input of deviation 16 codes", xLabel: "log2 of the width",
      (3...13).map { (Double($0), 1 << $0, 16) })
  }
}
