import Foundation

@testable import QuasarTrain

/// A vision transformer computed as in timm (`timm/models/vision_transformer.py`), in plain Swift on timm's tensors, in
/// fp64 with the spread of fp32.
struct TimmOracle {
  var tensors: [String: (shape: [Int], values: [Double])]
  var heads: Int
  var patch: Int
  var mean: [Double]
  var deviation: [Double]
  var epsilon = 1e-6

  typealias Rows = [[Rounded]]

  /// Weights after one rounding, because Quasar rounds once after folding its factors into them.
  private func weights(_ name: String) -> [Rounded] { (tensors[name]?.values ?? []).map { Rounded($0).rounded } }

  private func has(_ name: String) -> Bool { tensors[name] != nil }

  private func linear(_ x: Rows, _ name: String) -> Rows {
    let (weight, bias) = (weights(name + ".weight"), weights(name + ".bias"))
    return x.map { row in
      bias.indices.map { o in
        Rounded.sum(row.indices.map { row[$0] * weight[o * row.count + $0] } + [bias[o]])
      }
    }
  }

  private func norm(_ x: Rows, _ name: String) -> Rows {
    let (weight, bias) = (weights(name + ".weight"), weights(name + ".bias"))
    return x.map { row in
      let share = Rounded(1 / Double(row.count)).rounded
      let mean = Rounded.sum(row) * share
      let centred = row.map { $0 - mean }
      let variance = Rounded.sum(centred.map { $0 * $0 }) * share
      let inverse = (variance + Rounded(epsilon).rounded).squareRoot.inverse
      return row.indices.map { centred[$0] * inverse * weight[$0] + bias[$0] }
    }
  }

  private func attention(_ x: Rows, _ name: String) -> Rows {
    let qkv = linear(x, name + ".qkv")
    let width = qkv[0].count / 3
    let d = width / heads
    // reshape(tokens, 3, heads, d)
    func part(_ token: Int, _ which: Int, _ head: Int) -> [Rounded] {
      (0..<d).map { qkv[token][(which * heads + head) * d + $0] }
    }
    var context = x.map { _ in [Rounded]() }
    for head in 0..<heads {
      for i in x.indices {
        let q = part(i, 0, head)
        let scores = x.indices.map { j in Rounded.sum(zip(q, part(j, 1, head)).map { $0 * $1 }) }
        // Softmax does not depend on a value that is subtracted from all scores.
        let top = Rounded(scores.map(\.value).max() ?? 0)
        let scale = Rounded(1 / Double(d).squareRoot()).rounded
        let powers = scores.map { (($0 - top) * scale).exponential }
        let inverse = Rounded.sum(powers).inverse
        context[i] += (0..<d).map { c in
          Rounded.sum(x.indices.map { powers[$0] * inverse * part($0, 2, head)[c] })
        }
      }
    }
    return linear(context, name + ".proj")
  }

  private func add(_ x: Rows, _ branch: Rows, scale: String) -> Rows {
    let gains = has(scale) ? weights(scale) : Array(repeating: Rounded(1).rounded, count: x[0].count)
    return zip(x, branch).map { row, other in row.indices.map { row[$0] + gains[$0] * other[$0] } }
  }

  /// Logits of one image, [channels][size][size] codes.
  func logits(_ image: [UInt8], size: Int) -> [Rounded] {
    let channels = mean.count
    let side = size / patch
    func pixel(_ c: Int, _ y: Int, _ x: Int) -> Rounded {
      let p = Rounded(Double(image[(c * size + y) * size + x]) / 255).rounded - Rounded(mean[c])
      return Rounded(p.value / deviation[c], spread: p.spread / deviation[c])
    }
    var x: Rows = [weights("cls_token")]
    let d = x[0].count
    let (kernel, bias) = (weights("patch_embed.proj.weight"), weights("patch_embed.proj.bias"))
    for py in 0..<side {
      for px in 0..<side {
        // A convolution whose stride is its size.
        x.append(
          (0..<d).map { o in
            var terms = [bias[o]]
            for c in 0..<channels {
              for y in 0..<patch {
                for z in 0..<patch {
                  terms.append(
                    kernel[((o * channels + c) * patch + y) * patch + z]
                      * pixel(c, py * patch + y, px * patch + z))
                }
              }
            }
            return Rounded.sum(terms)
          })
      }
    }
    let position = weights("pos_embed")
    x = x.indices.map { t in (0..<d).map { x[t][$0] + position[t * d + $0] } }
    var block = 0
    while has("blocks.\(block).norm1.weight") {
      let name = "blocks.\(block)"
      x = add(x, attention(norm(x, name + ".norm1"), name + ".attn"), scale: name + ".ls1.gamma")
      let hidden = linear(norm(x, name + ".norm2"), name + ".mlp.fc1").map { $0.map(\.gelu) }
      x = add(x, linear(hidden, name + ".mlp.fc2"), scale: name + ".ls2.gamma")
      block += 1
    }
    return linear(norm([x[0]], "norm"), "head")[0]
  }
}
