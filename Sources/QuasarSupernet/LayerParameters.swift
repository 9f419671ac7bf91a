import QuasarAutograd
import QuasarQuant
import QuasarTensor

/// Weight, bias and quantiser steps of one linear layer of the supernet.
final class LinearParameters {
  let name: String
  let weight: Parameter
  let bias: Parameter
  /// Learned steps of the rows at 4 bits; nil where every row has 8 bits, or the step is tied to that of 8 bits.
  let scale4: Parameter?
  /// Whether rows may have 4 bits.
  let isMixed: Bool
  let entanglement: Entanglement
  let scale8: Parameter
  /// Rows, the one that deserves 8 bits most first; prefixes are the nested sets of 8-bit rows.
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

/// Learned steps of one activation quantiser: one parameter for each choice of bits, with `parts` steps.
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

/// Everything learned in one block.
final class BlockParameters {
  let norm1: NormParameters
  let norm1Step: ActivationSteps
  let qkv: LinearParameters
  let qkvStep: ActivationSteps
  let attentionStep: ActivationSteps
  let projection: LinearParameters
  let gain1: Parameter
  let norm2: NormParameters
  let norm2Step: ActivationSteps
  let expand: LinearParameters
  /// Step of the signed 8-bit code in front of GELU, whatever the activation bits are.
  let hiddenInputStep: ActivationSteps
  let hiddenStep: ActivationSteps
  let contract: LinearParameters
  let gain2: Parameter

  init(index: Int, size: SupernetSize, gain: Float, entanglement: Entanglement, random: RandomSource) {
    let name = "blocks.\(index)"
    let d = size.embedDimension
    let width = size.attentionWidths[index]
    let hidden = size.hiddenWidths[index]
    let bits = size.activationBits
    func linear(_ part: String, _ rows: Int, _ depth: Int) -> LinearParameters {
      LinearParameters(
        name: "\(name).\(part)", rows: rows, depth: depth, precisions: [4, 8], random: random,
        entanglement: entanglement)
    }
    func steps(_ part: String, parts: Int = 1, bits: [Int]) -> ActivationSteps {
      ActivationSteps(name: "\(name).\(part).step", parts: parts, bits: bits)
    }
    func gains(_ part: String) -> Parameter {
      Parameter(
        name: "\(name).\(part)", role: .vector, value: Tensor(repeating: gain, shape: [d]))
    }
    norm1 = NormParameters(name: "\(name).norm1", width: d)
    norm1Step = steps("norm1", bits: bits)
    qkv = linear("qkv", 3 * width, d)
    qkvStep = steps("qkv", parts: 3, bits: bits)
    attentionStep = steps("attention", bits: bits)
    projection = linear("projection", d, width)
    gain1 = gains("gain1")
    norm2 = NormParameters(name: "\(name).norm2", width: d)
    norm2Step = steps("norm2", bits: bits)
    expand = linear("expand", hidden, d)
    hiddenInputStep = steps("hidden_input", bits: [8])
    hiddenStep = steps("hidden", bits: bits)
    contract = linear("contract", d, hidden)
    gain2 = gains("gain2")
  }

  var linears: [LinearParameters] { [qkv, projection, expand, contract] }

  var parameters: [Parameter] {
    norm1.parameters + norm1Step.parameters + qkv.parameters + qkvStep.parameters
      + attentionStep.parameters + projection.parameters + [gain1] + norm2.parameters
      + norm2Step.parameters + expand.parameters + hiddenInputStep.parameters + hiddenStep.parameters
      + contract.parameters + [gain2]
  }
}
