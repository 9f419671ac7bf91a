import Foundation

/// The text with the five special characters of HTML and SVG escaped.
///
/// Control characters that XML forbids are dropped. Example: `<b> & "c"` → `&lt;b&gt; &amp; &quot;c&quot;`.
func escaped(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    case "\t", "\n", "\r": result += " "
    case _ where scalar.value < 0x20 || scalar.value == 0x7f: break
    case _ where scalar.value & 0xfffe == 0xfffe: break
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// A coordinate with at most one decimal: 12 → "12", 12.34 → "12.3".
func coordinate(_ value: Double) -> String {
  let text = String(format: "%.1f", value)
  return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}

/// An upper bound of a text's width in pixels in common sans-serif fonts: 0.6 of its size per character.
func estimatedWidth(_ text: String, size: Double = 12) -> Double {
  Double(text.count) * size * 0.6
}

/// The text cut to `limit` characters, with an ellipsis if anything was cut.
func shortened(_ text: String, to limit: Int) -> String {
  text.count <= limit ? text : text.prefix(limit - 1) + "…"
}

/// The format of numbers on axes, in hover titles and in tables.
public enum ValueFormat: Sendable, Hashable {
  /// 0.25 → "0.25", 12500 → "12,500".
  case number
  /// 0.25 → "25 %".
  case percent
  /// 12500 → "12.5 k", 3200000 → "3.2 M".
  case short

  /// The value with this many decimals; a missing or infinite value is a dash.
  func text(_ value: Double?, decimals: Int) -> String {
    guard let value, value.isFinite else { return "–" }
    switch self {
    case .number: return grouped(value, decimals: decimals)
    case .percent: return grouped(value * 100, decimals: decimals) + " %"
    case .short:
      let magnitude = abs(value)
      let (divisor, suffix) =
        magnitude >= 999_500_000
        ? (1e9, " G") : magnitude >= 999_500 ? (1e6, " M") : magnitude >= 1000 ? (1e3, " k") : (1, "")
      let scaled = value / divisor
      var text = String(
        format: abs(scaled) >= 100 || divisor == 1 && scaled == scaled.rounded() ? "%.0f" : "%.1f", scaled)
      if text.hasSuffix(".0") { text.removeLast(2) }
      return text.replacingOccurrences(of: "-", with: "−") + suffix
    }
  }

  /// The value with the precision of a hover title.
  func detail(_ value: Double) -> String {
    switch self {
    case .number: text(value, decimals: abs(value) >= 1000 ? 0 : abs(value) >= 10 ? 1 : 3)
    case .percent: text(value, decimals: 2)
    case .short: grouped(value, decimals: 0)
    }
  }
}

/// The number with thousands separated by commas and a true minus sign: −12,345.6.
func grouped(_ value: Double, decimals: Int = 0) -> String {
  guard value.isFinite else { return "–" }
  let text = String(format: "%.\(max(0, decimals))f", abs(value))
  let parts = text.split(separator: ".", maxSplits: 1)
  let digits = Array(parts[0])
  var whole = ""
  for (place, digit) in digits.enumerated() {
    if place > 0, (digits.count - place) % 3 == 0 { whole += "," }
    whole.append(digit)
  }
  let result = parts.count == 2 ? whole + "." + parts[1] : whole
  return value < 0 && result.contains(where: { ("1"..."9").contains($0) }) ? "−" + result : result
}

/// The number with thousands separated by commas.
func grouped(_ value: Int) -> String {
  let digits = Array(String(value.magnitude))
  var whole = ""
  for (place, digit) in digits.enumerated() {
    if place > 0, (digits.count - place) % 3 == 0 { whole += "," }
    whole.append(digit)
  }
  return value < 0 ? "−" + whole : whole
}
