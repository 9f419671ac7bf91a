import Foundation
import QuasarSupernet
import QuasarTensor

/// One line of a run's `log.jsonl`.
public struct LogEntry: Codable, Sendable {
  public enum Event: String, Codable, Sendable {
    /// Means over the steps since the last training line.
    case training
    /// Accuracy of one sub-network on held-out training images.
    case evaluation
  }
  public var event: Event
  public var step: Int
  public var epoch: Int
  public var mode: ForwardMode
  public var loss: Double?
  public var learningRate: Double?
  public var imagesPerSecond: Double?
  /// Shares of the quantised weights at this step; nil where they are not followed.
  public var oscillating: Double?
  public var frozen: Double?
  /// "largest", "smallest", "random-1" and so on, or "network".
  public var subnet: String?
  public var accuracy: Double?
}

/// Appends entries to a file of JSON lines and reads them back.
public struct TrainingLog {
  public let path: String

  public init(path: String) {
    self.path = path
  }

  /// All entries; a torn last line (from a killed process) is dropped.
  public func read() -> [LogEntry] {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return [] }
    let decoder = JSONDecoder()
    return text.split(separator: "\n").compactMap { try? decoder.decode(LogEntry.self, from: Data($0.utf8)) }
  }

  /// Keeps the entries before a step and makes room for new ones.
  func restart(before step: Int) throws {
    let kept = read().filter { $0.step < step }
    try write(try kept.map(line).joined())
  }

  func append(_ entry: LogEntry) throws {
    try Data(line(entry).utf8).append(to: path, what: "training log")
  }

  private func line(_ entry: LogEntry) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return String(decoding: try encoder.encode(entry), as: UTF8.self) + "\n"
  }

  private func write(_ text: String) throws {
    do {
      try text.write(toFile: path, atomically: true, encoding: .utf8)
    } catch {
      throw QuasarError(.cannotWrite, "\(path): cannot be written (\(error.localizedDescription))")
    }
  }
}
