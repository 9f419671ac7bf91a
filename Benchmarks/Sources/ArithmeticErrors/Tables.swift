import Foundation
import Quasar

/// Text and JSON of the errors in trained networks.
struct Tables {
  let errors: [LayerErrors]

  /// One row per unit and width: all layers together, the worst layer, and the layer farthest above its rounding error.
  private struct Row {
    var unit: LayerErrors.Unit
    var bits: Int
    var all: ErrorSums
    var worst: LayerErrors
    var farthest: LayerErrors
  }

  private var rows: [Row] {
    LayerErrors.Unit.allCases.flatMap { unit in
      [8, 6, 4].compactMap { bits in
        let group = errors.filter { $0.unit == unit && $0.activationBits == bits }
        guard let worst = group.max(by: { $0.sums.total < $1.sums.total }),
          let farthest = group.max(by: { $0.sums.excess < $1.sums.excess })
        else { return nil }
        var all = ErrorSums()
        for entry in group { all.add(entry.sums) }
        return Row(unit: unit, bits: bits, all: all, worst: worst, farthest: farthest)
      }
    }
  }

  private static func percent(_ value: Double, _ decimals: Int = 3) -> String {
    Workflow.fixed(100 * value, decimals) + " %"
  }

  /// A Markdown table.
  var text: String {
    var lines = [
      "| unit | A | values | rms error | rounding alone | largest, codes | not the nearest | saturated | "
        + "worst layer | farthest above rounding |",
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows {
      func layer(_ entry: LayerErrors) -> String { "\(entry.model) \(entry.layer)" }
      let cells = [
        row.unit.rawValue, "\(row.bits)", "\(row.all.count)", Tables.percent(row.all.total),
        Tables.percent(row.all.floor), Workflow.fixed(row.all.largest, 3),
        Tables.percent(row.all.differentShare, 2), Tables.percent(row.all.saturatedShare, 2),
        "\(Tables.percent(row.worst.sums.total)): \(layer(row.worst))",
        "\(Workflow.fixed(row.farthest.sums.excess, 3)) times: \(layer(row.farthest))",
      ]
      lines.append("| " + cells.joined(separator: " | ") + " |")
    }
    return lines.joined(separator: "\n")
  }

  private static func object(_ sums: ErrorSums) -> [String: Any] {
    [
      "values": sums.count, "relativeError": sums.total, "relativeRounding": sums.floor,
      "rmsCodes": sums.codes, "largestCodes": sums.largest, "notNearest": sums.differentShare,
      "saturated": sums.saturatedShare,
    ]
  }

  /// {"schema": 1, "units": […], "layers": […]}
  func json(images: Int) throws -> String {
    let units = rows.map { row in
      Tables.object(row.all).merging([
        "unit": row.unit.rawValue, "activationBits": row.bits,
        "worstLayer": "\(row.worst.model) \(row.worst.layer)", "worstRelativeError": row.worst.sums.total,
      ]) { $1 }
    }
    let layers = errors.map { entry -> [String: Any] in
      var object = Tables.object(entry.sums)
      object["unit"] = entry.unit.rawValue
      object["activationBits"] = entry.activationBits
      object["model"] = entry.model
      object["layer"] = entry.layer
      object["inputStep"] = entry.steps?.input
      object["outputStep"] = entry.steps?.output
      return object
    }
    let data = try JSONSerialization.data(
      withJSONObject: ["schema": 1, "images": images, "units": units, "layers": layers],
      options: [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes])
    return String(decoding: data, as: UTF8.self)
  }
}
