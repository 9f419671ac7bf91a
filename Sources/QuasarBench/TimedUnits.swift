import CKernels
import Quasar

/// The kernels with a clock at each call: seconds and operations by kind of layer.
final class TimedUnits: IntegerUnits {
  /// Names of the kinds of layers in tables, in the order of execution.
  static let kinds: [String] = LayerID.Role.allCases.filter { $0 != .gelu }.map(kind).reduce(into: []) {
    if !$0.contains($1) { $0.append($1) }
  }

  /// The kind of a layer: LayerNorms of all places are one kind, the layers of the MLP have their common names.
  private static func kind(_ role: LayerID.Role) -> String {
    switch role {
    case .patches: "patch embedding"
    case .norm1, .norm2, .norm: "layer norm"
    case .expand: "fc1"
    case .contract: "fc2"
    default: role.rawValue
    }
  }

  struct Share {
    var seconds = 0.0
    var operations = 0.0
  }

  private(set) var shares: [String: Share] = [:]
  private let kernels = KernelUnits()
  private let clock = ContinuousClock()

  func reset() { shares = [:] }

  private func timed(_ layer: String, operations: Double, _ body: () throws -> Void) rethrows {
    guard let role = LayerID(layer)?.role else { preconditionFailure("\(layer) is not a layer of a network") }
    let kind = TimedUnits.kind(role)
    let seconds = try clock.measure(body).seconds
    shares[kind, default: Share()].seconds += seconds
    shares[kind, default: Share()].operations += operations
  }

  func linear(_ layer: IntegerLinear, _ arguments: inout qk_gemm_arguments, images: Int) throws {
    let operations = 2 * Double(arguments.tokens) * Double(layer.rows) * Double(layer.depth)
    try timed(layer.name, operations: operations) {
      try kernels.linear(layer, &arguments, images: images)
    }
  }

  func attention(_ layer: IntegerAttention, _ arguments: inout qk_attention_arguments) throws {
    let pairs = Double(arguments.batch) * Double(arguments.tokens) * Double(arguments.tokens)
    try timed(layer.name, operations: 4 * pairs * Double(layer.heads * layer.headDimension)) {
      try kernels.attention(layer, &arguments)
    }
  }

  func layerNorm(_ layer: IntegerLayerNorm, _ arguments: inout qk_layer_norm_arguments) throws {
    try timed(layer.name, operations: 0) { try kernels.layerNorm(layer, &arguments) }
  }
}
