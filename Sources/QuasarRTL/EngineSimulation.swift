import Foundation
import QuasarEngine
import QuasarInterchange
import QuasarNetwork
import QuasarTensor

/// A whole engine in Verilator: its logits and the cycles of its commands.
public struct EngineSimulation {
  /// Logit codes [images, classes].
  public private(set) var logits: NDArray<Int32>
  /// Cycle in which each command of each image was complete, counted from the first word of the stream.
  public private(set) var completions: [[Int]] = []
  /// Cycles in which the records entered.
  public private(set) var entries: [Int] = []
  public let buildSeconds: Double
  public let runSeconds: Double
  public private(set) var cycles = 0
  /// True if words of the stream came with random gaps.
  public let hasGaps: Bool

  /// Builds and runs; throws where a tool is missing, the build fails or the engine reports an error.
  ///
  /// `seed` puts random gaps into the stream. Without `optimise` the C++ compiler is quick and the simulation slow.
  public init(
    _ folder: EngineFolder, seed: UInt64? = nil, assertions: Bool = true, optimise: Bool = true, jobs: Int = 2
  ) throws {
    hasGaps = seed != nil
    let clock = ContinuousClock()
    let start = clock.now
    let build = try SystemProgram.run(
      "make",
      [
        "-C", folder.path, "-s", "engine-build", "JOBS=\(jobs)", "ASSERT=\(assertions ? "--assert" : "")",
        "OPTIMISE=\(optimise ? "-O2" : "-O0")",
      ])
    guard build.status == 0 else {
      throw QuasarError(.internal, "\(folder.path): verilator refuses the sources: \(build.output.suffix(3000))")
    }
    let built = clock.now
    buildSeconds = start.duration(to: built) / .seconds(1)
    let network = folder.program.network
    let result = folder.path + "/result.txt"
    var arguments = [
      folder.path + "/program.bin", folder.path + "/images.bin", "\(folder.images)", "\(network.imageBytes)", result,
    ]
    if let seed { arguments.append("\(seed)") }
    let run = try SystemProgram.run(folder.path + "/build/engine/engine", arguments)
    runSeconds = built.duration(to: clock.now) / .seconds(1)
    guard run.status == 0 else {
      throw QuasarError(.internal, "\(folder.path): the simulation failed: \(run.output.suffix(2000))")
    }
    logits = NDArray(repeating: 0, shape: [folder.images, network.graph.geometry.classes])
    try read(String(decoding: InputFile.read(result), as: UTF8.self), commands: network.commands.count)
  }

  private mutating func read(_ text: String, commands: Int) throws {
    let classes = logits.shape[1]
    var image: [Int] = []
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      let values = words.dropFirst().compactMap { Int($0) }
      switch words.first {
      case "x": entries.append(values[0])
      case "c":
        image.append(values[0])
        if image.count == commands {
          completions.append(image)
          image = []
        }
      case "l":
        let place = completions.count * classes + values[1]
        guard values[1] < classes, place < logits.count else {
          throw QuasarError(.internal, "the engine gives logit \(values[1]) of image \(completions.count)")
        }
        logits.pointer[place] = Int32(truncatingIfNeeded: values[2])
      case "end": cycles = values[0]
      default: break
      }
    }
  }
}
