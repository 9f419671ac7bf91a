import Foundation
import QuasarData
import QuasarInterchange
import QuasarNetwork
import QuasarSupernet
import QuasarTensor

/// Everything that a run was started with, resolved: `run.json` in its folder, for people and scripts.
public struct RunConfiguration: Codable, Sendable, Equatable {
  /// The images that were trained on.
  public struct Images: Codable, Sendable, Equatable {
    public var name: String
    public var count: Int
    public var channels: Int
    public var height: Int
    public var width: Int
    public var classNames: [String]
  }

  public var seed: UInt64
  public var options: TrainingOptions
  /// The space of a supernet; nil for one network.
  public var space: SearchSpace?
  /// The architecture of one network; nil for a supernet.
  public var architecture: Architecture?
  public var images: Images
  public var heldOutImages: Int
  /// The networks of the accuracy curves, by the names that the log has.
  public var evaluated: [String: Architecture]
  /// Where weights and teacher came from: "init", "supernet", "teacher" → what the caller named.
  public var sources: [String: String]

  init(
    trainer: Trainer, heldOut: (any ImageSource)?, evaluated: [(String, Architecture)], sources: [String: String]
  ) {
    seed = trainer.seed
    options = trainer.options
    space = trainer.plan.space
    architecture = trainer.plan.architecture
    let data = trainer.data
    images = Images(
      name: data.name, count: data.count, channels: data.channels, height: data.height, width: data.width,
      classNames: data.classNames)
    heldOutImages = heldOut?.count ?? 0
    self.evaluated = Dictionary(evaluated, uniquingKeysWith: { first, _ in first })
    self.sources = sources
  }

  /// What a run folder says; nil without the file.
  public static func read(_ directory: RunDirectory) -> RunConfiguration? {
    FileManager.default.contents(atPath: path(directory))
      .flatMap { try? JSONDecoder().decode(RunConfiguration.self, from: $0) }
  }

  static func path(_ directory: RunDirectory) -> String { directory.path + "/run.json" }

  func write(_ directory: RunDirectory) throws {
    try AtomicFile.write(JSONText.encode(self), to: RunConfiguration.path(directory))
  }

  /// Throws `usage` when a run would go on with other images or another teacher than it began with.
  func requireSame(as known: RunConfiguration, _ directory: RunDirectory) throws {
    func text(_ images: Images) -> String {
      "\(images.count) images of \(images.channels)×\(images.height)×\(images.width) in \(images.classNames.count) "
        + "classes (\(images.name))"
    }
    // The name is left out: a folder and its cache hold the same images.
    var (now, before) = (images, known.images)
    (now.name, before.name) = ("", "")
    guard now == before else {
      throw QuasarError(
        .usage,
        "\(directory.path): the run began with \(text(known.images)), and would go on with \(text(images)); resume with "
          + "the same images, or use another folder")
    }
    guard sources["teacher"] == known.sources["teacher"] else {
      throw QuasarError(
        .usage,
        "\(directory.path): the run began with \(known.sources["teacher"].map { "the teacher \($0)" } ?? "no teacher"), "
          + "and would go on with \(sources["teacher"] ?? "none"); resume with the same one")
    }
  }
}
