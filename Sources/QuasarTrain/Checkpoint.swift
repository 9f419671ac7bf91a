import Foundation
import QuasarAutograd
import QuasarInterchange
import QuasarNetwork
import QuasarSupernet
import QuasarTensor

/// Everything that a run needs to continue, in one safetensors file: weights, quantiser steps, row rankings, optimiser.
///
/// It holds no time, host, path or number of threads, so equal runs give equal bytes. Tensor names: the parameter's own
/// name; `ranking.L`; `moment1.P` and `moment2.P`; `average.P` where weights are averaged; `residual_step`;
/// `oscillation.code.L`, `.state.L`, `.frequency.L` and `.mean.L` where codes are followed.
public struct Checkpoint {
  /// The network and the options that the weights belong to.
  public struct Description: Codable, Sendable, Equatable {
    public var size: SupernetSize
    public var entanglement: Entanglement
    public var preprocessing: Preprocessing
    public var classNames: [String]
    /// The space of a supernet; nil for one network.
    public var space: SearchSpace?
    /// The architecture of one network; nil for a supernet.
    public var architecture: Architecture?
    public var options: TrainingOptions
    public var seed: UInt64
    public var step: Int
    public var totalSteps: Int

    public init(
      net: Supernet, classNames: [String], plan: SubnetPlan, options: TrainingOptions, seed: UInt64,
      step: Int,
      totalSteps: Int
    ) {
      size = net.size
      entanglement = net.entanglement
      preprocessing = net.preprocessing
      self.classNames = classNames
      space = plan.space
      architecture = plan.architecture
      self.options = options
      self.seed = seed
      self.step = step
      self.totalSteps = totalSteps
    }

    public var plan: SubnetPlan? {
      architecture.map { SubnetPlan.fixed($0) } ?? space.map { SubnetPlan.space($0) }
    }
  }

  public let description: Description
  public let net: Supernet
  private let file: SafetensorsFile
  private let path: String

  /// Writes a checkpoint; the file appears completely or not at all.
  public static func write(
    _ description: Description, net: Supernet, optimizer: AdamW?, average: WeightAverage? = nil,
    oscillation: OscillationTracker? = nil, to path: String
  ) throws {
    let json = try JSONText.encode(description, pretty: false)
    var file = SafetensorsFile(metadata: ["format": "quasar-checkpoint", "description": json])
    func add(_ tensor: Tensor, _ name: String) throws {
      try file.add(tensor.scalars, shape: tensor.shape, named: name)
    }
    for parameter in net.parameters { try add(parameter.value, parameter.name) }
    for (name, ranking) in net.rowRankings {
      try file.add(ranking, shape: [ranking.count], named: "ranking.\(name)")
    }
    try file.add([net.residualStep], shape: [1], named: "residual_step")
    if let optimizer {
      for (parameter, moment) in zip(optimizer.parameters, optimizer.moments) {
        try add(moment.first, "moment1.\(parameter.name)")
        try add(moment.second, "moment2.\(parameter.name)")
      }
    }
    if let average {
      for (parameter, value) in zip(average.parameters, average.values) {
        try add(value, "average.\(parameter.name)")
      }
    }
    for matrix in oscillation?.matrices ?? [] {
      try file.add(matrix.codes.scalars, shape: matrix.codes.shape, named: "oscillation.code.\(matrix.name)")
      try file.add(matrix.states.scalars, shape: matrix.states.shape, named: "oscillation.state.\(matrix.name)")
      try add(matrix.frequencies, "oscillation.frequency.\(matrix.name)")
      try add(matrix.means, "oscillation.mean.\(matrix.name)")
    }
    try file.write(to: path)
  }

