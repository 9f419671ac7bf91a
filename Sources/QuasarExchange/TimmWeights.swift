import QuasarInterchange
import QuasarNetwork
import QuasarTensor

/// The weights of a vision transformer from timm, as parameters of a network here that gives the same logits in fp32.
///
/// Read from a safetensors file of F32, F16 or BF16 tensors under timm's names. Two things differ and are folded in:
///
/// Pixels. timm computes W·(p/255 − m)/s for each channel, Quasar W′·(p/255 − m): with W′ = W/s and the mean m as the
/// network's preprocessing both are equal, the bias stays.
///
/// LayerNorm. timm divides by √(σ² + 10⁻⁶), Quasar by √(σ² + 10⁻⁵). For every c > 0,
/// (c·x − c·μ)/√(c²σ² + c²ε) = (x − μ)/√(σ² + ε): with the residual stream c = √10 times as large the norms are those
/// of timm. So all that is added to the stream is multiplied by c: W′ and its bias, class token, positions and the
/// gains of the branches, which are timm's layer scales, or 1 where it has none. What the norms put out, and so
/// branches and head, does not change.
///
/// The width of a head is not in the file: the space has to name the right one (64 for every DeiT).
public struct TimmWeights {
  /// Where the head comes from.
  public enum Head: Equatable, Sendable {
    /// From the file.
    case taken
    /// Random, because the file has another number of classes, or no head at all (nil).
    case random(fileClasses: Int?)
  }

  /// The mean pixel of each channel as the network was trained with it, and the deviation.
  public let preprocessing: Preprocessing
  private let file: SafetensorsFile
  private let path: String

  /// Mean and deviation of ImageNet, with which DeiT was trained (timm: IMAGENET_DEFAULT_MEAN, …_STD).
  public static let imageNet = Preprocessing(mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])

  /// √(10⁻⁵/10⁻⁶): the residual stream here against timm's.
  static let streamScale = 10.0.squareRoot()

  /// Reads the file; its names and shapes are compared with a network by `check`.
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
  /// Throws `badData` with all names that are missing or surplus and all shapes that differ, `usage` for means of another
  /// number of channels.
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

  /// The values of every parameter of a network that the file decides, by the parameter's name.
  ///
  /// The order of values is that of the network's tensors. Throws as `check` does, and `badData` for numbers that are
  /// not finite.
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

  /// Whether a network of so many classes takes the file's head.
  public func head(classes: Int) -> Head {
    guard let weight = file.tensors["head.weight"] else { return .random(fileClasses: nil) }
    let found = weight.shape.first ?? 0
    return found == classes ? .taken : .random(fileClasses: found)
  }

  private var hasLayerScales: Bool {
    file.names.contains { $0.hasSuffix(".ls1.gamma") || $0.hasSuffix(".ls2.gamma") }
  }

  /// What the values are multiplied by: one factor, or one for each channel of the patches.
  private func factors(_ key: TimmKey) -> [Double] {
    let scale = key.isInStream ? TimmWeights.streamScale : 1
    guard key.parameter == "patch_embed.weight" else { return [scale] }
    return preprocessing.deviation.map { scale / Double($0) }
  }

  /// The tensors that a network takes: all, or all but the head.
  private func used(_ graph: LayerGraph) -> [TimmKey] {
    let isHeadTaken = head(classes: graph.geometry.classes) == .taken
    return TimmKey.all(graph, layerScales: hasLayerScales).filter { !$0.isHead || isHeadTaken }
  }

  /// The texts, sorted; at most a dozen, then how many more.
  static func list(_ texts: [String]) -> String {
    let sorted = texts.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let shown = sorted.prefix(12).joined(separator: ", ")
    return sorted.count <= 12 ? shown : "\(shown) and \(sorted.count - 12) more"
  }
}
