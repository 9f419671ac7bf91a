import Foundation
import Quasar
import QuasarConsole

/// One figure of a bench.
struct BenchRecord {
  var bench: String
  var name: String
  var shape: String
  var timing: Timing
  /// The rate at the median.
  var value: Double
  var unit: String
  /// What `value` (or `compared`) is a fraction of, measured in this run; 0 where there is no such thing.
  var peak = 0.0
  /// The rate in the unit of the peak, where that is not the unit of the value.
  var compared: Double?
  var peakUnit = "GOP/s"
  /// Operations of one call, where they are compared with the peak.
  var operations: Double?
  /// Further entries of the JSON object.
  var extra: [String: Any] = [:]

  var fraction: Double { peak > 0 ? (compared ?? value) / peak : 0 }

  /// The same fraction against the short loop beside each measurement, whatever the speed of the machine was then.
  var adjacentFraction: Double? { operations.map { timing.adjacentFraction(operations: $0) } }

  var object: [String: Any] {
    var object: [String: Any] = [
      "schema": 1, "bench": bench, "name": name, "shape": shape, "threads": Machine.threads,
      "isa": Machine.currentName, "median_s": timing.median, "min_s": timing.least, "max_s": timing.most,
      "value": value, "unit": unit, "rounds": timing.samples.count, "noisy_rounds": timing.noisy,
      "approximate": timing.isApproximate,
    ]
    if peak > 0 {
      object["peak_fraction"] = fraction
      object["peak"] = peak
      object["peak_unit"] = peakUnit
    }
    object["adjacent_fraction"] = adjacentFraction
    return object.merging(extra) { $1 }
  }

  /// "~" in front of a figure that noise may have changed.
  var mark: String { timing.isApproximate ? "~" : "" }
  var rateText: String { mark + Workflow.fixed(value, value < 100 ? 1 : 0) }
  /// Empty where there is no peak to compare with.
  var percentText: String { peak > 0 ? BenchRecord.percent(fraction) : "" }
  var timeText: String { mark + BenchRecord.time(timing.median) }
  var spanText: String { "\(BenchRecord.time(timing.least))…\(BenchRecord.time(timing.most))" }

  static func percent(_ fraction: Double) -> String { Workflow.fixed(100 * fraction, 0) + " %" }

  /// Microseconds below 1 ms, milliseconds from there on.
  static func time(_ seconds: Double) -> String {
    seconds < 1e-3 ? "\(Workflow.fixed(seconds * 1e6, 1)) µs" : "\(Workflow.fixed(seconds * 1e3, 2)) ms"
  }

  /// How many measurements were disturbed.
  static func noise(_ records: [BenchRecord]) -> String {
    let all = records.reduce(0) { $0 + $1.timing.samples.count }
    let noisy = records.reduce(0) { $0 + $1.timing.noisy }
    let marked = records.filter(\.timing.isApproximate).count
    return "\(noisy) of \(all) measurements were noisy"
      + (marked > 0 ? "; ~ marks \(marked) figure(s) with fewer than 3 clean ones" : "")
  }

  /// The machine, for a heading.
  static var machine: String { "\(Machine.currentName), \(Machine.threads) thread(s)" }

  /// The table of most benches: one row for each record.
  static func table(_ records: [BenchRecord]) -> String {
    Console.table(
      ["name", "shape", "median", "min…max", "rate", "of peak", "of peak beside"],
      records.map {
        [
          $0.name, $0.shape, $0.timeText, $0.spanText, "\($0.rateText) \($0.unit)", $0.percentText,
          $0.adjacentFraction.map(BenchRecord.percent) ?? "",
        ]
      })
  }

  static func geometricMean(_ values: [Double]) -> Double {
    exp(values.reduce(0) { $0 + log($1) } / Double(max(1, values.count)))
  }
}

/// Least fractions of the peak by name, or by name/shape, from a JSON file.
struct BenchLimits {
  let path: String
  let limits: [String: Double]

  init(contentsOf path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw QuasarError(.missing, "\(path): no such file of limits")
    }
    guard let limits = try? JSONDecoder().decode([String: Double].self, from: data) else {
      throw QuasarError(.badData, "\(path): expected a JSON object of numbers, {\"NAME\": LEAST, …}")
    }
    self.path = path
    self.limits = limits
  }

  func check(_ records: [BenchRecord]) throws {
    let named = records.map { ($0, limits["\($0.name)/\($0.shape)"] ?? limits[$0.name]) }
    guard named.contains(where: { $0.1 != nil }) else {
      throw QuasarError(
        .badData, "\(path): names none of the results (\(records.map(\.name).prefix(3).joined(separator: ", ")), …)")
    }
    for case (let record, let least?) in named where record.fraction < least {
      throw QuasarError(
        .infeasible,
        "\(record.name)/\(record.shape): \(Workflow.fixed(record.fraction, 3)) of the peak is below \(least) in \(path)"
      )
    }
  }
}