  /// Reads a checkpoint; every tensor must be present with its shape.
  public init(contentsOf path: String) throws {
    file = try SafetensorsFile.read(path)
    self.path = path
    guard file.metadata["format"] == "quasar-checkpoint", let json = file.metadata["description"] else {
      throw QuasarError(.badData, "\(path): a safetensors file, but not a checkpoint of Quasar")
    }
    do {
      description = try JSONDecoder().decode(Description.self, from: Data(json.utf8))
    } catch {
      throw QuasarError(.badData, "\(path): its description is not understood (\(error))")
    }
    let expected: SupernetSize
    if let architecture = description.architecture {
      try architecture.validate(source: path)
      expected = SupernetSize(architecture)
    } else if let space = description.space {
      try space.validate(source: path)
      expected = SupernetSize(space)
    } else {
      throw QuasarError(.badData, "\(path): names neither a space nor an architecture")
    }
    let channels = expected.geometry.channels
    guard description.size == expected, description.preprocessing.mean.count == channels,
      description.preprocessing.deviation.count == channels
    else {
      throw QuasarError(.badData, "\(path): sizes or preprocessing do not fit its architecture or space")
    }
    net = Supernet(
      size: description.size, preprocessing: description.preprocessing,
      random: RandomSource(seed: description.seed), entanglement: description.entanglement)
    for parameter in net.parameters {
      try read(parameter.name, into: parameter.value)
      guard parameter.role != .scale || parameter.value.scalars.allSatisfy({ $0 > 0 }) else {
        throw QuasarError(.badData, "\(path): \(parameter.name) holds a quantiser step that is not positive")
      }
    }
    var rankings = net.rowRankings
    for (name, current) in rankings {
      let ranking: [Int32] = try values("ranking.\(name)", [current.count])
      guard ranking.sorted() == (0..<Int32(ranking.count)).map({ $0 }) else {
        throw QuasarError(.badData, "\(path): ranking.\(name) is no order of its \(ranking.count) rows")
      }
      rankings[name] = ranking
    }
    net.rowRankings = rankings
    let step: [Float] = try values("residual_step", [1])
    guard step[0].isFinite, step[0] > 0 else {
      throw QuasarError(.badData, "\(path): residual_step is \(step[0]), it must be positive")
    }
    net.residualStep = step[0]
  }

  /// Gives the network its averaged weights if the run has them. These are the weights that are evaluated, searched and
  /// packed.
  public func applyAverage() throws {
    guard description.options.average > 0 else { return }
    for parameter in net.parameters { try read("average.\(parameter.name)", into: parameter.value) }
  }

  /// Restores optimiser, averaged weights and followed codes of a trainer to the state of the checkpoint.
  public func restore(_ trainer: Trainer) throws {
    if let average = trainer.average {
      for (parameter, value) in zip(average.parameters, average.values) {
        try read("average.\(parameter.name)", into: value)
      }
    }
    if let oscillation = trainer.oscillation { try restore(oscillation) }
    try restore(trainer.optimizer)
  }

  private func restore(_ oscillation: OscillationTracker) throws {
    func codes(_ name: String, into array: NDArray<Int8>, range: ClosedRange<Int8>) throws {
      let numbers: [Int8] = try values(name, array.shape)
      guard numbers.allSatisfy(range.contains) else {
        throw QuasarError(.badData, "\(path): \(name) holds a number outside \(range.lowerBound)…\(range.upperBound)")
      }
      array.assign(NDArray(numbers, shape: array.shape))
    }
    for matrix in oscillation.matrices {
      try codes("oscillation.code.\(matrix.name)", into: matrix.codes, range: -127...127)
      try codes("oscillation.state.\(matrix.name)", into: matrix.states, range: -1...2)
      try read("oscillation.frequency.\(matrix.name)", into: matrix.frequencies)
      try read("oscillation.mean.\(matrix.name)", into: matrix.means)
    }
    oscillation.restored()
  }

  /// Restores an optimiser to the state of the checkpoint.
  public func restore(_ optimizer: AdamW) throws {
    for (parameter, moment) in zip(optimizer.parameters, optimizer.moments) {
      try read("moment1.\(parameter.name)", into: moment.first)
      try read("moment2.\(parameter.name)", into: moment.second)
    }
    optimizer.step = description.step
  }

  private func read(_ name: String, into tensor: Tensor) throws {
    let numbers: [Float] = try values(name, tensor.shape)
    guard numbers.allSatisfy(\.isFinite) else {
      throw QuasarError(.badData, "\(path): \(name) holds a number that is not finite")
    }
    tensor.assign(Tensor(numbers, shape: tensor.shape))
  }

  private func values<Element: TensorElement>(_ name: String, _ shape: [Int]) throws -> [Element] {
    let found = try file.tensor(named: name).shape
    guard found == shape else {
      throw QuasarError(.badData, "\(path): \(name) has shape \(found), the network needs \(shape)")
    }
    return try file.values(name)
  }
}
