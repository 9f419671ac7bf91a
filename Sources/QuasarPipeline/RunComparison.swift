import QuasarTensor

/// A comparison of two or more training runs.
public struct RunComparison: Sendable {
  /// Runs that differ only in their seed, in the order of their seeds.
  public struct Group: Sendable {
    public var name: String
    public var paths: [String]

    public init(name: String, paths: [String]) {
      self.name = name
      self.paths = paths
    }
  }

  /// The difference second − first of one figure over the pairs of two groups.
  public struct Difference: Sendable {
    public var first: String
    public var second: String
    /// "largest, final", "largest, best" or "loss, final".
    public var figure: String
    /// True if the figure is an accuracy, a fraction of 1.
    public var isShare: Bool
    /// nil where a run has no such figure.
    public var difference: PairedDifference?
  }

  public let runs: [RunRecord]
  public let groups: [Group]
  /// Sub-networks that every run has evaluated, "largest" first.
  public let subnets: [String]
  /// Settings that differ between runs, sorted by key; a run that lacks one has "–".
  public let settings: [(key: String, values: [String])]
  /// The difference of every later group to the first.
  public let differences: [Difference]
  /// Pairs whose runs have different seeds, in words.
  public let unequalSeeds: [String]

  /// Reads the runs of `paths` and `groups`.
  ///
  /// Throws `usage` for fewer than two runs and for groups of unequal or too few runs, `missing` for a folder without a
  /// run, and `badData` if some sub-networks were evaluated but none in all runs.
  public init(paths: [String], groups: [Group] = []) throws {
    var all: [String] = []
    for path in paths + groups.flatMap(\.paths) where !all.contains(path) { all.append(path) }
    guard all.count >= 2 else {
      throw QuasarError(.usage, "\(all.count) run to compare, at least two are needed; name more run folders")
    }
    try RunComparison.check(groups)
    var runs = try all.map { try RunRecord(path: $0) }
    let names = RunComparison.names(all)
    for i in runs.indices { runs[i].name = names[i] }
    self.runs = runs
    self.groups = groups

    let evaluated = runs.map { Set($0.accuracies.keys) }
    let common = evaluated.dropFirst().reduce(evaluated[0]) { $0.intersection($1) }
    guard !common.isEmpty || evaluated.allSatisfy(\.isEmpty) else {
      let found = zip(names, evaluated).map { name, subnets in
        "\(name) has \(subnets.isEmpty ? "none" : subnets.sorted().joined(separator: ", "))"
      }
      throw QuasarError(
        .badData,
        "no sub-network was evaluated in all runs: \(found.joined(separator: "; ")); compare runs of the same kind")
    }
    subnets = ["largest", "smallest", "network"].filter(common.contains)

    settings = Set(runs.flatMap(\.settings.keys)).sorted().compactMap { key in
      let values = runs.map { $0.settings[key] ?? "–" }
      return Set(values).count > 1 ? (key, values) : nil
    }
    let byPath = Dictionary(uniqueKeysWithValues: runs.map { ($0.path, $0) })
    let members = groups.map { $0.paths.compactMap { byPath[$0] } }
    var differences: [Difference] = []
    var unequalSeeds: [String] = []
    for (group, others) in zip(groups, members).dropFirst() {
      let pairs = Array(zip(members[0], others))
      func add(_ figure: String, isShare: Bool, _ value: (RunRecord) -> Double?) {
        let found = pairs.compactMap { a, b in value(a).flatMap { first in value(b).map { $0 - first } } }
        differences.append(
          Difference(
            first: groups[0].name, second: group.name, figure: figure, isShare: isShare,
            difference: found.count == pairs.count ? PairedDifference(found) : nil))
      }
      for subnet in subnets {
        add("\(subnet), final", isShare: true) { $0.accuracies[subnet]?.final }
        add("\(subnet), best", isShare: true) { $0.accuracies[subnet]?.best }
      }
      add("loss, final", isShare: false) { $0.finalLoss }
      unequalSeeds += pairs.filter { $0.seed != $1.seed }.map {
        "\($0.name) has seed \($0.seed), \($1.name) seed \($1.seed)"
      }
    }
    self.differences = differences
    self.unequalSeeds = unequalSeeds
  }

  private static func check(_ groups: [Group]) throws {
    guard let first = groups.first else { return }
    guard groups.count >= 2 else {
      throw QuasarError(.usage, "group \(first.name) stands alone; differences need a second group")
    }
    guard Set(groups.map(\.name)).count == groups.count else {
      throw QuasarError(.usage, "two groups have the same name; give each its own")
    }
    for group in groups {
      guard group.paths.count == first.paths.count else {
        throw QuasarError(
          .usage,
          "group \(first.name) has \(first.paths.count) runs, group \(group.name) \(group.paths.count); name the runs of "
            + "each in the order of their seeds, as many in every group")
      }
      guard Set(group.paths).count == group.paths.count else {
        throw QuasarError(.usage, "group \(group.name) names a run twice; every seed counts once")
      }
    }
    guard first.paths.count >= 2 else {
      throw QuasarError(.usage, "group \(first.name) has one run; an interval needs at least two pairs")
    }
  }

  /// Names of the runs: as many last parts of the paths as are needed to tell them apart.
  static func names(_ paths: [String]) -> [String] {
    let parts = paths.map { $0.split(separator: "/").map(String.init) }
    let longest = parts.map(\.count).max() ?? 0
    for count in stride(from: 1, through: longest, by: 1) {
      let names = parts.map { $0.suffix(count).joined(separator: "/") }
      if Set(names).count == names.count { return names }
    }
    return paths
  }
}
