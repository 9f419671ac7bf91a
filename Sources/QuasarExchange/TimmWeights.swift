import QuasarInterchange
import QuasarNetwork
import QuasarTensor

/// The weights of a vision transformer from timm, as parameters of a Quasar network that gives the same logits in fp32.
///
/// They are read from a safetensors file of F32, F16 or BF16 tensors under timm's names. Two things differ and are
/// folded in:
///
/// Pixels. timm computes W·(p/255 − m)/s for each channel, Quasar W′·(p/255 − m). With W′ = W/s and the mean m as the
/// network's preprocessing both are equal, and the bias does not change.
///
/// LayerNorm. timm divides by √(σ² + 10⁻⁶), Quasar by √(σ² + 10⁻⁵). For every c > 0, (c·x − c·μ)/√(c²σ² + c²ε) = (x −
/// μ)/√(σ² + ε). So with a residual stream that is c = √10 times as large, the norms equal those of timm. Therefore
/// everything added to the stream is multiplied by c: W′ and its bias, class token, positions and the gains of the
/// branches, which are timm's layer scales, or 1 if it has none. The outputs of the norms do not change, and so neither
/// do branches and head.
///
/// The width of a head is not in the file: the space has to give the right one (64 for every DeiT).
public struct TimmWeights {
  /// The source of the head.
  public enum Head: Equatable, Sendable {
    /// From the file.
    case taken
    /// Random, because the file has another number of classes, or no head at all (nil).
    case random(fileClasses: Int?)
  }

  /// The mean pixel of each channel and the deviation with which the network was trained.
  public let preprocessing: Preprocessing
  private let file: SafetensorsFile
  private let path: String

  /// Mean and deviation of ImageNet, with which DeiT was trained (timm: IMAGENET_DEFAULT_MEAN, …_STD).
  public static let imageNet = Preprocessing(mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])

  /// √(10⁻⁵/10⁻⁶): the scale of Quasar's residual stream relative to timm's.
  static let streamScale = 10.0.squareRoot()

  /// Reads the file; `check` compares its names and shapes with a network.
  public init(contentsOf path: String, preprocessing: Preprocessing = imageNet) throws {
    guard preprocessing.mean.count == preprocessing.deviation.count, preprocessing.mean.allSatisfy(\.isFinite),
      preprocessing.deviation.allSatisfy({ $0.isFinite && $0 > 0 })
    else {
      throw QuasarError(
        .usage,
        "the pixels of \(path) have means \(preprocessing.mean) and deviations \(preprocessing.deviation); give as many "
          + "of each, deviations above 0")
    }
    self.path = path
    self.preprocessing = preprocessing
    file = try SafetensorsFile.read(path)
  }

  /// Compares names, shapes and channels with a network.
  ///
  /// Throws `badData` with all names that are missing or surplus and all shapes that differ, and `usage` if the means
  /// have another number of channels.
  public func check(_ graph: LayerGraph) throws {
    guard preprocessing.mean.count == graph.geometry.channels else {
      throw QuasarError(
        .usage,
        "the pixels of \(path) have means for \(preprocessing.mean.count) channels, but the images have "
          + "\(graph.geometry.channels); give one mean and one deviation per channel")
    }
    let used = used(graph)
    let head: Set = file.tensors["head.weight"] == nil ? [] : ["head.weight", "head.bias"]
    let known = head.union(used.map(\.name))
    let missing = used.map(\.name).filter { file.tensors[$0] == nil }
    let surplus = file.names.filter { !known.contains($0) }
    let shapes = used.compactMap { key -> String? in
      guard let found = file.tensors[key.name]?.shape, found != key.shape else { return nil }
      let tokens =
        key.name == "pos_embed" && found.count == 3
        ? ", \(found[1]) tokens where the space has \(key.shape[1])" : ""
      return "\(key.name) is \(found), needed is \(key.shape)\(tokens)"
    }
    let faults = [("missing", missing), ("surplus", surplus), ("of another shape", shapes)].filter { !$1.isEmpty }
    guard !faults.isEmpty else { return }
    throw QuasarError(
      .badData,
      "\(path): not the weights of the space's largest network (embedding \(graph.width), depth "
        + "\(graph.depth)): "
        + faults.map { "\($0): \(TimmWeights.list($1))" }.joined(separator: "; ")
        + "; choose a timm vision transformer of exactly these sizes, or a space that fits")
  }

  /// The values of every parameter that the file determines, by the parameter's name.
  ///
  /// The values are in the order of the network's tensors. Throws the errors of `check`, and `badData` for numbers that
  /// are not finite.
  public func parameters(_ graph: LayerGraph) throws -> [String: [Float]] {
    try check(graph)
    var parameters: [String: [Float]] = [:]
    for key in used(graph) {
      let place = "\(path): tensor “\(key.name)”"
      var values = try file.tensor(named: key.name).floats(name: place)
      guard values.allSatisfy(\.isFinite) else {
        throw QuasarError(.badData, "\(place): holds a number that is not finite; fetch the file again")
      }
      let factors = factors(key)
      let width = key.shape.dropFirst().reduce(1, *)
      for i in values.indices {
        let factor = factors[i % width / (width / factors.count)]
        if factor != 1 { values[i] = Float(Double(values[i]) * factor) }
      }
      parameters[key.parameter] = values
    }
    if !hasLayerScales {
      for layer in graph.layers {
        guard let gain = TimmKey.gain(of: layer) else { continue }
        parameters[gain.parameter] = Array(repeating: Float(TimmWeights.streamScale), count: layer.width)
      }
    }
    return parameters
  }

  /// The head of a network with this many classes: the file's or a random one.
  public func head(classes: Int) -> Head {
    guard let weight = file.tensors["head.weight"] else { return .random(fileClasses: nil) }
    let found = weight.shape.first ?? 0
    return found == classes ? .taken : .random(fileClasses: found)
  }

  private var hasLayerScales: Bool {
    file.names.contains { $0.hasSuffix(".ls1.gamma") || $0.hasSuffix(".ls2.gamma") }
  }

  /// The factor that the values are multiplied by: one for all, or one for each channel of the patches.
  private func factors(_ key: TimmKey) -> [Double] {
    let scale = key.isInStream ? TimmWeights.streamScale : 1
    guard key.parameter == "patch_embed.weight" else { return [scale] }
    return preprocessing.deviation.map { scale / Double($0) }
  }

  /// The tensors that a network uses: all, or all but the head.
  private func used(_ graph: LayerGraph) -> [TimmKey] {
    let isHeadTaken = head(classes: graph.geometry.classes) == .taken
    return TimmKey.all(graph, layerScales: hasLayerScales).filter { !$0.isHead || isHeadTaken }
  }

  /// The texts, sorted; at most a dozen, then the number of the others.
  static func list(_ texts: [String]) -> String {
    let sorted = texts.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let shown = sorted.prefix(12).joined(separator: ", ")
    return sorted.count <= 12 ? shown : "\(shown) and \(sorted.count - 12) more"
  }
}
