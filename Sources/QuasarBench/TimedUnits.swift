import CKernels
import Quasar

/// The kernels with a clock at each call: seconds and operations by kind of layer.
final class TimedUnits: IntegerUnits {
  enum Kind: String, CaseIterable {
    case patchEmbedding = "patch embedding"
    case layerNorm = "layer norm"
    case qkv, attention, projection, fc1, fc2, head

    /// From the name of a linear layer.
    init(linear name: String) {
      if name.hasSuffix(".qkv") {
        self = .qkv
      } else if name.hasSuffix(".projection") {
        self = .projection
      } else if name.hasSuffix(".expand") {
        self = .fc1
      } else if name.hasSuffix(".contract") {
        self = .fc2
      } else {
        self = name == "head" ? .head : .patchEmbedding
      }
    }
  }

  struct Share {
    var seconds = 0.0
    var operations = 0.0
  }

  private(set) var shares: [Kind: Share] = [:]
  private let kernels = KernelUnits()
  private let clock = ContinuousClock()

  func reset() { shares = [:] }

  private func timed(_ kind: Kind, operations: Double, _ body: () throws -> Void) rethrows {
    let seconds = try clock.measure(body).seconds
    shares[kind, default: Share()].seconds += seconds
    shares[kind, default: Share()].operations += operations
  }

  func linear(_ layer: IntegerLinear, _ arguments: inout qk_gemm_arguments, images: Int) throws {
    let operations = 2 * Double(arguments.tokens) * Double(layer.rows) * Double(layer.depth)
    try timed(Kind(linear: layer.name), operations: operations) {
      try kernels.linear(layer, &arguments, images: images)
    }
  }

  func attention(_ layer: IntegerAttention, _ arguments: inout qk_attention_arguments) throws {
    let pairs = Double(arguments.batch) * Double(arguments.tokens) * Double(arguments.tokens)
    try timed(.attention, operations: 4 * pairs * Double(layer.heads * layer.headDimension)) {
      try kernels.attention(layer, &arguments)
    }
  }

  func layerNorm(_ layer: IntegerLayerNorm, _ arguments: inout qk_layer_norm_arguments) throws {
    try timed(.layerNorm, operations: 0) { try kernels.layerNorm(layer, &arguments) }
  }
}
