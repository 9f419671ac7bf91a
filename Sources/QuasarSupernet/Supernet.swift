import QuasarAutograd
import QuasarNetwork
import QuasarTensor

/// A vision transformer whose weights are shared by every sub-network of a space.
///
/// There is one latent fp32 matrix per layer; widths, depths and both precisions are slices of it. A single network is
/// a supernet whose sizes are those of one architecture. `extract` makes it, and everything else (training, exact
/// integers, packing) is the same code. Layer scaling: x ← x + γ ⊙ branch (Touvron et al. 2021).
public final class Supernet {
  public let size: SupernetSize
  public let entanglement: Entanglement
  public let preprocessing: Preprocessing

  /// The layers of the largest network.
  let graph: LayerGraph
  /// The learned parameters of each of these layers, in the same order.
  let layers: [LayerParameters]
  let classToken: Parameter
  let position: Parameter
  /// Step of the int16 residual stream: calibrated, not learned.
  public var residualStep: Float = 1.0 / 1024

  /// Every learned tensor, in a fixed order.
  public let parameters: [Parameter]

  /// γ of every block, in the order of the blocks; `layer_scale: false` holds them at 1.
  public var layerScales: [Parameter] { layers.compactMap(\.gain) }

  /// `gain` is the initial γ; nil sets small numbers that depend on the depth.
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
    let (geometry, width) = (size.geometry, size.embedDimension)
    graph = size.graph
    // CaiT's rule: the deeper the network, the smaller the branches at the start.
    let gain = gain ?? (graph.depth <= 18 ? 0.1 : (graph.depth <= 24 ? 1e-5 : 1e-6))
    let start = LayerStart(
      activationBits: size.activationBits, entanglement: entanglement, gain: gain,
      pixelDeviation: preprocessing.deviation.reduce(0, +) / Float(max(1, preprocessing.deviation.count)),
      random: random)
    layers = graph.layers.map { LayerParameters($0, start) }
    classToken = Parameter(
      name: "cls", role: .vector, value: random.normal("cls", shape: [width], deviation: 0.02))
    position = Parameter(
      name: "position", role: .vector,
      value: random.normal("position", shape: [geometry.tokens, width], deviation: 0.02))
    parameters =
      layers[0].parameters + [classToken, position] + layers.dropFirst().flatMap(\.parameters)
  }

  /// The learned parameters of one layer.
  subscript(id: LayerID) -> LayerParameters {
    guard let place = graph.index(of: id) else { preconditionFailure("\(id) is not a layer of these weights") }
    return layers[place]
  }

  /// The linear layers whose rows mix 4 and 8 bits, in the order of execution.
  private var mixed: [LinearParameters] { layers.compactMap(\.linear).filter(\.isMixed) }

  /// Number of latent weights (quantiser steps not counted).
  public var weightCount: Int {
    parameters.reduce(0) { $0 + ($1.role == .scale ? 0 : $1.value.count) }
  }

  /// The ranking of rows of each mixed-precision matrix, most deserving of 8 bits first, by layer name.
  public var rowRankings: [String: [Int32]] {
    get {
      Dictionary(uniqueKeysWithValues: mixed.map { ($0.name, $0.ranking) })
    }
    set {
      for linear in mixed {
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
    guard !architecture.blocks.isEmpty, architecture.depth <= graph.depth else {
      throw refuse("depth \(architecture.depth) outside 1…\(graph.depth)")
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
