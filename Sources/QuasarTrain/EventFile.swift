import Foundation
import QuasarInterchange
import QuasarTensor

/// The log of a run once more, as the event file that TensorBoard reads.
///
/// Tags: train/loss, train/learning_rate, train/images_per_second, weights/oscillating, weights/frozen, accuracy/largest,
/// …/smallest, …/network. The wall time of an entry stands here only; log and checkpoint are without.
struct EventFile {
  /// TensorBoard takes every file with "tfevents" in its name; this one holds neither host nor time.
  static let name = "events.out.tfevents.quasar"

  let path: String
  /// Seconds since 1970.
  var now: () -> Double = { Date().timeIntervalSince1970 }

  init(path: String) {
    self.path = path
  }

  /// Writes the file anew with these entries of the log; those that it had keep their times.
  func restart(keeping entries: [LogEntry]) throws {
    let old = (FileManager.default.contents(atPath: path)).map { RecordFile.decode([UInt8]($0)) } ?? []
    let events = old.compactMap(EventMessage.timeAndStep)
    // The first record is the version of the file; its step is 0 as that of a first entry may be.
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
  /// Adds the bytes at the end of a file that exists; `what` is what errors call it.
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
