import CKernels
import QuasarQuant
import QuasarTensor

/// The FPGA's units as they stand in the engine: packed DSP words, chains, drains, fabric accumulators and what follows.
public struct DatapathUnits: IntegerUnits {
  /// How much of the engine is gone through.
  public enum Speed: String, CaseIterable, Sendable {
    /// Every DSP word is formed and decoded.
    case structural
    /// A product whose depth proof holds runs on the plain kernels: the same bits; the others as in `structural`.
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
    linears = try planner.linears()
    attentions = try planner.attentions()
  }

  /// Names of the products whose proof does not hold under this spec, in the order of the network.
  public func unproved(in model: IntegerModel) -> [String] {
    let products = model.linears.map { ($0.name, linears[$0.name]?.allSatisfy(\.isProved) ?? true) }
    let attention = model.blocks.map { ($0.attention.name, attentions[$0.attention.name]?.isProved ?? true) }
    return (products + attention).filter { !$0.1 }.map(\.0)
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

  /// Rounding LayerNorm is the same integers in every speed, so the kernel serves it.
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

/// Chooses the processing elements of every layer and proves what can be proved.
struct DatapathPlanner {
  let model: IntegerModel
  let engine: DatapathEngine
  let spec: HardwareSpec

  private var isNarrow: Bool { model.spec.weight_full_range == 0 }
  private var bits: Int { model.architecture.activationBits }

  func linears() throws -> [String: [DatapathUnits.RowGroup]] {
    var plans: [String: [DatapathUnits.RowGroup]] = [:]
    plans[model.embedding.linear.name] = try groups(model.embedding.linear, .unsigned(bits: 8))
    for block in model.blocks {
      let signed = OperandRange.signed(bits: bits, narrow: true)
      for linear in [block.qkv, block.projection, block.expand] {
        plans[linear.name] = try groups(linear, signed)
      }
      plans[block.contract.name] = try groups(block.contract, .unsigned(bits: bits))
    }
    plans[model.head.name] = try groups(model.head, .signed(bits: 8, narrow: true))
    return plans
  }

  private func groups(_ linear: IntegerLinear, _ activation: OperandRange) throws -> [DatapathUnits.RowGroup] {
    try [(4, engine.fourBitMode), (8, engine.eightBitMode)].compactMap { bits, mode in
      let rows = linear.rowBits.indices.filter { linear.rowBits[$0] == bits }
      guard !rows.isEmpty else { return nil }
      let weight = OperandRange.signed(bits: bits, narrow: isNarrow)
      let reach = max(abs(activation.lowest), abs(activation.highest))
      var largest = 0
      for n in rows {
        let row = UnsafeBufferPointer(start: linear.codes.pointer + n * linear.depth, count: linear.depth)
        if let code = row.first(where: { Int($0) < weight.lowest || Int($0) > weight.highest }) {
          throw QuasarError(
            .badData,
            "\(linear.name): row \(n) holds the code \(code), its \(bits)-bit range is \(weight.lowest)…"
              + "\(weight.highest); the depth proof needs codes within their range")
        }
        largest = max(largest, row.reduce(0) { $0 + abs(Int($1)) } * reach)
      }
      let (element, isProved) = try engine.element(
        mode, weight: weight, activation: activation, largestSum: largest, spec: spec,
        product: "\(linear.name), \(bits)-bit rows")
      return DatapathUnits.RowGroup(bits: bits, rows: rows.map { Int32($0) }, element: element, isProved: isProved)
    }
  }

  /// Scores: |q·k| ≤ d·(2^(A−1) − 1)²; context: |Σ P·v| ≤ T·(2^A − 1)·(2^(A−1) − 1).
  func attentions() throws -> [String: DatapathUnits.AttentionPlan] {
    let signed = OperandRange.signed(bits: bits, narrow: true)
    let tokens = model.architecture.geometry.tokens
    var plans: [String: DatapathUnits.AttentionPlan] = [:]
    for layer in model.blocks.map(\.attention) {
      let scores = try engine.element(
        engine.attentionMode, weight: signed, activation: signed,
        largestSum: layer.headDimension * signed.highest * signed.highest, spec: spec,
        product: "\(layer.name), scores")
      let probability = OperandRange.unsigned(bits: bits)
      let context = try engine.element(
        engine.attentionMode, weight: signed, activation: probability,
        largestSum: tokens * probability.highest * signed.highest, spec: spec, product: "\(layer.name), context")
      plans[layer.name] = DatapathUnits.AttentionPlan(
        scores: scores.element, context: context.element, isProved: scores.isProved && context.isProved)
    }
    return plans
  }
}
