import QuasarData
import QuasarHardware
import QuasarInterchange
import QuasarNetwork
import QuasarProcesses
import QuasarSupernet
import QuasarTensor
import QuasarTrain

/// Evolution under hardware constraints: one sub-network per FPS target.
///
/// Speed and resources of a candidate are checked before its accuracy is measured. Accuracy is measured with the shared
/// weights on held-out training images, never on test images. Equal seeds give equal lineages with any number of
/// processes: each draws the same candidates and measures its part of them.
public final class EvolutionarySearch {
  private let net: Supernet
  private let space: SearchSpace
  private let hardware: HardwareModel
  private let images: any ImageSource
  private let options: SearchOptions
  private let seed: UInt64
  private let processes: any ProcessGroup
  private var random: RandomStream
  private var candidates: [Candidate] = []
  private var scored: [Architecture: Int] = [:]
  private var speeds: [Architecture: Speed] = [:]
  /// Candidates that are drawn and not yet scored.
  private var proposals: [Proposal] = []
  private var refused = 0

  private struct Proposal {
    var architecture: Architecture
    var origin: Candidate.Origin
    var parents: [Int]
    var generation: Int
  }

  private struct Speed {
    var fps: Double
    var fits: Bool
    var dsp: Int
    var lut: Int
    var bram18: Int
  }

  /// Receives progress: candidates scored so far, their approximate total, the latest one.
  public typealias Observer = (_ done: Int, _ total: Int, _ candidate: Candidate) throws -> Void

  /// `heldOut` are training images that the training left out; the first `options.images` are used.
  public init(
    net: Supernet, space: SearchSpace, hardware: HardwareModel, heldOut: any ImageSource, options: SearchOptions,
    seed: UInt64, processes: any ProcessGroup = SingleProcess()
  ) throws {
    try options.validate()
    self.processes = processes
    self.net = net
    self.space = space
    self.hardware = hardware
    self.options = options
    self.seed = seed
    images =
      heldOut.count > options.images
      ? try heldOut.selecting((0..<options.images).map { $0 * heldOut.count / options.images }) : heldOut
    random = RandomSource(seed: seed).generator("search")
  }

  /// Searches every target; throws `infeasible` with the limit if a target is out of reach.
  public func run(targets: [Double], observe: Observer = { _, _, _ in }) throws -> SearchResult {
    guard !targets.isEmpty, targets.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw QuasarError(.usage, "FPS targets must be positive numbers, such as 100,160,250")
    }
    guard Set(targets).count == targets.count else {
      throw QuasarError(.usage, "an FPS target is named twice; each target gets a sub-network of its own")
    }
    let sorted = targets.sorted()
    try requireReachable(sorted.last ?? 0)
    let total = sorted.count * (options.population + options.generations * options.children)
    for target in sorted.reversed() { try evolve(target, total: total, observe: observe) }

