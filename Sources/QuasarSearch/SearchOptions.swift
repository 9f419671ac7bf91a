import QuasarInterchange

/// Sizes and rates of the evolution.
public struct SearchOptions: Sendable, Equatable {
  /// Candidates scored before the first generation, for each target.
  public var population = 16
  public var generations = 5
  /// Children scored in each generation.
  public var children = 10
  /// Best candidates that may become parents.
  public var elites = 6
  /// Share of children made by crossover of two elites; the others are mutations of one.
  public var crossover = 0.5
  /// Chance of each block to get new genes in a mutation.
  public var blockMutation = 0.3
  /// Chance of width, depth and activation bits to change in a mutation.
  public var networkMutation = 0.3
  /// Draws for one feasible candidate before the search gives up on it.
  public var attempts = 400
  /// Held-out training images that score a candidate.
  public var images = 1000

  public init() {}
}

// MARK: The table

extension SearchOptions: TabledOptions {
  /// Keys, flags, ranges, units and help of every option: the one place that names them.
  public static let table = OptionTable<SearchOptions>(
    [
      OptionEntry(
        "population", \.population, .integer(2...100_000), "Candidates scored before the first generation, per target."),
      OptionEntry("generations", \.generations, .integer(0...100_000), "Generations of the evolution."),
      OptionEntry("children", \.children, .integer(1...100_000), "Children scored in each generation."),
      OptionEntry(
        "elites", \.elites, .integer(2...100_000),
        "Best candidates that may become parents; at most the population, which also lowers the default."),
      OptionEntry(
        "crossover", \.crossover, .number(0...1), unit: "of the children",
        "Share of children made by crossover of two elites; the others are mutations of one."),
      OptionEntry(
        "block_mutation", \.blockMutation, .number(0...1),
        "Chance of each block to get new genes in a mutation."),
      OptionEntry(
        "network_mutation", \.networkMutation, .number(0...1),
        "Chance of width, depth and activation bits to change in a mutation."),
      OptionEntry(
        "attempts", \.attempts, .integer(1...1_000_000), unit: "draws",
        "Draws for one feasible candidate before the search gives up on it."),
      OptionEntry(
        "images", \.images, .integer(1...10_000_000), unit: "images",
        "Held-out training images that score a candidate."),
    ],
    rules: [
      OptionRule(["population", "elites"]) { options in
        options.elites <= options.population
          ? nil
          : "elites are some of the population, but \(options.elites) are more than \(options.population); lower elites or "
            + "raise population"
      }
    ],
    dependentDefaults: [
      DependentDefault("elites") { $0.elites = min($0.elites, $0.population) }
    ])
}
