import Foundation
import QuasarInterchange

/// Checkpoints of single epochs that a run keeps: those of the best held-out accuracy, and the last ones.
///
/// Each is in its own folder, `kept/step-N/`, which every command accepts as a run folder. `kept/index.json` lists them
/// with the reasons. A kept checkpoint shares its bytes on disk with the run's own checkpoint until that one is
/// replaced.
public struct KeptCheckpoints: Sendable, Equatable {
  /// One kept checkpoint.
  public struct Entry: Codable, Sendable, Equatable {
    /// Number of steps taken.
    public var step: Int
    /// Accuracy of the largest sub-network, or of the one network, on held-out training images.
    public var accuracy: Double?
    public var isBest: Bool
    public var isLast: Bool
  }

  /// Number of checkpoints kept for their accuracy.
  public var best = 0
  public var last = 0

  public init(best: Int = 0, last: Int = 0) {
    self.best = best
    self.last = last
  }

  static func folder(_ directory: RunDirectory) -> String { directory.path + "/kept" }

  static func run(_ step: Int, in directory: RunDirectory) -> RunDirectory {
    RunDirectory("\(folder(directory))/step-\(step)")
  }

  /// The entries of a run's index; empty without an index.
  public static func entries(in directory: RunDirectory) -> [Entry] {
    guard let data = FileManager.default.contents(atPath: folder(directory) + "/index.json") else { return [] }
    return (try? JSONDecoder().decode([Entry].self, from: data)) ?? []
  }

  /// Drops the checkpoints of more than `step` steps, which a resumed run will make again.
  func restart(after step: Int, in directory: RunDirectory) throws {
    guard best + last > 0 else { return }
    try write(KeptCheckpoints.entries(in: directory).filter { $0.step <= step }, in: directory)
  }

  /// Keeps the run's checkpoint if it is among the best or the last, and drops those that no longer are.
  func add(step: Int, accuracy: Double?, in directory: RunDirectory) throws {
    guard best + last > 0 else { return }
    var entries = KeptCheckpoints.entries(in: directory).filter { $0.step != step }
    entries.append(Entry(step: step, accuracy: accuracy, isBest: false, isLast: false))
    let kept = chosen(entries)
    if kept.contains(where: { $0.step == step }) {
      let run = KeptCheckpoints.run(step, in: directory)
      try run.create()
      try? FileManager.default.removeItem(atPath: run.checkpointPath)
      do {
        try FileManager.default.linkItem(atPath: directory.checkpointPath, toPath: run.checkpointPath)
      } catch {
        // The file system has no links.
        try FileManager.default.copyItem(atPath: directory.checkpointPath, toPath: run.checkpointPath)
      }
    }
    try write(kept, in: directory)
  }

  /// The best and the last of the entries, by step; the earlier of two equal accuracies is better.
  func chosen(_ entries: [Entry]) -> [Entry] {
    let bySteps = entries.sorted { $0.step < $1.step }
    let lastSteps = Set(bySteps.suffix(last).map(\.step))
    let bestSteps = Set(
      bySteps.filter { $0.accuracy != nil }
        .sorted { ($0.accuracy ?? 0, -$0.step) > ($1.accuracy ?? 0, -$1.step) }.prefix(best).map(\.step))
    return bySteps.filter { lastSteps.contains($0.step) || bestSteps.contains($0.step) }
      .map {
        Entry(
          step: $0.step, accuracy: $0.accuracy, isBest: bestSteps.contains($0.step),
          isLast: lastSteps.contains($0.step))
      }
  }

  /// Writes the index, then removes every folder that it does not name.
  private func write(_ entries: [Entry], in directory: RunDirectory) throws {
    let folder = KeptCheckpoints.folder(directory)
    try RunDirectory(folder).create()
    try AtomicFile.write(JSONText.encode(entries), to: folder + "/index.json")
    let named = Set(entries.map { "step-\($0.step)" })
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    where name.hasPrefix("step-") && !named.contains(name) {
      try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
    }
  }
}
