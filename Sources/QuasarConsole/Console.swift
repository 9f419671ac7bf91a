import Foundation
import Quasar
import Synchronization

/// Standard error for people, standard output for results.
package enum Console {
  package static func error(_ message: String) {
    note("error: \(message)")
  }

  package static func note(_ message: String) {
    FileHandle.standardError.write(Data((message + "\n").utf8))
  }

  package static func raw(_ text: String) {
    FileHandle.standardError.write(Data(text.utf8))
  }

  /// Prints a value as JSON with `"schema": 1` on standard output.
  package static func json(_ object: [String: Any]) throws {
    var object = object
    object["schema"] = 1
    try jsonValue(object)
  }

  /// Prints any JSON value on standard output.
  package static func jsonValue(_ value: Any) throws {
    let data = try JSONSerialization.data(
      withJSONObject: value, options: [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes])
    print(String(decoding: data, as: UTF8.self))
  }

  /// An encodable value as a JSON object.
  package static func object(_ value: some Encodable) throws -> Any {
    try JSONSerialization.jsonObject(with: JSONEncoder().encode(value))
  }

  /// A table with aligned columns; the first column to the left, the others to the right.
  package static func table(_ header: [String], _ rows: [[String]]) -> String {
    let widths = header.indices.map { column in
      ([header] + rows).map { $0[column].count }.max() ?? 0
    }
    func line(_ cells: [String]) -> String {
      cells.enumerated().map { column, cell in
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + padding : padding + cell
      }.joined(separator: "  ")
    }
    let rule = widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")
    return ([line(header), rule] + rows.map(line)).joined(separator: "\n")
  }
}

/// Turns Ctrl-C into a request to stop at the next step; so do SIGTERM and SIGUSR1, which launchers and queues send.
package enum Interruption {
  private static let requested = Atomic<Bool>(false)

  package static func watch() {
    signal(SIGINT) { _ in Interruption.requested.store(true, ordering: .relaxed) }
    signal(SIGUSR1) { _ in Interruption.requested.store(true, ordering: .relaxed) }
    signal(SIGTERM) { _ in Interruption.requested.store(true, ordering: .relaxed) }
  }

  package static var isRequested: Bool { requested.load(ordering: .relaxed) }
}

/// A bar with rate and time left on a terminal, plain lines elsewhere; both on standard error.
package final class ConsoleProgress: ProgressReporter {
  private let isTerminal = isatty(2) == 1
  private let clock = ContinuousClock()
  private var start: ContinuousClock.Instant
  private var lastShown: ContinuousClock.Instant
  private var step = ""

  package init() {
    start = clock.now
    lastShown = clock.now
    Interruption.watch()
  }

  package var shouldStop: Bool { Interruption.isRequested }

  package func begin(_ step: String) {
    self.step = step
    start = clock.now
    lastShown = start
    if !isTerminal { Console.note("\(step) …") }
  }

  package func update(done: Int, total: Int, note: String) {
    let now = clock.now
    guard lastShown.duration(to: now).seconds >= (isTerminal ? 0.1 : 10) else { return }
    lastShown = now
    let elapsed = start.duration(to: now).seconds
    let left = elapsed / Double(max(1, done)) * Double(max(0, total - done))
    let percent = min(100, 100 * done / max(1, total))
    let text = "\(step)  \(done)/\(total)  \(note)  \(ConsoleProgress.time(left)) left"
    if isTerminal {
      let filled = percent / 5
      let bar = String(repeating: "█", count: filled) + String(repeating: "·", count: 20 - filled)
      Console.raw("\r\u{1B}[2K\(bar) \(text)")
    } else {
      Console.note("  \(percent) %  \(text)")
    }
  }

  /// Takes the bar off a terminal.
  package func clear() {
    if isTerminal { Console.raw("\r\u{1B}[2K") }
  }

  package func end(_ step: String, seconds: Double, result: String) {
    let line = "\(step): \(result) (\(ConsoleProgress.time(seconds)))"
    clear()
    Console.note(line)
  }

  package static func time(_ seconds: Double) -> String {
    if seconds < 10 { return String(format: "%.1f s", seconds) }
    let whole = Int(seconds.rounded())
    return whole < 60 ? "\(whole) s" : "\(whole / 60) min \(whole % 60) s"
  }
}
