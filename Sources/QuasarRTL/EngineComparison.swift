import QuasarEngine
import QuasarNetwork
import QuasarTensor

/// A simulated engine beside the integer kernels and the timeline.
public struct EngineComparison: Codable, Sendable {
  /// One command of the first image.
  public struct Command: Codable, Sendable {
    public var name: String
    /// Cycles from the end of the command before to its own, in the simulation.
    public var cycles: Int
    /// The same by the timeline.
    public var counted: Int
    public var waits: EngineTimeline.Waits
    /// Share of the cycles in which the array has a step.
    public var utilisation: Double
    public var isOnTime: Bool
  }

  public var commands: [Command]
  public var images: Int
  /// Images of which every logit is that of the kernels.
  public var equalImages: Int
  /// Cycles of all images.
  public var cycles: Int
  public var buildSeconds: Double
  public var runSeconds: Double
  public var cyclesPerSecond: Double { Double(cycles) / max(runSeconds, 1e-9) }
  /// True where the timeline counts this run: a stream without gaps.
  public var hasTimeline: Bool

  /// Every logit and, where the timeline counts, every cycle.
  public var isEqual: Bool { equalImages == images && (!hasTimeline || commands.allSatisfy(\.isOnTime)) }

  /// `logits` are those of the kernels, [images, classes].
  public init(_ simulation: EngineSimulation, _ network: EngineNetwork, logits: NDArray<Int32>) {
    let timeline = EngineTimeline(network)
    let ends = simulation.completions.first ?? []
    commands = network.commands.enumerated().map { index, command in
      let span = timeline.spans[index]
      let found = index < ends.count ? ends[index] : 0
      let begin = index == 0 ? 0 : ends[index - 1]
      return Command(
        name: command.layer?.description ?? "end", cycles: found - begin,
        counted: span.end - (index == 0 ? 0 : timeline.spans[index - 1].end), waits: span.waits,
        utilisation: Double(span.steps) / Double(max(1, found - begin)), isOnTime: found == span.end)
    }
    images = logits.shape[0]
    let classes = logits.shape[1]
    equalImages = (0..<images).count { image in
      (image * classes..<(image + 1) * classes).allSatisfy { logits.pointer[$0] == simulation.logits.pointer[$0] }
    }
    withExtendedLifetime(logits) {}
    cycles = simulation.cycles
    buildSeconds = simulation.buildSeconds
    runSeconds = simulation.runSeconds
    hasTimeline = !simulation.hasGaps
  }
}
