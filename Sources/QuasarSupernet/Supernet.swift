import QuasarAutograd
import QuasarNN
import QuasarQuant
import QuasarTensor

/// Mean and standard deviation of the pixels of each channel, on the scale 0…1.
public struct Preprocessing: Codable, Hashable, Sendable {
  public var mean: [Float]
  public var deviation: [Float]

  public init(mean: [Float], deviation: [Float]) {
    self.mean = mean
    self.deviation = deviation
  }
}

/// The largest sizes of every axis: what the shared weights must hold.
public struct SupernetSize: Codable, Hashable, Sendable {
  public var geometry: ImageGeometry
  public var embedDimension: Int
  /// heads·headDimension of each block.
  public var attentionWidths: [Int]
  public var hiddenWidths: [Int]
  /// Activation bits that have steps of their own.
  public var activationBits: [Int]

  public init(
    geometry: ImageGeometry, embedDimension: Int, attentionWidths: [Int], hiddenWidths: [Int],
    activationBits: [Int]
  ) {
    self.geometry = geometry
    self.embedDimension = embedDimension
    self.attentionWidths = attentionWidths
    self.hiddenWidths = hiddenWidths
    self.activationBits = activationBits
  }

  /// Exactly one architecture.
  public init(_ architecture: Architecture) {
    self.init(
      geometry: architecture.geometry, embedDimension: architecture.embedDimension,
      attentionWidths: architecture.blocks.indices.map { architecture.attentionWidth($0) },
      hiddenWidths: architecture.blocks.indices.map { architecture.hiddenWidth($0) },
      activationBits: [architecture.activationBits])
  }

  /// The sizes that hold every architecture of a space.
  public init(_ space: SearchSpace) {
    let embed = space.embedDimensions.max() ?? 0
    let depth = space.depths.max() ?? 0
    let heads = space.heads.max() ?? 0
    let ratio = space.mlpRatios.max() ?? 0
    let hidden = max(8, Int((Double(embed) * ratio / 8).rounded()) * 8)
    self.init(
      geometry: space.geometry, embedDimension: embed,
      attentionWidths: Array(repeating: heads * space.geometry.headDimension, count: depth),
      hiddenWidths: Array(repeating: hidden, count: depth), activationBits: space.activationBits)
  }
}

/// A vision transformer whose weights are shared by every sub-network of a space.
///
/// One latent fp32 matrix per layer; widths, depths and both precisions are slices of it. A single network is
/// a supernet whose sizes are those of one architecture: `extract` makes it, and everything else (training,
/// exact integers, packing) is the same code. Layer scaling: x ← x + γ ⊙ branch (Touvron et al. 2021).
public final class Supernet {
  public let size: SupernetSize
  public let entanglement: Entanglement
  public let preprocessing: Preprocessing

  let patchEmbedding: LinearParameters
  let classToken: Parameter
  let position: Parameter
  let blocks: [BlockParameters]
  let finalNorm: NormParameters
  let headStep: ActivationSteps
  let head: LinearParameters
  /// Step of the int16 residual stream: calibrated, not learned.
  public var residualStep: Float = 1.0 / 1024

  /// Every learned tensor, in a fixed order.
  public let parameters: [Parameter]

  /// γ of every block, in their order: what `layer_scale: false` holds at 1.
  public var layerScales: [Parameter] { blocks.flatMap { [$0.gain1, $0.gain2] } }

  /// `gain`: γ at the start; nil: small numbers by depth.
  public init(
    size: SupernetSize, preprocessing: Preprocessing, random: RandomSource,
    entanglement: Entanglement = .independentSteps, gain: Float? = nil
  ) {
    precondition(
      preprocessing.mean.count == size.geometry.channels
        && preprocessing.deviation.count == size.geometry.channels,
      "preprocessing of \(preprocessing.mean.count) channels for \(size.geometry.channels)")
    self.size = size
    self.entanglement = entanglement
    self.preprocessing = preprocessing
    let d = size.embedDimension
    let geometry = size.geometry
    let fanIn = Float(geometry.patchInputs).squareRoot()
    let pixelDeviation =
      preprocessing.deviation.reduce(0, +) / Float(max(1, preprocessing.deviation.count))
    patchEmbedding = LinearParameters(
      name: "patch_embed", rows: d, depth: geometry.patchInputs, precisions: [8], random: random,
      deviation: 1 / (fanIn * pixelDeviation))
    classToken = Parameter(
      name: "cls", role: .vector, value: random.normal("cls", shape: [d], deviation: 0.02))
    position = Parameter(
      name: "position", role: .vector,
      value: random.normal("position", shape: [geometry.tokens, d], deviation: 0.02))
    // CaiT's rule: the deeper the network, the smaller the first branches.
    let depth = size.attentionWidths.count
    let gain = gain ?? (depth <= 18 ? 0.1 : (depth <= 24 ? 1e-5 : 1e-6))
    blocks = (0..<depth).map {
      BlockParameters(index: $0, size: size, gain: gain, entanglement: entanglement, random: random)
    }
    finalNorm = NormParameters(name: "norm", width: d)
    headStep = ActivationSteps(name: "norm.step", parts: 1, bits: [8])
    head = LinearParameters(
      name: "head", rows: geometry.classes, depth: d, precisions: [8], random: random, deviation: 0.02)
    parameters =
      patchEmbedding.parameters + [classToken, position] + blocks.flatMap(\.parameters)
      + finalNorm.parameters + headStep.parameters + head.parameters
  }

  /// Number of latent weights (quantiser steps not counted).
  public var weightCount: Int {
    parameters.reduce(0) { $0 + ($1.role == .scale ? 0 : $1.value.count) }
  }

  /// The ranking of rows of each mixed-precision matrix, most deserving of 8 bits first, by layer name.
  public var rowRankings: [String: [Int32]] {
    get {
      Dictionary(uniqueKeysWithValues: blocks.flatMap(\.linears).map { ($0.name, $0.ranking) })
    }
    set {
      for linear in blocks.flatMap(\.linears) {
        if let ranking = newValue[linear.name] { linear.ranking = ranking }
      }
    }
  }

  /// Throws unless the architecture is a slice of these weights.
  public func checkFits(_ architecture: Architecture) throws {
    func refuse(_ what: String) -> QuasarError {
      QuasarError(.badData, "the architecture does not fit the trained weights: \(what)")
    }
    guard architecture.geometry == size.geometry else {
      throw refuse("its images are \(architecture.geometry), trained \(size.geometry)")
    }
    guard architecture.embedDimension <= size.embedDimension else {
      throw refuse("embedding width \(architecture.embedDimension) exceeds \(size.embedDimension)")
    }
    guard size.activationBits.contains(architecture.activationBits) else {
      throw refuse("no steps for \(architecture.activationBits)-bit activations (\(size.activationBits))")
    }
    guard !architecture.blocks.isEmpty, architecture.depth <= blocks.count else {
      throw refuse("depth \(architecture.depth) outside 1…\(blocks.count)")
    }
    for i in architecture.blocks.indices {
      guard architecture.attentionWidth(i) <= size.attentionWidths[i],
        architecture.hiddenWidth(i) <= size.hiddenWidths[i]
      else {
        throw refuse(
          "block \(i) is \(architecture.attentionWidth(i))/\(architecture.hiddenWidth(i)) wide, trained "
            + "\(size.attentionWidths[i])/\(size.hiddenWidths[i])")
      }
    }
  }
}
