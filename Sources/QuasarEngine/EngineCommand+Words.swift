import CKernels
import QuasarArithmetic
import QuasarNetwork
import QuasarTensor

/// The scales of an attention command, which come from a trained model.
struct AttentionScales {
  var score: Requantiser
  var output: Requantiser
}

extension EngineCommand {
  /// Bytes of a command in a program.
  static let byteCount = 48

  /// The twelve words of the binary form, as `quasar_command_t` reads them.
  ///
  /// Throws `badData` where a value does not fit its field. `scales` is for attention; nil leaves the fields empty.
  func words(number: Int, scales: AttentionScales? = nil, on shape: EngineShape) throws -> [UInt32] {
    var fields = CommandFields(name: layer?.description ?? "end")
    fields.put(number, word: 1, at: 16, bits: 16)
    switch operation {
    case .end: fields.put(0, word: 0, at: 0, bits: 8)
    case .gemm(let gemm): fill(&fields, gemm, shape)
    case .norm(let norm):
      fields.put(2, word: 0, at: 0, bits: 8)
      fields.put(norm.tokens, word: 2, at: 0, bits: 16)
      fields.put(norm.firstToken, word: 2, at: 16, bits: 16)
      fields.put(norm.targetStride, word: 4, at: 16, bits: 16)
      fields.put(norm.width, word: 6, at: 0, bits: 16)
    case .attention(let attention): fill(&fields, attention, scales, shape)
    }
    return try fields.finished()
  }

  private func fill(_ fields: inout CommandFields, _ gemm: GEMM, _ shape: EngineShape) {
    func lastGroups(isBlock: Bool) -> Int {
      let whole = shape.tileTokens(isBlock: isBlock)
      return ceilDivide(gemm.tokens - (gemm.tokenTiles(shape, isBlock: isBlock) - 1) * whole, shape.drain)
    }
    fields.put(1, word: 0, at: 0, bits: 8)
    fields.put(gemm.form.rawValue, word: 0, at: 16, bits: 8)
    fields.put(gemm.target.rawValue, word: 0, at: 24, bits: 8)
    fields.put((gemm.offsetsCodes ? 1 : 0) + (gemm.readsHidden ? 2 : 0), word: 1, at: 0, bits: 8)
    fields.put(gemm.codeBits, word: 1, at: 8, bits: 8)
    fields.put(gemm.tokens, word: 2, at: 0, bits: 16)
    fields.put(gemm.steps, word: 3, at: 0, bits: 16)
    fields.put(gemm.tiles.count, word: 3, at: 16, bits: 16)
    fields.put(gemm.sourceStride, word: 4, at: 0, bits: 16)
    fields.put(gemm.targetStride, word: 4, at: 16, bits: 16)
    fields.put(Int(gemm.range.low) & 0xFFFF, word: 5, at: 0, bits: 16)
    fields.put(Int(gemm.range.high) & 0xFFFF, word: 5, at: 16, bits: 16)
    fields.put(gemm.keySteps, word: 7, at: 16, bits: 16)
    fields.put(lastGroups(isBlock: false), word: 8, at: 8, bits: 8)
    fields.put(shape.hasBlocks ? lastGroups(isBlock: true) : 0, word: 8, at: 16, bits: 8)
  }

  private func fill(
    _ fields: inout CommandFields, _ attention: Attention, _ scales: AttentionScales?, _ shape: EngineShape
  ) {
    let blocks = attention.blocks(shape)
    let lastTokens = attention.tokens(ofBlock: blocks - 1, shape)
    let chunks = ceilDivide(attention.tokens, shape.softmax)
    let range = CodeRange.signedNarrow(bits: attention.activationBits)
    fields.put(3, word: 0, at: 0, bits: 8)
    fields.put(attention.activationBits, word: 1, at: 8, bits: 8)
    fields.put(attention.tokens, word: 2, at: 0, bits: 16)
    fields.put(attention.headSteps, word: 3, at: 0, bits: 16)
    fields.put(attention.channelTiles(shape), word: 3, at: 16, bits: 16)
    fields.put(attention.heads * attention.headSteps, word: 4, at: 0, bits: 16)
    fields.put(attention.targetStride, word: 4, at: 16, bits: 16)
    fields.put(Int(range.low) & 0xFFFF, word: 5, at: 0, bits: 16)
    fields.put(Int(range.high) & 0xFFFF, word: 5, at: 16, bits: 16)
    fields.put(attention.heads, word: 6, at: 16, bits: 8)
    fields.put(attention.tokens - (chunks - 1) * shape.softmax, word: 6, at: 24, bits: 8)
    fields.put(blocks, word: 7, at: 0, bits: 16)
    fields.put(attention.keySteps(shape), word: 7, at: 16, bits: 16)
    fields.put(lastTokens, word: 8, at: 0, bits: 8)
    fields.put(ceilDivide(lastTokens, shape.drain), word: 8, at: 8, bits: 8)
    fields.put(ceilDivide(lastTokens, shape.softmax), word: 8, at: 24, bits: 8)
    let lastChannels = attention.headChannels - (attention.channelTiles(shape) - 1) * shape.tileRows
    fields.put(lastChannels, word: 9, at: 24, bits: 8)
    fields.put(ceilDivide(lastTokens, shape.tileRows), word: 10, at: 24, bits: 8)
    if let scales {
      fields.put(scales.score, word: 9)
      fields.put(scales.output, word: 10)
    }
    fields.put(attention.headChannels, word: 11, at: 0, bits: 16)
    fields.put(chunks, word: 11, at: 16, bits: 16)
  }
}

/// The words of a command while they are filled; remembers the first value that does not fit.
private struct CommandFields {
  let name: String
  private var words = [UInt32](repeating: 0, count: EngineCommand.byteCount / 4)
  private var fault: String?

  init(name: String) { self.name = name }

  mutating func put(_ value: Int, word: Int, at bit: Int, bits: Int) {
    if value < 0 || value >= 1 << bits, fault == nil {
      fault = "\(name): \(value) does not fit \(bits) bits of word \(word) of its command; the network is too large"
    }
    words[word] |= UInt32(truncatingIfNeeded: value & (1 << bits - 1)) << UInt32(bit)
  }

  /// A scale as `quasar_scale_t`: the multiplier above the shift.
  mutating func put(_ scale: Requantiser, word: Int) {
    put(Int(scale.shift), word: word, at: 0, bits: 6)
    put(Int(scale.multiplier) & 0x1FFFF, word: word, at: 6, bits: 17)
  }

  func finished() throws -> [UInt32] {
    if let fault { throw QuasarError(.badData, fault) }
    return words
  }
}
