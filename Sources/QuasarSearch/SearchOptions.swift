import QuasarTensor

/// Sizes and rates of the evolution.
public struct SearchOptions: Codable, Sendable, Equatable {
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

  /// Throws for a value outside its range, naming it.
  public func validate() throws {
    func require(_ condition: Bool, _ text: String) throws {
      if !condition { throw QuasarError(.usage, text) }
    }
    try require(population >= 2, "the population must be at least 2, not \(population)")
    try require(generations >= 0 && children >= 1, "generations cannot be negative, children at least 1")
    try require(elites >= 2 && elites <= population, "elites must be 2…\(population), not \(elites)")
    try require(
      [crossover, blockMutation, networkMutation].allSatisfy { (0...1).contains($0) },
      "crossover and mutation rates are chances, 0…1")
    try require(attempts >= 1 && images >= 1, "attempts and images must be at least 1")
  }
}
