import Foundation
import QuasarInterchange
import QuasarTensor

/// The log of a run as the event file that TensorBoard reads.
///
/// Tags: train/loss, train/learning_rate, train/images_per_second, weights/oscillating, weights/frozen,
/// accuracy/largest, …/smallest, …/network. Only this file holds the wall time of an entry; log and checkpoint do not.
struct EventFile {
  /// TensorBoard reads every file with "tfevents" in its name; this name contains neither host nor time.
  static let name = "events.out.tfevents.quasar"

  let path: String
  /// Seconds since 1970.
  var now: () -> Double = { Date().timeIntervalSince1970 }

  init(path: String) {
    self.path = path
  }

  /// Writes the file again with these entries of the log; entries that it already had keep their times.
  func restart(keeping entries: [LogEntry]) throws {
    let old = (FileManager.default.contents(atPath: path)).map { RecordFile.decode([UInt8]($0)) } ?? []
    let events = old.compactMap(EventMessage.timeAndStep)
    // The first record is the version of the file. Its step is 0, like that of a first entry.
    let times = Dictionary(events.dropFirst().map { ($0.step, $0.wallTime) }, uniquingKeysWith: { first, _ in first })
    let present = now()
    let start = EventMessage.fileStart(wallTime: events.first?.wallTime ?? present)
    try AtomicFile.write(
      ([start] + entries.map { message($0, wallTime: times[$0.step] ?? present) })
        .flatMap { RecordFile.encode($0.bytes) }, to: path)
  }

  /// Adds an entry with the present time.
  func append(_ entry: LogEntry) throws {
    try Data(RecordFile.encode(message(entry, wallTime: now()).bytes)).append(to: path, what: "event file")
  }

  private func message(_ entry: LogEntry, wallTime: Double) -> EventMessage {
    let named: [(String, Double?)] = [
      ("train/loss", entry.loss), ("train/learning_rate", entry.learningRate),
      ("train/images_per_second", entry.imagesPerSecond), ("weights/oscillating", entry.oscillating),
      ("weights/frozen", entry.frozen), ("accuracy/\(entry.subnet ?? "network")", entry.accuracy),
    ]
    return EventMessage(
      wallTime: wallTime, step: entry.step,
      scalars: named.compactMap { tag, value in value.map { (tag, Float($0)) } })
  }
}

extension Data {
  /// Appends the bytes to an existing file; errors call it `what`.
  func append(to path: String, what: String) throws {
    guard let handle = FileHandle(forWritingAtPath: path) else {
      throw QuasarError(.cannotWrite, "\(path): the \(what) cannot be opened for writing; check its permissions")
    }
    defer { try? handle.close() }
    do {
      try handle.seekToEnd()
      try handle.write(contentsOf: self)
    } catch {
      throw QuasarError(
        .inputOutput, "\(path): writing the \(what) failed (\(error.localizedDescription)); free space on the disk")
    }
  }
}
