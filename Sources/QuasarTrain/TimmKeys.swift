import QuasarSupernet

/// Which tensor of a timm vision transformer becomes which parameter of a supernet.
struct TimmKey {
  /// Name in the file: "blocks.3.attn.qkv.weight".
  var name: String
  /// Shape that the network needs.
  var shape: [Int]
  /// Name of the parameter here: "blocks.3.qkv.weight".
  var parameter: String
  /// Whether the tensor is added to the residual stream, whose scale differs (`TimmWeights`).
  var isInStream = false

  /// Every tensor that a network of these sizes needs, the head last; layer scales where the file has any.
  ///
  /// Linear layers are [outputs, inputs] on both sides, and the outputs of qkv are [3][heads][dimension of a head] on
  /// both sides. A patch is [channel][row][column] on both sides.
  static func all(_ size: SupernetSize, layerScales: Bool) -> [TimmKey] {
    let (geometry, d) = (size.geometry, size.embedDimension)
    let patch = geometry.patchSize
    var keys = [
      TimmKey(name: "cls_token", shape: [1, 1, d], parameter: "cls", isInStream: true),
      TimmKey(name: "pos_embed", shape: [1, geometry.tokens, d], parameter: "position", isInStream: true),
      TimmKey(
        name: "patch_embed.proj.weight", shape: [d, geometry.channels, patch, patch], parameter: "patch_embed.weight",
        isInStream: true),
      TimmKey(name: "patch_embed.proj.bias", shape: [d], parameter: "patch_embed.bias", isInStream: true),
    ]
    for (i, (width, hidden)) in zip(size.attentionWidths, size.hiddenWidths).enumerated() {
      let block = "blocks.\(i)."
      keys += norm(block + "norm1", d, block + "norm1")
      keys += linear(block + "attn.qkv", 3 * width, d, block + "qkv")
      keys += linear(block + "attn.proj", d, width, block + "projection")
      keys += norm(block + "norm2", d, block + "norm2")
      keys += linear(block + "mlp.fc1", hidden, d, block + "expand")
      keys += linear(block + "mlp.fc2", d, hidden, block + "contract")
      if layerScales {
        for branch in [1, 2] {
          keys.append(
            TimmKey(
              name: block + "ls\(branch).gamma", shape: [d], parameter: block + "gain\(branch)", isInStream: true))
        }
      }
    }
    return keys + norm("norm", d, "norm") + linear("head", geometry.classes, d, "head")
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
