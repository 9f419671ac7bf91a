import CKernels
import Quasar

/// Runs an integer network and compares each unit with its real function on the same input codes.
struct NetworkWalk {
  let name: String
  let model: IntegerModel
  private let steps: [LayerID: GELUSteps]

  init(name: String, model: IntegerModel) throws {
    self.name = name
    self.model = model
    var steps: [LayerID: GELUSteps] = [:]
    for (layer, integers) in model.walk {
      guard case .table(_, let table) = integers else { continue }
      guard let found = GELUSteps(table, bits: layer.outputCodes.bits) else {
        throw QuasarError(
          .badData, "\(name): the table of \(layer.id) is not a correctly rounded GELU table for any two steps")
      }
      steps[layer.id] = found
    }
    self.steps = steps
  }

  /// The errors of every unit on these images [n, channels, size, size], in the order of execution.
  func errors(_ images: NDArray<UInt8>) throws -> [LayerErrors] {
    let units = MeasuredUnits(walk: self)
    _ = try model.logits(images, on: units)
    return units.order.map { place in
      LayerErrors(
        unit: place.unit, activationBits: model.architecture.activationBits, model: name, layer: place.layer,
        sums: units.sums[place] ?? ErrorSums(), steps: place.table.flatMap { steps[$0] })
    }
  }

  /// The kernels, with every output compared.
  private final class MeasuredUnits: IntegerUnits {
    struct Place: Hashable {
      var unit: LayerErrors.Unit
      var layer: String
      /// The layer with the table, where the unit is one.
      var table: LayerID?
    }

    private let walk: NetworkWalk
    private let kernels = KernelUnits()
    private(set) var order: [Place] = []
    private(set) var sums: [Place: ErrorSums] = [:]

    init(walk: NetworkWalk) { self.walk = walk }

    private func note(_ unit: LayerErrors.Unit, _ layer: String, _ new: ErrorSums, table: LayerID? = nil) {
      let place = Place(unit: unit, layer: layer, table: table)
      if sums[place] == nil { order.append(place) }
      sums[place, default: ErrorSums()].add(new)
    }

    func linear(_ layer: IntegerLinear, _ arguments: inout qk_gemm_arguments, images: Int) throws {
      try kernels.linear(layer, &arguments, images: images)
      guard arguments.form == QK_OUTPUT_TABLE, let id = LayerID(layer.name), let steps = walk.steps[id],
        case .table(_, let table)? = walk.model[id]
      else { return }
      // The codes in front of the table: the same product once more, without it.
      let inputs = NDArray<Int8>(uninitialized: [Int(arguments.tokens), layer.rows])
      var plain = arguments
      plain.form = QK_OUTPUT_INT8
      plain.output = UnsafeMutableRawPointer(inputs.pointer)
      plain.output_stride = layer.rows
      try kernels.linear(layer, &plain, images: images)
      let outputs = copy(UnsafePointer(arguments.output.assumingMemoryBound(to: UInt8.self)), inputs.shape)
      note(.gelu, id.name(of: "gelu"), walk.geluErrors(table, steps, inputs, outputs), table: id)
    }

    func attention(_ layer: IntegerAttention, _ arguments: inout qk_attention_arguments) throws {
      try kernels.attention(layer, &arguments)
      let (batch, tokens, inner) = (
        Int(arguments.batch), Int(arguments.tokens), layer.heads * layer.headDimension
      )
      let qkv = copy(arguments.qkv, [batch * tokens, 3 * inner])
      let outputs = copy(UnsafePointer(arguments.output), [batch * tokens, inner])
      let errors = walk.attentionErrors(layer, qkv, outputs, batch, tokens)
      note(.softmax, layer.name, errors.probabilities)
      note(.attention, layer.name, errors.outputs)
    }

