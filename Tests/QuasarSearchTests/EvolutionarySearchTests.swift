import CKernels
import Foundation
import QuasarData
import QuasarHardware
import QuasarNetwork
import QuasarSupernet
import QuasarTensor
import QuasarTestSupport
import QuasarTrain
import Testing

@testable import QuasarSearch

/// The number of threads is process-wide, so these tests run one after the other and restore it.
@Suite(.serialized) struct EvolutionarySearchTests {
  private func json(_ result: SearchResult) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return try encoder.encode(result)
  }

  @Test func equalSeedsGiveEqualResultsOnAnyThreads() throws {
    let before = qk_thread_count()
    defer { qk_set_thread_count(Int32(before)) }
    let targets = try Tiny.targets([0.2, 0.4])
    let results = try [1, 2].map { threads in
      qk_set_thread_count(Int32(threads))
      return try json(Tiny.search().run(targets: targets))
    }
    #expect(results[0] == results[1])
    #expect(try json(Tiny.search(seed: 2).run(targets: targets.reversed())) != results[0])
  }

  @Test func processesDoNotChangeTheResult() throws {
    let before = qk_thread_count()
    defer { qk_set_thread_count(Int32(before)) }
    qk_set_thread_count(1)
    let targets = try Tiny.targets([0.2, 0.4])
    let expected = try json(Tiny.search().run(targets: targets))
    for count in [2, 4] {
      let test = self
      let results = try ThreadProcesses.run(count) { processes in
        try test.json(Tiny.search(processes: processes).run(targets: targets))
      }
      #expect(results.allSatisfy { $0 == expected }, "\(count) processes")
    }
  }

  @Test func everyCandidateMeetsItsTargetAndFits() throws {
    let targets = try Tiny.targets([0, 0.5])
    let result = try Tiny.search().run(targets: targets)
    let model = try Tiny.hardware()
    let budget = model.device.budget
    let images = try Tiny.images(60)
    let scored = try images.selecting((0..<40).map { $0 * 60 / 40 })
    let net = try Tiny.net()
    #expect(result.candidates.count >= 6 && result.refused > 0)
    #expect(Set(result.candidates.map(\.architecture)).count == result.candidates.count)
    for (i, candidate) in result.candidates.enumerated() {
      #expect(candidate.id == i && targets.contains(candidate.target))
      #expect(Tiny.space.contains(candidate.architecture))
      #expect(candidate.fps >= candidate.target, "candidate \(i)")
      #expect(
        candidate.dsp <= budget.dsp && candidate.lut <= budget.lut && candidate.bram18 <= budget.bram18)
      #expect(candidate.parents.allSatisfy { $0 < i } && candidate.parents.count <= 2)
      #expect(candidate.averageWeightBits == candidate.architecture.averageWeightBits)
    }
    for candidate in result.candidates.suffix(3) {
      let estimate = try model.estimate(candidate.architecture)
      #expect(estimate.fits && estimate.fps == candidate.fps && estimate.dsp == candidate.dsp)
      let evaluation = try Evaluation(
        net, architecture: candidate.architecture, mode: .quantized, data: scored)
      #expect(evaluation.accuracy == candidate.accuracy)
    }
  }

  @Test func resultsAreDistinctAndTheBestOfTheirTarget() throws {
    let targets = try Tiny.targets([0.5, 0, 0.25])
    let result = try Tiny.search().run(targets: targets)
    #expect(result.results.map(\.target) == targets.sorted())
    #expect(Set(result.results.map { $0.candidate.architecture }).count == 3)
    var taken = Set<Int>()
    for found in result.results.reversed() {
      #expect(found.candidate.fps >= found.target)
      let better = result.candidates.filter {
        $0.fps >= found.target && !taken.contains($0.id) && $0.accuracy > found.candidate.accuracy
      }
      #expect(better.isEmpty, "target \(found.target): \(better.map(\.id)) are better")
      taken.insert(found.candidate.id)
    }
  }

  /// Quadratic check: the front holds exactly the candidates that no other beats.
  @Test func paretoFrontByBruteForce() throws {
    for seed in UInt64(1)...2 {
      let result = try Tiny.search(seed: seed).run(targets: Tiny.targets([0, 0.4]))
      let all = result.candidates
      let front = all.filter { a in
        !all.contains { b in
          b.fps >= a.fps && b.accuracy >= a.accuracy
            && (b.fps > a.fps || b.accuracy > a.accuracy || b.id < a.id)
        }
      }
      #expect(result.pareto == front.sorted { $0.fps > $1.fps }.map(\.id))
      #expect(!front.isEmpty)
    }
  }

  @Test func observerSeesEveryCandidate() throws {
    var seen = Set<Int>()
    var last = 0
    let result = try Tiny.search().run(targets: Tiny.targets([0.3])) { done, total, candidate in
      seen.insert(candidate.id)
      #expect(done >= last && done <= total)
      last = done
    }
    #expect(seen == Set(result.candidates.map(\.id)))
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try Tiny.search().run(targets: Tiny.targets([0.3])) { _, _, _ in throw Stop() }
    }
  }

  @Test func unreachableTargetNamesLimitAndFastest() throws {
    let fastest = try Tiny.hardware().estimate(Tiny.space.smallest).fps
    let error = try #require(quasarError { _ = try Tiny.search().run(targets: [100, fastest * 1.01]) })
    #expect(error.kind == .infeasible)
    #expect(error.message.contains("'tiny'") && error.message.contains("pynq-z2"), "\(error.message)")
    #expect(error.message.contains("fastest reachable: \(Int(fastest)) FPS"), "\(error.message)")
    let limits = [
      "dsp", "logic", "weightBandwidth", "activationBandwidth", "onChipMemory", "requantisation",
      "vectorUnits",
    ]
    #expect(limits.contains { error.message.contains("limited by \($0)") }, "\(error.message)")
  }

  /// The claim behind that error: no network of the space is faster than the smallest.
  @Test func smallestNetworkIsTheFastest() throws {
    let model = try Tiny.hardware()
    let fastest = try model.estimate(Tiny.space.smallest).fps
    var random = RandomSource(seed: 5).generator("speeds")
    for _ in 0..<20 {
      let drawn = Tiny.space.sample(&random)
      #expect(try model.estimate(drawn).fps <= fastest, "\(drawn)")
    }
    var near = Tiny.space.smallest
    for share in RowShare.allCases {
      for bits in [6, 8] {
        near = Tiny.space.smallest.uniform(share: share, activationBits: bits)
        #expect(try model.estimate(near).fps <= fastest, "\(near)")
      }
    }
  }

  @Test func badTargetsAreRefused() throws {
    let search = try Tiny.search()
    for targets in [[], [0], [-5], [100, .nan], [.infinity], [100, 50, 100]] as [[Double]] {
      #expect(quasarError { _ = try search.run(targets: targets) }?.kind == .usage, "\(targets)")
    }
    var options = Tiny.options
    options.elites = 9
    #expect(quasarError { _ = try Tiny.search(options: options) }?.kind == .usage)
  }

  @Test func tooFewNetworksForTheTargets() throws {
    var space = Tiny.space
    space.embedDimensions = [8]
    space.depths = [1]
    space.heads = [1]
    space.mlpRatios = [1]
    space.shares = [.none]
    space.activationBits = [8]
    let search = try EvolutionarySearch(
      net: Tiny.net(), space: space, hardware: Tiny.hardware(), heldOut: Tiny.images(12),
      options: Tiny.options, seed: 1)
    let error = try #require(quasarError { _ = try search.run(targets: [10, 20]) })
    #expect(error.kind == .infeasible && error.message.contains("no second sub-network"), "\(error.message)")
  }
}
