import CKernels
import Quasar

/// Walks an integer network layer by layer and compares each unit with its real function on the same input codes.
struct NetworkWalk {
  let name: String
  let model: IntegerModel
  private let range: CodeRange
  private let steps: [GELUSteps]

  init(name: String, model: IntegerModel) throws {
    self.name = name
    self.model = model
    range = .signedNarrow(bits: model.architecture.activationBits)
    steps = try model.blocks.enumerated().map { index, block in
      guard let steps = GELUSteps(block.gelu, bits: model.architecture.activationBits) else {
        throw QuasarError(
          .badData, "\(name): blocks.\(index).gelu is not a correctly rounded GELU table for any two steps")
      }
      return steps
    }
  }

  /// The errors of every unit on these images [n, channels, size, size].
  func errors(_ images: NDArray<UInt8>) throws -> [LayerErrors] {
    let architecture = model.architecture
    let tokens = architecture.geometry.tokens
    let patches = PatchBatch(images: images, geometry: architecture.geometry)
    var result: [LayerErrors] = []
    func note(_ unit: LayerErrors.Unit, _ layer: String, _ sums: ErrorSums, _ steps: GELUSteps? = nil) {
      result.append(
        LayerErrors(
          unit: unit, activationBits: architecture.activationBits, model: name, layer: layer, sums: sums,
          steps: steps))
    }
    var stream = try model.embedding.tokens(.unsigned(patches.codes), batch: patches.batch)
    for (index, block) in model.blocks.enumerated() {
      let normed = try block.norm1.codes(stream)
      note(.layerNorm, block.norm1.name, normErrors(block.norm1, stream, normed, stride: nil))
      let qkv = try block.qkv.codes(.signed(normed), range: range)
      let mixed = try block.attention.codes(qkv, batch: patches.batch, tokens: tokens)
      let (probabilities, outputs) = attentionErrors(block.attention, qkv, mixed, patches.batch, tokens)
      note(.softmax, block.attention.name, probabilities)
      note(.attention, block.attention.name, outputs)
      stream = try block.projection.residualCodes(.signed(mixed), residual: stream)

      let second = try block.norm2.codes(stream)
      note(.layerNorm, block.norm2.name, normErrors(block.norm2, stream, second, stride: nil))
      let inputs = try block.expand.codes(.signed(second), range: GELUTable.inputRange)
      let hidden = block.gelu.apply(inputs)
      note(.gelu, "blocks.\(index).gelu", geluErrors(block.gelu, steps[index], inputs, hidden), steps[index])
      stream = try block.contract.residualCodes(.unsigned(hidden), residual: stream)
    }
    let stride = tokens * architecture.embedDimension
    let last = try model.finalNorm.codes(stream, rows: patches.batch, stride: stride)
    note(.finalNorm, model.finalNorm.name, normErrors(model.finalNorm, stream, last, stride: stride))
    return result
  }

  private func normErrors(
    _ norm: IntegerLayerNorm, _ input: NDArray<Int16>, _ output: NDArray<Int8>, stride: Int?
  ) -> ErrorSums {
    NetworkWalk.normErrors(norm, input, output, stride: stride)
  }

  /// Rows of `input`, `stride` elements apart (nil: dense), against rows of `output`.
  static func normErrors(
    _ norm: IntegerLayerNorm, _ input: NDArray<Int16>, _ output: NDArray<Int8>, stride: Int?
  ) -> ErrorSums {
    var sums = ErrorSums()
    for row in 0..<output.shape[0] {
      let codes = UnsafeBufferPointer(start: input.pointer + row * (stride ?? norm.width), count: norm.width)
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
