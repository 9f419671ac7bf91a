import QuasarSupernet
import QuasarTensor

/// Which sub-networks a training step runs.
public enum SubnetPlan {
  /// The supernet of a space.
  case space(SearchSpace)
  /// One network.
  case fixed(Architecture)

  /// The architectures of a step; with `sandwich` the first teaches the others (Yu & Huang 2019).
  func architectures(step: Int, options: TrainingOptions, random: RandomSource) -> [Architecture] {
    switch self {
    case .fixed(let architecture):
      return [architecture]
    case .space(let space):
      var generator = random.generator("subnet", step)
      let drawn = (0..<options.randomSubnets).map { _ in space.sample(&generator) }
      return options.sandwich ? [space.largest, space.smallest] + drawn : drawn
    }
  }

  /// The architecture that calibrates the quantisers.
  var largest: Architecture {
    switch self {
    case .fixed(let architecture): return architecture
    case .space(let space): return space.largest
    }
  }
}
