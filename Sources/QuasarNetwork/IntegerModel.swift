import QuasarArithmetic
import QuasarTensor

/// A whole network in integers, from u8 pixels to int32 logit codes, without a float in between.
///
/// Packed from trained weights or read from a `.quasar` file; both hold the same integers.
public struct IntegerModel {
  public let spec: ArithmeticSpec
  public let architecture: Architecture
  public let graph: LayerGraph
  public let preprocessing: Preprocessing
  public let classNames: [String]
  /// The integers of `graph.layers`, in the same order.
  public let layers: [IntegerLayer]
  /// Real value of one logit code. It is for people: the decision does not need it.
  public let logitStep: Double
  /// Real value of one code of the residual stream; for people, like `logitStep`.
  public let residualStep: Double

  /// A model of finished integers; throws `badData` with the layer's name where they do not fit the architecture.
  public init(
    spec: ArithmeticSpec = .standard, architecture: Architecture, preprocessing: Preprocessing, classNames: [String],
    layers: [IntegerLayer], logitStep: Double, residualStep: Double
  ) throws {
    self.spec = spec
    self.architecture = architecture
    graph = LayerGraph(architecture)
    self.preprocessing = preprocessing
    self.classNames = classNames
    self.layers = layers
    self.logitStep = logitStep
    self.residualStep = residualStep
    try spec.validate()
    guard classNames.count == architecture.geometry.classes else {
      throw QuasarError(.badData, "\(classNames.count) class names for \(architecture.geometry.classes) classes")
    }
    precondition(layers.count == graph.layers.count, "\(layers.count) layers for a graph of \(graph.layers.count)")
    for (layer, integers) in zip(graph.layers, layers) { try integers.check(layer) }
  }

  /// Every layer with its integers, in the order of execution.
  public var walk: Zip2Sequence<[Layer], [IntegerLayer]> { zip(graph.layers, layers) }

  /// The integers of one layer; nil for a name that the network does not have.
  public subscript(id: LayerID) -> IntegerLayer? { graph.index(of: id).map { layers[$0] } }

  /// All linear layers in the order of execution.
  public var linears: [IntegerLinear] { layers.compactMap(\.linear) }

  /// int32 logit codes [images, classes] of planar u8 images [images, channels, size, size].
  ///
  /// `units` compute the layers; the default is the kernels of this CPU. `observe` receives the number of images done.
  public func logits(
    _ images: NDArray<UInt8>, on units: any IntegerUnits = KernelUnits(), observe: (Int) -> Void = { _ in }
  ) throws -> NDArray<Int32> {
    let geometry = architecture.geometry
    let expected = [geometry.channels, geometry.imageSize, geometry.imageSize]
    guard images.shape.count == 4, Array(images.shape.dropFirst()) == expected else {
      throw QuasarError(
        .badData,
        "images \(images.shape) do not fit the model's [n, \(expected.map(String.init).joined(separator: ", "))]"
      )
    }
    let count = images.shape[0]
    let result = NDArray<Int32>(uninitialized: [count, geometry.classes])
    for first in stride(from: 0, to: count, by: batchSize) {
      let last = min(first + batchSize, count)
      let codes = try logits(
        PatchBatch(images: images.rows(first..<last), geometry: geometry),
        IntegerExecution(units: units, images: last - first))
      result.rows(first..<last).assign(codes)
      observe(last)
    }
    return result
  }

  /// Images per pass through the layers: about 2,048 tokens, enough to share among threads and few enough for the
  /// caches.
  private var batchSize: Int { max(1, 2048 / architecture.geometry.tokens) }

  private func logits(_ patches: PatchBatch, _ execution: IntegerExecution) throws -> NDArray<Int32> {
    var outputs = LayerOutputs<LayerCodes>(graph)
    for (layer, integers) in walk {
      let codes = try integers.run(layer, patches, outputs, execution)
      if case .int32(let logits) = codes { return logits }
      outputs.finish(layer, codes)
    }
    preconditionFailure("the network has no head")
  }
}
