import Foundation
import QuasarTensor
import QuasarTrain

/// The figures and settings of a training run, from its log and its checkpoint.
public struct RunRecord: Sendable {
  /// One figure over the steps.
  public struct Series: Sendable, Equatable {
    public var steps: [Int]
    public var values: [Double]
  }

  /// Accuracies of one sub-network on the held-out images.
  public struct Accuracy: Sendable, Equatable {
    public var final: Double
    public var best: Double
    public var bestStep: Int
    public var curve: Series
  }

  public let path: String
  /// The name of the run in tables.
  public var name: String
  /// Steps taken, and steps in all.
  public let step: Int
  public let totalSteps: Int
  public let seed: UInt64
  /// Means over the steps between two lines of the log.
  public let loss: Series
  /// Median over the lines of the log; nil without lines.
  public let imagesPerSecond: Double?
  /// By sub-network: "largest", "smallest", "network".
  public let accuracies: [String: Accuracy]
  /// Everything that determined the run, as JSON texts by key: "seed", "epochs", "space.depths", ….
  public let settings: [String: String]

  public var finalLoss: Double? { loss.values.last }
  public var lowestLoss: Double? { loss.values.min() }

  /// Reads a run folder; throws `missing` if the folder is not a run.
  public init(path: String) throws {
    let directory = RunDirectory(path)
    guard FileManager.default.fileExists(atPath: path) else {
      throw QuasarError(.missing, "\(path): there is no such folder; name the --out of a 'quasar train'")
    }
    guard directory.hasCheckpoint else {
      throw QuasarError(
        .missing, "\(path): not a run, the folder has no checkpoint.safetensors; name the --out of a 'quasar train'")
    }
    let description = try directory.load().description
    let entries = directory.log.read()
    self.path = path
    name = path
    step = description.step
    totalSteps = description.totalSteps
    seed = description.seed
    let training = entries.filter { $0.event == .training && $0.loss != nil }
    loss = Series(steps: training.map(\.step), values: training.compactMap(\.loss))
    let rates = training.compactMap(\.imagesPerSecond).sorted()
    imagesPerSecond = rates.isEmpty ? nil : (rates[(rates.count - 1) / 2] + rates[rates.count / 2]) / 2
    var accuracies: [String: Accuracy] = [:]
    for (subnet, points) in Dictionary(grouping: entries.filter { $0.event == .evaluation }, by: { $0.subnet ?? "" }) {
      let curve = Series(steps: points.map(\.step), values: points.map { $0.accuracy ?? 0 })
      guard let best = curve.values.max(), let place = curve.values.firstIndex(of: best), let last = curve.values.last
      else { continue }
      accuracies[subnet] = Accuracy(final: last, best: best, bestStep: curve.steps[place], curve: curve)
    }
    self.accuracies = accuracies
    settings = try RunRecord.settings(description)
  }

  /// The description of a checkpoint, with objects taken apart and lists as they are.
  private static func settings(_ description: Checkpoint.Description) throws -> [String: String] {
    let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(description))
    var settings: [String: String] = [:]
    func walk(_ value: Any, _ key: String) throws {
      if let members = value as? [String: Any] {
        for (name, member) in members {
          try walk(member, key.isEmpty || key == "options" ? name : "\(key).\(name)")
        }
      } else {
        let data = try JSONSerialization.data(
          withJSONObject: value, options: [.fragmentsAllowed, .sortedKeys, .withoutEscapingSlashes])
        settings[key] = String(decoding: data, as: UTF8.self)
      }
    }
    try walk(object, "")
    settings["step"] = nil
    settings["totalSteps"] = nil
    return settings
  }
}