    // From the fastest target down, so that a slower target gets another network than the faster ones.
    var taken = Set<Architecture>()
    var results: [TargetResult] = []
    for target in sorted.reversed() {
      let best = candidates.filter { $0.fps >= target && !taken.contains($0.architecture) }
        .sorted(by: Candidate.ranksBefore).first
      guard let best else {
        throw QuasarError(
          .infeasible, "no second sub-network reaches \(target) FPS; the space is too small for these targets"
        )
      }
      taken.insert(best.architecture)
      results.append(TargetResult(target: target, candidate: best))
    }
    return SearchResult(
      space: space.name, device: hardware.device.name, clockMHz: hardware.clockMHz, seed: seed,
      options: options, results: results.reversed(), pareto: paretoFront(), candidates: candidates,
      refused: refused)
  }

  // MARK: Evolution

  private func evolve(_ target: Double, total: Int, observe: Observer) throws {
    for (architecture, origin) in [
      (space.largest, Candidate.Origin.largest), (space.smallest, Candidate.Origin.smallest),
    ] where !proposals.contains(where: { $0.architecture == architecture }) {
      if try reaches(architecture, target) { propose(architecture, origin, [], 0) }
    }
    while proposals.count < options.population {
      guard let drawn = try draw(target, { self.space.sample(&$0) }) else { break }
      propose(drawn, .random, [], 0)
    }
    var population = try scoreProposals(target, total: total, observe: observe)
    for generation in 1...max(1, options.generations) where options.generations > 0 {
      let elites = population.map { candidates[$0] }.sorted(by: Candidate.ranksBefore)
        .prefix(options.elites).map(\.id)
      for _ in 0..<options.children {
        let (a, b) = (random.pick(elites), random.pick(elites))
        let crosses = random.unit() < options.crossover && a != b
        let child = try draw(target) { random in
          crosses
            ? self.space.crossover(
              self.candidates[a].architecture, self.candidates[b].architecture, &random)
            : self.space.mutation(self.candidates[a].architecture, self.options, &random)
        }
        guard let child else { continue }
        propose(child, crosses ? .crossover : .mutation, crosses ? [a, b] : [a], generation)
      }
      population += try scoreProposals(target, total: total, observe: observe)
    }
  }

  private func propose(
    _ architecture: Architecture, _ origin: Candidate.Origin, _ parents: [Int], _ generation: Int
  ) {
    proposals.append(
      Proposal(architecture: architecture, origin: origin, parents: parents, generation: generation))
  }

  /// Draws until a candidate is new and reaches the target; nil after `attempts` draws.
  private func draw(
    _ target: Double, _ make: (inout RandomStream) -> Architecture
  ) throws -> Architecture? {
    for _ in 0..<options.attempts {
      let architecture = make(&random)
      if scored[architecture] != nil || proposals.contains(where: { $0.architecture == architecture }) { continue }
      if try reaches(architecture, target) { return architecture }
      refused += 1
    }
    return nil
  }

  private func speed(_ architecture: Architecture) throws -> Speed {
    if let known = speeds[architecture] { return known }
    let estimate = try hardware.estimate(architecture)
    let speed = Speed(
      fps: estimate.fps, fits: estimate.fits, dsp: estimate.dsp, lut: estimate.lut, bram18: estimate.bram18)
    speeds[architecture] = speed
    return speed
  }

  private func reaches(_ architecture: Architecture, _ target: Double) throws -> Bool {
    let speed = try speed(architecture)
    return speed.fits && speed.fps >= target
  }

  /// Scores the proposals, as many at a time as there are processes; returns the numbers of the candidates.
  private func scoreProposals(_ target: Double, total: Int, observe: Observer) throws -> [Int] {
    let proposed = proposals
    proposals = []
    var ids: [Int] = []
    for first in stride(from: 0, to: proposed.count, by: processes.size) {
      let group = proposed[first..<min(first + processes.size, proposed.count)].map { $0 }
      let correct = try processes.map(group.count) { index in
        let architecture = group[index].architecture
        if scored[architecture] != nil { return 0 }
        let evaluation = try Evaluation(net, architecture: architecture, mode: .quantized, data: images)
        // It is a count of images, which is exact as a float.
        return Float((evaluation.accuracy * Double(images.count)).rounded())
      }
      for (proposal, correct) in zip(group, correct) {
        let id = try scored[proposal.architecture] ?? add(proposal, target, Double(correct) / Double(images.count))
        ids.append(id)
        try observe(candidates.count, total, candidates[id])
      }
    }
    return ids
  }

  private func add(_ proposal: Proposal, _ target: Double, _ accuracy: Double) throws -> Int {
    let architecture = proposal.architecture
    let speed = try speed(architecture)
    let id = candidates.count
    candidates.append(
      Candidate(
        id: id, origin: proposal.origin, parents: proposal.parents, generation: proposal.generation, target: target,
        architecture: architecture, fps: speed.fps, dsp: speed.dsp, lut: speed.lut, bram18: speed.bram18,
        accuracy: accuracy, averageWeightBits: architecture.averageWeightBits))
    scored[architecture] = id
    return id
  }

  /// Throws unless the smallest network reaches the target; it is the fastest of the space.
  private func requireReachable(_ target: Double) throws {
    let report = try hardware.feasibility(space.smallest, targetFPS: target)
    guard !report.feasible else { return }
    throw QuasarError(
      .infeasible,
      "no sub-network of space '\(space.name)' reaches \(target) FPS: \(report.message) "
        + "(fastest reachable: \(Int(report.fastestFPS)) FPS with the smallest sub-network, limited by "
        + "\(report.limit.rawValue))")
  }

  private func paretoFront() -> [Int] {
    var best = -1.0
    return candidates.sorted { ($0.fps, $0.accuracy, -$0.id) > ($1.fps, $1.accuracy, -$1.id) }
      .filter { candidate in
        defer { best = max(best, candidate.accuracy) }
        return candidate.accuracy > best
      }
      .map(\.id)
  }
}
