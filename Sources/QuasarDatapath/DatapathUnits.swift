import CKernels
import QuasarArithmetic
import QuasarNetwork
import QuasarTensor

/// The FPGA's units as in the engine: packed DSP words, chains, drains, fabric accumulators and the units after them.
public struct DatapathUnits: IntegerUnits {
  /// The part of the engine that is emulated.
  public enum Speed: String, CaseIterable, Sendable {
    /// Every DSP word is formed and decoded.
    case structural
    /// A product whose depth proof holds runs on the plain kernels, with the same bits; the others run as in
    /// `structural`.
    case proved
  }

  /// The processing elements of the rows of one precision.
  struct RowGroup {
    var bits: Int
    var rows: [Int32]
    var element: qk_datapath_element
    var isProved: Bool
  }

  /// The processing elements of one attention layer.
  struct AttentionPlan {
    var scores: qk_datapath_element
    var context: qk_datapath_element
    var isProved: Bool
  }

  public let spec: HardwareSpec
  public let speed: Speed
  private let linears: [String: [RowGroup]]
  private let attentions: [String: AttentionPlan]

  /// The units that run `model` on `engine`; throws with a layer's name when its codes do not fit the engine.
  public init(_ model: IntegerModel, engine: DatapathEngine, spec: HardwareSpec = .exact, speed: Speed) throws {
    try spec.validate()
    self.spec = spec
    self.speed = speed
    let planner = DatapathPlanner(model: model, engine: engine, spec: spec)
    var linears: [String: [RowGroup]] = [:]
    var attentions: [String: AttentionPlan] = [:]
    for (layer, integers) in model.walk {
      if let linear = integers.linear {
        linears[linear.name] = try planner.groups(linear, layer.inputCodes.operandRange)
      }
      if case .attention(let attention) = integers {
        attentions[attention.name] = try planner.plan(attention, tokens: layer.tokens, codes: layer.inputCodes)
      }
    }
    self.linears = linears
    self.attentions = attentions
  }

  /// Names of the layers whose proof does not hold under this spec: first those with weights, then attention.
  public func unproved(in model: IntegerModel) -> [String] {
    let names = model.graph.names
    return names.filter { !(linears[$0]?.allSatisfy(\.isProved) ?? true) }
      + names.filter { !(attentions[$0]?.isProved ?? true) }
  }

  /// Chain lengths of a layer's products: "4-bit rows", "8-bit rows", or "scores" and "context"; none for LayerNorm.
  func chains(of layer: String) -> [(product: String, length: Int)] {
    let rows = (linears[layer] ?? []).map { ("\($0.bits)-bit rows", Int($0.element.chain)) }
    let attention = attentions[layer].map { [("scores", Int($0.scores.chain)), ("context", Int($0.context.chain))] }
    return rows + (attention ?? [])
  }

  public func linear(_ layer: IntegerLinear, _ arguments: inout qk_gemm_arguments, images: Int) throws {
    guard let groups = linears[layer.name] else { throw unknown(layer.name) }
    let isExact =
      !spec.truncates(QK_TRUNCATE_REQUANTISER)
      && (arguments.form != QK_OUTPUT_TABLE || spec.gelu_index_bits == 8)
    if speed == .proved && isExact && groups.allSatisfy(\.isProved) {
      return try KernelUnits().linear(layer, &arguments, images: images)
    }
    let tokens = Int(arguments.tokens) / images
    let sums = NDArray<Int32>(uninitialized: [images * tokens, layer.rows])
    let bytes = qk_datapath_workspace(
      Int32(groups.map(\.rows.count).max() ?? 1), Int32(images), Int32(tokens), Int32(layer.depth))
    let workspace = NDArray<UInt8>(uninitialized: [bytes])
    for group in groups {
      try group.rows.withUnsafeBufferPointer { rows in
        var product = qk_datapath_product()
        product.element = group.element
        product.rows = Int32(rows.count)
        product.images = Int32(images)
        product.tokens = Int32(tokens)
        product.depth = Int32(layer.depth)
        product.weights = UnsafePointer(layer.codes.pointer)
        product.weight_row_stride = layer.depth
        product.weight_depth_stride = 1
        product.row_index = rows.baseAddress
        product.activations = arguments.activations
        product.activation_row_stride = arguments.activation_stride
        product.activation_depth_stride = 1
        product.activations_unsigned = arguments.activations_unsigned
        product.output = sums.pointer
        product.output_stride = layer.rows
        product.workspace = UnsafeMutableRawPointer(workspace.pointer)
        try qk_datapath_run(&product).check("\(layer.name): product on the datapath")
      }
    }
    var spec = spec
    try qk_datapath_finish(&arguments, sums.pointer, &spec).check("\(layer.name): output of the datapath")
    withExtendedLifetime((sums, workspace, layer)) {}
  }

  public func attention(_ layer: IntegerAttention, _ arguments: inout qk_attention_arguments) throws {
    guard let plan = attentions[layer.name] else { throw unknown(layer.name) }
    let isExact =
      !spec.truncates(QK_TRUNCATE_SOFTMAX) && !spec.truncates(QK_TRUNCATE_CONTEXT) && spec.exponent_index_bits == 8
    if speed == .proved && isExact && plan.isProved {
      return try KernelUnits().attention(layer, &arguments)
    }
    let workspace = NDArray<UInt8>(uninitialized: [qk_datapath_attention_workspace(&arguments)])
    var (scores, context, spec) = (plan.scores, plan.context, spec)
    try qk_datapath_attention(
      &arguments, &scores, &context, &spec, UnsafeMutableRawPointer(workspace.pointer)
    ).check("\(layer.name): attention on the datapath")
    withExtendedLifetime(workspace) {}
  }

  /// Rounding LayerNorm gives the same integers at every speed, so the kernel computes it.
  public func layerNorm(_ layer: IntegerLayerNorm, _ arguments: inout qk_layer_norm_arguments) throws {
    guard spec.truncates(QK_TRUNCATE_LAYER_NORM) else {
      return try KernelUnits().layerNorm(layer, &arguments)
    }
    var spec = spec
    try qk_datapath_layer_norm(&arguments, &spec).check("\(layer.name): LayerNorm of the datapath")
  }

  private func unknown(_ name: String) -> QuasarError {
    QuasarError(.internal, "\(name): not a layer of the model that the datapath was made for")
  }
}
