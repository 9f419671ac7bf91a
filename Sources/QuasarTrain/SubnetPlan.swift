import QuasarNetwork
import QuasarSupernet
import QuasarTensor

/// The sub-networks that a training step runs.
public enum SubnetPlan: Sendable {
  /// The supernet of a space.
  case space(SearchSpace)
  /// One network.
  case fixed(Architecture)

  /// The architectures of a step of `totalSteps`; with `sandwich` the first teaches the others (Yu & Huang 2019).
  func architectures(step: Int, of totalSteps: Int, options: TrainingOptions, random: RandomSource) -> [Architecture] {
    switch self {
    case .fixed(let architecture):
      return [architecture]
    case .space(let space):
      var generator = random.generator("subnet", step)
      let opened = space.opened(
        options.progressive == 0 ? 1 : Double(step + 1) / (options.progressive * Double(totalSteps)))
      let drawn = (0..<options.randomSubnets).map { _ in opened.sample(&generator) }
      return options.sandwich ? [space.largest, space.smallest] + drawn : drawn
    }
  }

  /// The space of a supernet; nil for one network.
  var space: SearchSpace? {
    if case .space(let space) = self { space } else { nil }
  }

  /// The architecture of one network; nil for a supernet.
  var architecture: Architecture? {
    if case .fixed(let architecture) = self { architecture } else { nil }
  }

  /// The largest architecture with the fewest 8-bit rows: each row has the coarsest code it may get.
  var coarsest: Architecture {
    switch self {
    case .fixed(let architecture): return architecture
    case .space(let space):
      let fewest = space.shares.min { $0.rawValue < $1.rawValue } ?? .none
      return space.largest.uniform(share: fewest, activationBits: space.largest.activationBits)
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

extension SearchSpace {
  /// The space with the larger `share` of every list of choices, at least one of each.
  ///
  /// At 0 it is the largest network alone; from 1 on it is the whole space. Example: depths 3, 4, 5, 6 at ½ → 5, 6.
  func opened(_ share: Double) -> SearchSpace {
    if share >= 1 { return self }
    func larger<Choice: Comparable>(_ choices: [Choice]) -> [Choice] {
      let kept = max(1, min(choices.count, Int((share * Double(choices.count)).rounded(.up))))
      return Array(choices.sorted().suffix(kept))
    }
    var space = self
    space.embedDimensions = larger(embedDimensions)
    space.depths = larger(depths)
    space.heads = larger(heads)
    space.mlpRatios = larger(mlpRatios)
    space.shares = larger(shares.map(\.rawValue)).compactMap(RowShare.init(rawValue:))
    space.activationBits = larger(activationBits)
    return space
  }
}
