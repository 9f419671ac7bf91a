import QuasarArithmetic
import QuasarAutograd
import QuasarNetwork
import QuasarTensor

/// Weight, bias and quantiser steps of one linear layer of the supernet.
final class LinearParameters {
  let name: String
  let weight: Parameter
  let bias: Parameter
  /// Learned steps of the rows at 4 bits; nil where every row has 8 bits or the 4-bit step is tied to the 8-bit step.
  let scale4: Parameter?
  /// True if rows may have 4 bits.
  let isMixed: Bool
  let entanglement: Entanglement
  let scale8: Parameter
  /// The rows, those that deserve 8 bits most first; prefixes are the nested sets of 8-bit rows.
  var ranking: [Int32]

  init(
    name: String, rows: Int, depth: Int, precisions: [Int], random: RandomSource, deviation: Float? = nil,
    entanglement: Entanglement = .independentSteps
  ) {
    self.name = name
    self.entanglement = entanglement
    isMixed = precisions.contains(4)
    let deviation = deviation ?? (1 / Float(depth)).squareRoot()
    weight = Parameter(
      name: "\(name).weight", role: .weight,
      value: random.normal("\(name).weight", shape: [rows, depth], deviation: deviation))
    bias = Parameter(name: "\(name).bias", role: .vector, value: Tensor(zeros: [rows]))
    func steps(_ bits: Int) -> Parameter {
      let limit = Float(CodeRange.signedNarrow(bits: bits).high)
      return Parameter(
        name: "\(name).step\(bits)", role: .scale,
        value: Tensor(repeating: 3 * deviation / limit, shape: [rows]))
    }
    scale4 = isMixed && entanglement == .independentSteps ? steps(4) : nil
    scale8 = steps(8)
    ranking = (0..<Int32(rows)).map { $0 }
  }

  /// The step of a row at 4 or 8 bits.
  func step(row: Int, bits: UInt8) -> Float {
    guard bits == 4, isMixed else { return scale8.value.pointer[row] }
    return scale4?.value.pointer[row] ?? 16 * scale8.value.pointer[row]
  }

  var parameters: [Parameter] { [weight, bias] + (scale4.map { [$0] } ?? []) + [scale8] }
}

final class NormParameters {
  let name: String
  let weight: Parameter
  let bias: Parameter

  init(name: String, width: Int) {
    self.name = name
    weight = Parameter(name: "\(name).weight", role: .vector, value: Tensor(repeating: 1, shape: [width]))
    bias = Parameter(name: "\(name).bias", role: .vector, value: Tensor(zeros: [width]))
  }

  var parameters: [Parameter] { [weight, bias] }
}

/// Learned steps of one activation quantiser: one parameter with `parts` steps for each choice of bits.
final class ActivationSteps {
  let name: String
  let byBits: [Int: Parameter]

  init(name: String, parts: Int, bits: [Int]) {
    self.name = name
    byBits = Dictionary(
      uniqueKeysWithValues: bits.map { bits in
        let limit = Float(CodeRange.signedNarrow(bits: bits).high)
        return (
          bits,
          Parameter(
            name: "\(name).a\(bits)", role: .scale, value: Tensor(repeating: 4 / limit, shape: [parts]))
        )
      })
  }

  func parameter(bits: Int) -> Parameter {
    guard let parameter = byBits[bits] else {
      preconditionFailure("\(name) has no steps for \(bits)-bit activations")
    }
    return parameter
  }

  var parameters: [Parameter] { byBits.keys.sorted(by: >).compactMap { byBits[$0] } }
}

/// The settings that the initial values of a network's parameters depend on.
struct LayerStart {
  /// Activation bits that have their own steps.
  var activationBits: [Int]
  var entanglement: Entanglement
  /// γ of every residual branch.
  var gain: Float
  /// Mean standard deviation of the pixels, by which the patch embedding divides.
  var pixelDeviation: Float
  var random: RandomSource
}

/// Everything learned at one layer of the largest network.
final class LayerParameters {
  let id: LayerID
  let linear: LinearParameters?
  let norm: NormParameters?
  /// Steps of the signed 8-bit codes before a table, the same for all activation bits.
  let tableSteps: ActivationSteps?
  /// Steps of the output codes; nil where they go into the residual stream or are logits.
  let steps: ActivationSteps?
  /// γ of the residual branch that ends here (layer scaling).
  let gain: Parameter?

  init(_ layer: Layer, _ start: LayerStart) {
    id = layer.id
    let isInBlock = layer.id.block != nil
    // Outside the blocks all codes have 8 bits.
    let bits = isInBlock ? start.activationBits : [8]
    func steps(_ name: String, parts: Int = 1, bits: [Int]) -> ActivationSteps {
      ActivationSteps(name: "\(name).step", parts: parts, bits: bits)
    }
    norm = layer.kind == .norm ? NormParameters(name: id.description, width: layer.width) : nil
    linear = layer.linear.map { sizes in
      LinearParameters(
        name: layer.id.description, rows: sizes.rows, depth: sizes.depth, precisions: isInBlock ? [4, 8] : [8],
        random: start.random, deviation: LayerParameters.deviation(sizes, start),
        entanglement: isInBlock ? start.entanglement : .independentSteps)
    }
    let isTable = layer.linear?.finish == .table
    tableSteps = isTable ? steps(id.name(of: "hidden_input"), bits: [8]) : nil
    switch layer.linear?.finish {
    case .table: self.steps = steps(id.name(of: "hidden"), bits: bits)
    case .codes, nil: self.steps = steps(id.description, parts: layer.linear?.parts ?? 1, bits: bits)
    case .residual, .embedding, .logits: self.steps = nil
    }
    gain = layer.branch.map { branch in
      Parameter(
        name: layer.id.name(of: "gain\(1 + branch % 2)"), role: .vector,
        value: Tensor(repeating: start.gain, shape: [layer.width]))
    }
  }

  /// Standard deviation of the weights of the first and the last layer; nil for the rule of all others.
  private static func deviation(_ linear: Layer.Linear, _ start: LayerStart) -> Float? {
    switch linear.finish {
    case .embedding: 1 / (Float(linear.depth).squareRoot() * start.pixelDeviation)
    case .logits: 0.02
    case .codes, .table, .residual: nil
    }
  }

  var parameters: [Parameter] {
    (norm?.parameters ?? []) + (linear?.parameters ?? []) + (tableSteps?.parameters ?? [])
      + (steps?.parameters ?? []) + (gain.map { [$0] } ?? [])
  }
}
