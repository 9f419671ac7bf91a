import Foundation
import QuasarNetwork
import QuasarReport
import QuasarSupernet
import QuasarTensor
import QuasarTrain
import Testing

@testable import QuasarPipeline

/// A folder with runs that were never trained: a checkpoint and a log of chosen figures.
private final class Runs {
  let folder = NSTemporaryDirectory() + "quasar-compare-\(UUID().uuidString)"

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  static let architecture = Architecture(
    geometry: ImageGeometry(imageSize: 8, channels: 1, patchSize: 4, classes: 3, headDimension: 8), embedDimension: 8,
    activationBits: 8,
    blocks: [
      BlockGenes(
        heads: 1, mlpRatio: 1, shares: [.qkv: .half, .projection: .half, .expand: .half, .contract: .half])
    ])

  /// Accuracies by sub-network, one an epoch of 10 steps.
  func add(
    _ name: String, seed: UInt64 = 1, rate: Float = 0.004, accuracies: [String: [Double]], losses: [Double] = [2, 1.5]
  ) throws -> String {
    let path = "\(folder)/\(name)"
    let run = RunDirectory(path)
    try run.create()
    var options = TrainingOptions()
    options.learningRate = rate
    let net = Supernet(
      size: SupernetSize(Runs.architecture), preprocessing: Preprocessing(mean: [0.5], deviation: [0.25]),
      random: RandomSource(seed: seed))
    try Checkpoint.write(
      Checkpoint.Description(
        net: net, classNames: ["a", "b", "c"], plan: .fixed(Runs.architecture), options: options, seed: seed, step: 20,
        totalSteps: 40),
      net: net, optimizer: nil, to: run.checkpointPath)
    var lines: [(Int, String)] = losses.enumerated().map { i, loss in
      (
        10 * i + 9,
        #"{"event":"training","step":\#(10 * i + 9),"epoch":0,"mode":"full","loss":\#(loss),"imagesPerSecond":\#(100 + i)}"#
      )
    }
    for (subnet, values) in accuracies {
      lines += values.enumerated().map { i, value in
        (
          10 * i + 9,
          #"{"event":"evaluation","step":\#(10 * i + 9),"epoch":0,"mode":"full","subnet":"\#(subnet)","accuracy":\#(value)}"#
        )
      }
    }
    let text = lines.sorted { $0.0 < $1.0 }.map(\.1).joined(separator: "\n") + "\n"
    try text.write(toFile: run.log.path, atomically: true, encoding: .utf8)
    return path
  }
}

private func fault(_ body: () throws -> Void) -> QuasarError? {
  do {
    try body()
    return nil
  } catch {
    return error as? QuasarError
  }
}

