import QuasarNetwork

/// One tensor of a timm vision transformer and the parameter of a supernet that it becomes.
struct TimmKey {
  /// Name in the file: "blocks.3.attn.qkv.weight".
  var name: String
  /// The shape that the network needs.
  var shape: [Int]
  /// Name of the parameter in Quasar: "blocks.3.qkv.weight".
  var parameter: String
  /// True if the tensor is added to the residual stream, whose scale differs (`TimmWeights`).
  var isInStream = false

  /// Every tensor that a network of this graph needs, the head last; layer scales if the file has any.
  ///
  /// On both sides linear layers are [outputs, inputs], the outputs of qkv are [3][heads][dimension of a head], and a
  /// patch is [channel][row][column].
  static func all(_ graph: LayerGraph, layerScales: Bool) -> [TimmKey] {
    let (geometry, patch) = (graph.geometry, graph.geometry.patchSize)
    return graph.layers.flatMap { layer -> [TimmKey] in
      let (parameter, width) = (layer.id.description, layer.width)
      switch layer.kind {
      case .attention: return []
      case .norm: return norm(name(layer.id), width, parameter)
      case .linear(let linear) where linear.finish == .embedding:
        return [
          TimmKey(name: "cls_token", shape: [1, 1, width], parameter: "cls", isInStream: true),
          TimmKey(name: "pos_embed", shape: [1, geometry.tokens, width], parameter: "position", isInStream: true),
          TimmKey(
            name: "patch_embed.proj.weight", shape: [width, geometry.channels, patch, patch],
            parameter: "\(parameter).weight", isInStream: true),
          TimmKey(name: "patch_embed.proj.bias", shape: [width], parameter: "\(parameter).bias", isInStream: true),
        ]
      case .linear(let sizes):
        let keys = linear(name(layer.id), sizes.rows, sizes.depth, parameter)
        guard layerScales, let gain = gain(of: layer) else { return keys }
        return keys + [TimmKey(name: gain.timm, shape: [width], parameter: gain.parameter, isInStream: true)]
      }
    }
  }

  /// The names of the factor of a residual branch that ends at this layer: in timm "blocks.3.ls1.gamma", in Quasar
  /// "blocks.3.gain1".
  static func gain(of layer: Layer) -> (timm: String, parameter: String)? {
    layer.branch.map { branch in
      let number = 1 + branch % 2
      return (layer.id.name(of: "ls\(number).gamma"), layer.id.name(of: "gain\(number)"))
    }
  }

  /// The name of a layer in timm: "blocks.3.attn.qkv".
  private static func name(_ id: LayerID) -> String {
    switch id.role {
    case .qkv: id.name(of: "attn.qkv")
    case .projection: id.name(of: "attn.proj")
    case .expand: id.name(of: "mlp.fc1")
    case .contract: id.name(of: "mlp.fc2")
    case .patches, .norm1, .attention, .norm2, .gelu, .norm, .head: id.description
    }
  }

  var isHead: Bool { name.hasPrefix("head.") }

  private static func linear(_ name: String, _ outputs: Int, _ inputs: Int, _ parameter: String) -> [TimmKey] {
    [
      TimmKey(name: name + ".weight", shape: [outputs, inputs], parameter: parameter + ".weight"),
      TimmKey(name: name + ".bias", shape: [outputs], parameter: parameter + ".bias"),
    ]
  }

  private static func norm(_ name: String, _ width: Int, _ parameter: String) -> [TimmKey] {
    ["weight", "bias"].map { TimmKey(name: "\(name).\($0)", shape: [width], parameter: "\(parameter).\($0)") }
  }
}
