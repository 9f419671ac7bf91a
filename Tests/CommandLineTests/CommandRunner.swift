import Foundation
import Quasar
import QuasarTestSupport

/// Runs the built `quasar` program, which stands next to the test bundle.
enum CommandRunner {
  static var program: URL {
    URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appendingPathComponent("quasar")
  }

  static func run(_ arguments: [String]) throws -> ChildProcess.Result {
    try ChildProcess.run(program.path, arguments)
  }
}

/// A folder for one test, with a small IDX data set, a space and a pipeline in it.
final class Workplace {
  private let temporary: TemporaryFolder

  init() throws { temporary = try TemporaryFolder() }

  var folder: URL { temporary.url }

  func path(_ name: String) -> String { temporary.path(name) }

  func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
  }

  func write(_ text: String, _ name: String) throws -> String {
    try text.write(toFile: path(name), atomically: true, encoding: .utf8)
    return path(name)
  }

  func write(_ bytes: [UInt8], _ name: String) throws -> String {
    try Data(bytes).write(to: folder.appendingPathComponent(name))
    return path(name)
  }

  /// 400 training and 100 test images of the embedded set as a Fashion-MNIST folder; its specification.
  func smallData() throws -> String {
    let data = try DataSpecification(parsing: "embedded").load()
    for (set, prefix, count) in [(data.train, "train", 40), (data.test, "t10k", 10)] {
      let part = try set.firstOfEachClass(count)
      _ = try write(
        Workplace.header(0x803, [part.count, 28, 28]) + part.images, "\(prefix)-images-idx3-ubyte")
      _ = try write(
        Workplace.header(0x801, [part.count]) + part.labels.map { UInt8($0) }, "\(prefix)-labels-idx1-ubyte")
    }
    return "fashion-mnist:\(folder.path)"
  }

  static func header(_ magic: UInt32, _ sizes: [Int]) -> [UInt8] {
    ([magic] + sizes.map { UInt32($0) }).flatMap { word in
      (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) }
    }
  }

  func smallSpace() throws -> String {
    try write(
      """
      name: small
      image: {size: 28, channels: 1, patch: 7, classes: 10, head_dimension: 8}
      genes:
        embed_dimension: [16, 24]
        depth: [1, 2]
        heads: [1, 2]
        mlp_ratio: [1, 2]
        share_8bit: [0, 0.5, 1]
        activation_bits: [8, 6]
      """, "space.yaml")
  }

  func smallPipeline(targets: String = "30000, 40000") throws -> String {
    try write(
      """
      name: Small pipeline
      data: \(smallData())
      space: \(smallSpace())
      device: pynq-z2
      targets_fps: [\(targets)]
      seed: 3
      train: {epochs: 3, batch_size: 32}
      search: {population: 4, generations: 1, children: 3, elites: 2, images: 40}
      finetune: {epochs: 2, batch_size: 32, gptq_start: true, calibration_percentile: 99.9,
        oscillation_threshold: 0.02, oscillation_momentum: 0.015}
      """, "pipeline.yaml")
  }
}