@Suite struct RunComparisonTests {
  @Test func figuresAndSettingsOfTwoRuns() throws {
    let runs = Runs()
    let a = try runs.add("a/net", accuracies: ["largest": [0.5, 0.75, 0.625], "smallest": [0.25, 0.5, 0.5]])
    let b = try runs.add("b/net", seed: 2, rate: 0.002, accuracies: ["largest": [0.5, 0.875]], losses: [2, 1, 1.25])
    let comparison = try RunComparison(paths: [a, b, a])
    #expect(comparison.runs.map(\.name) == ["a/net", "b/net"] && comparison.subnets == ["largest"])
    let first = comparison.runs[0]
    #expect(first.step == 20 && first.totalSteps == 40 && first.imagesPerSecond == 100.5)
    let largest = try #require(first.accuracies["largest"])
    #expect(largest.final == 0.625 && largest.best == 0.75 && largest.bestStep == 19)
    #expect(largest.curve == RunRecord.Series(steps: [9, 19, 29], values: [0.5, 0.75, 0.625]))
    #expect(comparison.runs[1].finalLoss == 1.25 && comparison.runs[1].lowestLoss == 1)
    #expect(comparison.settings.map(\.key) == ["learningRate", "seed"])
    #expect(comparison.settings.map(\.values) == [["0.004", "0.002"], ["1", "2"]])
    #expect(comparison.differences.isEmpty && comparison.differenceTable == nil)
    #expect(
      comparison.runTable.rows == [
        ["a/net", "20 of 40", "1.5000", "1.5000", "100", "62.50 %", "75.00 %", "19"],
        ["b/net", "20 of 40", "1.2500", "1.0000", "101", "87.50 %", "87.50 %", "19"],
      ])
    let plot = try #require(comparison.accuracyPlots.first)
    #expect(plot.series.map(\.name) == ["a/net", "b/net"] && plot.series[0].points.count == 3)
    #expect(comparison.lossPlot.series[1].points.map(\.y) == [2, 1, 1.25])
    let page = comparison.page.html()
    for text in ["<th>b/net</th>", "87.50 %", "learningRate", "Training loss", "highest accuracy"] {
      #expect(page.contains(text), "\(text)")
    }
    #expect(!page.contains("Paired differences"))
  }

  @Test func pairedDifferencesOverSeeds() throws {
    let runs = Runs()
    let before = try [0.5, 0.625, 0.75].enumerated().map { i, value in
      try runs.add("a\(i)", seed: UInt64(i), accuracies: ["largest": [value]])
    }
    let after = try [0.625, 0.875, 1].enumerated().map { i, value in
      try runs.add("b\(i)", seed: UInt64(i), accuracies: ["largest": [value]], losses: [1.25])
    }
    let groups = [RunComparison.Group(name: "A", paths: before), RunComparison.Group(name: "B", paths: after)]
    let comparison = try RunComparison(paths: [], groups: groups)
    #expect(comparison.differences.map(\.figure) == ["largest, final", "largest, best", "loss, final"])
    // 0.125, 0.25, 0.25: mean 5/24, deviation 1/(8√3), half width 4.302653/24.
    let found = try #require(comparison.differences[0].difference)
    #expect(found.pairs == 3 && abs(found.mean - 5.0 / 24) < 1e-15)
    #expect(abs(found.high - (5 + 4.302653) / 24) < 1e-7 && abs(found.low - (5 - 4.302653) / 24) < 1e-7)
    #expect(comparison.differences[2].difference?.mean == -0.25)
    #expect(
      comparison.differenceTable?.rows.first == ["B − A", "largest, final", "3", "+20.83", "+2.91", "+38.76"])
    #expect(comparison.unequalSeeds.isEmpty && comparison.page.html().contains("A is a0, a1, a2; B is b0, b1, b2."))
    let turned = try RunComparison(
      paths: [], groups: [groups[0], RunComparison.Group(name: "B", paths: after.reversed())])
    #expect(turned.unequalSeeds == ["a0 has seed 0, b2 seed 2", "a2 has seed 2, b0 seed 0"])
    #expect(turned.differenceNote.hasSuffix("unequal seeds: a0 has seed 0, b2 seed 2; a2 has seed 2, b0 seed 0."))
  }

  @Test func refusalsNameTheReason() throws {
    let runs = Runs()
    let a = try runs.add("a", accuracies: ["largest": [0.5]])
    let b = try runs.add("b", accuracies: ["network": [0.5]])
    let c = try runs.add("c", accuracies: [:])
    let none = fault { _ = try RunComparison(paths: [a, runs.folder]) }
    #expect(none?.kind == .missing && none?.message.contains("\(runs.folder): not a run") == true)
    let nowhere = fault { _ = try RunComparison(paths: [a, "\(runs.folder)/x"]) }
    #expect(nowhere?.kind == .missing && nowhere?.message.contains("no such folder") == true)
    let one = fault { _ = try RunComparison(paths: [a, a]) }
    #expect(one?.kind == .usage && one?.message.hasPrefix("1 run to compare") == true)
    for (other, says) in [(b, "a has largest; b has network"), (c, "a has largest; c has none")] {
      let error = fault { _ = try RunComparison(paths: [a, other]) }
      #expect(error?.kind == .badData && error?.message.contains(says) == true, "\(error?.message ?? "none")")
    }
    func groups(_ paths: [[String]], _ names: [String] = ["A", "B"]) -> QuasarError? {
      fault {
        _ = try RunComparison(paths: [], groups: zip(names, paths).map { RunComparison.Group(name: $0, paths: $1) })
      }
    }
    #expect(groups([[a, b], [c]])?.message.contains("A has 2 runs, group B 1") == true)
    #expect(groups([[a], [b]])?.message.contains("at least two pairs") == true)
    #expect(groups([[a, b]])?.message.contains("stands alone") == true)
    #expect(groups([[a, b], [c, c]])?.message.contains("names a run twice") == true)
    #expect(groups([[a, b], [b, c]], ["A", "A"])?.message.contains("same name") == true)
  }

  @Test func runsWithoutEvaluationsCompareTheirLosses() throws {
    let runs = Runs()
    let a = try runs.add("a", accuracies: [:])
    let b = try runs.add("b", accuracies: [:], losses: [])
    let comparison = try RunComparison(paths: [a, b])
    #expect(comparison.subnets.isEmpty && comparison.accuracyPlots.isEmpty)
    #expect(comparison.runTable.rows[1] == ["b", "20 of 40", "–", "–", "–"])
    #expect(comparison.settingsTable == nil && comparison.page.html().contains("None: all runs have the same."))
  }
}