    func layerNorm(_ layer: IntegerLayerNorm, _ arguments: inout qk_layer_norm_arguments) throws {
      try kernels.layerNorm(layer, &arguments)
      let rows = Int(arguments.rows)
      let input = NDArray<Int16>(uninitialized: [rows, layer.width])
      for row in 0..<rows {
        (input.pointer + row * layer.width).update(
          from: arguments.input + row * arguments.input_stride, count: layer.width)
      }
      let outputs = copy(UnsafePointer(arguments.output), [rows, layer.width])
      let isLast = LayerID(layer.name)?.role == .norm
      note(isLast ? .finalNorm : .layerNorm, layer.name, NetworkWalk.normErrors(layer, input, outputs))
    }

    private func copy<Scalar: ArrayScalar>(_ values: UnsafePointer<Scalar>?, _ shape: [Int]) -> NDArray<Scalar> {
      let array = NDArray<Scalar>(uninitialized: shape)
      if let values { array.pointer.update(from: values, count: array.count) }
      return array
    }
  }

  /// Rows of `input` against rows of `output`.
  static func normErrors(
    _ norm: IntegerLayerNorm, _ input: NDArray<Int16>, _ output: NDArray<Int8>
  ) -> ErrorSums {
    var sums = ErrorSums()
    for row in 0..<output.shape[0] {
      let codes = UnsafeBufferPointer(start: input.pointer + row * norm.width, count: norm.width)
      for (i, real) in RealFunctions.layerNorm(codes, norm).enumerated() {
        sums.add(code: Int32(output.pointer[row * norm.width + i]), real: real, range: norm.range)
      }
    }
    return sums
  }

  private func attentionErrors(
    _ attention: IntegerAttention, _ qkv: NDArray<Int8>, _ output: NDArray<Int8>, _ batch: Int, _ tokens: Int
  ) -> (probabilities: ErrorSums, outputs: ErrorSums) {
    var probabilities = ErrorSums()
    for image in 0..<batch {
      for number in 0..<attention.heads {
        let head = RealFunctions.Head(qkv, image: image, head: number, tokens: tokens, attention: attention)
        for query in 0..<tokens {
          for distance in head.distances(query) { NetworkWalk.add(distance, attention, to: &probabilities) }
        }
      }
    }
    return (probabilities, NetworkWalk.outputErrors(attention, qkv, output, batch: batch, tokens: tokens))
  }

  /// Adds the probability code of one score distance against (2^A − 1)·2^−z.
  static func add(_ distance: Int32, _ attention: IntegerAttention, to sums: inout ErrorSums) {
    let code = qk_probability(
      distance, attention.score, Int32(attention.activationBits), attention.exponentTable)
    let range = CodeRange.unsigned(bits: attention.activationBits)
    sums.add(
      code: Int32(code), real: Double(range.high) * RealFunctions.softmaxWeight(distance, attention),
      range: range)
  }

  /// Output codes [batch·tokens, heads·dimension] against the real attention of the same q, k, v codes.
  static func outputErrors(
    _ attention: IntegerAttention, _ qkv: NDArray<Int8>, _ output: NDArray<Int8>, batch: Int, tokens: Int
  ) -> ErrorSums {
    var sums = ErrorSums()
    for image in 0..<batch {
      for number in 0..<attention.heads {
        let head = RealFunctions.Head(qkv, image: image, head: number, tokens: tokens, attention: attention)
        for query in 0..<tokens {
          let place = ((image * tokens + query) * attention.heads + number) * attention.headDimension
          for (c, real) in RealFunctions.attention(head, query: query, attention).enumerated() {
            sums.add(code: Int32(output.pointer[place + c]), real: real, range: attention.range)
          }
        }
      }
    }
    return sums
  }

  private func geluErrors(
    _ table: GELUTable, _ steps: GELUSteps, _ inputs: NDArray<Int8>, _ outputs: NDArray<UInt8>
  ) -> ErrorSums {
    let zero = Int32(table.entries[128])
    let top = CodeRange.unsigned(bits: model.architecture.activationBits).high
    var sums = ErrorSums()
    for i in 0..<inputs.count {
      let real = RealFunctions.gelu(steps.input * Double(inputs.pointer[i])) / steps.output
      sums.add(
        code: Int32(outputs.pointer[i]) - zero, real: real, range: CodeRange(low: -zero, high: top - zero))
    }
    return sums
  }
}
