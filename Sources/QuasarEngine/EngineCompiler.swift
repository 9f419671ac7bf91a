import CKernels
import CZlib
import QuasarArithmetic
import QuasarNetwork
import QuasarTensor

/// A program: the bytes that an engine reads to run one network.
public struct EngineProgram: Sendable {
  public let network: EngineNetwork
  public let bytes: [UInt8]
  /// Where each record starts in `bytes`.
  public let offsets: [Int]

  /// Packs the integers of `model` for the engine; a pure function of both.
  ///
  /// Throws `badData` where the model does not fit the engine, or where a bias that is corrected for signed inputs
  /// reaches 2^30.
  public init(_ model: IntegerModel, on shape: EngineShape) throws {
    let network = try EngineNetwork(model.architecture, on: shape)
    var compiler = EngineCompiler(model: model, network: network)
    try compiler.run()
    self.network = network
    bytes = compiler.stream.bytes
    offsets = compiler.offsets
  }
}

/// Writes the payload of every record.
private struct EngineCompiler {
  let model: IntegerModel
  let network: EngineNetwork
  var stream = LittleEndian()
  var offsets: [Int] = []
  /// The rows of the layer at hand, in the order of its tiles.
  private var rows: (command: Int, list: [Int]) = (-1, [])
  private var shape: EngineShape { network.shape }

  init(model: IntegerModel, network: EngineNetwork) {
    self.model = model
    self.network = network
  }

  mutating func run() throws {
    let records = network.records
    for record in records {
      var block = LittleEndian()
      block.put(record.kind.rawValue | record.pending << 16, bytes: 4)
      block.put(record.payloadBytes, bytes: 4)
      var payload = LittleEndian()
      let (argument, body) = try write(record, &payload)
      // The image is the payload of the header, and comes from elsewhere.
      precondition(
        payload.bytes.count == (record.kind == .header ? 0 : record.payloadBytes),
        "\(record): \(payload.bytes.count) bytes")
      block.put(argument, bytes: 4)
      block.put(0, bytes: 4)
      for word in body { block.put(word, bytes: 4) }
      block.bytes += [UInt8](repeating: 0, count: EngineRecord.blockBytes - block.bytes.count)
      payload.bytes += [UInt8](
        repeating: 0, count: EngineRecord.padded(payload.bytes.count) - payload.bytes.count)
      var sum = LittleEndian()
      sum.put(Int(checksum(block.bytes + payload.bytes)), bytes: 4)
      block.bytes.replaceSubrange(12..<16, with: sum.bytes)
      offsets.append(stream.bytes.count)
      stream.bytes += block.bytes + payload.bytes
    }
  }

  /// Writes the payload; gives the argument of the record and the words of its body.
  private mutating func write(
    _ record: EngineRecord, _ payload: inout LittleEndian
  ) throws -> (argument: Int, body: [Int]) {
    let command = network.commands[record.command]
    switch record.kind {
    case .header:
      let geometry = network.graph.geometry
      return (
        0,
        [
          EngineProgram.magic, EngineProgram.version, Int(shape.configurationHash), network.records.count,
          network.programBytes, 0, geometry.patchInputs | geometry.patches << 16, geometry.classes,
        ]
      )
    case .command:
      var scales: AttentionScales?
      if let id = command.layer, case .attention(let attention)? = model[id] {
        scales = AttentionScales(score: attention.score, output: attention.output)
      }
      let words = try command.words(number: record.command, scales: scales, on: shape)
      return (record.command, words.map(Int.init))
    case .rowTile:
      guard case .gemm(let gemm) = command.operation, let id = command.layer, let linear = model[id]?.linear else {
        preconditionFailure("a row tile of a command without rows")
      }
      return (try rowTile(record, id, gemm, linear, to: &payload), [])
    case .norm:
      guard let id = command.layer, case .norm(let norm)? = model[id] else { preconditionFailure("no norm") }
      for (scale, offset) in zip(norm.scales, norm.offsets) {
        payload.put(
          fields: [(Int(scale.shift), 6), (Int(scale.multiplier), 17), (Int(offset), 63)],
          bytes: EngineRecord.entryBytes)
      }
      let limits = Int(norm.range.low) & 0xFF | (Int(norm.range.high) & 0xFF) << 8
      return (
        norm.width,
        [Int(norm.epsilonCode) & 0xFFFF_FFFF, Int(norm.epsilonCode >> 32) & 0xFF | limits << 8]
      )
    case .table:
      guard let id = command.layer else { preconditionFailure("a table without a layer") }
      switch model[id] {
      case .table(_, let table)?:
        for entry in table.entries { payload.put(Int(entry), bytes: 2) }
        return (0, [])
      case .attention(let attention)?:
        for entry in attention.exponentTable { payload.put(Int(entry), bytes: 2) }
        return (1, [])
      default: preconditionFailure("\(id) has no table")
      }
    case .embedding:
      guard let id = command.layer, case .patches(let embedding)? = model[id] else { preconditionFailure("no codes") }
      // The class token comes last inside the engine.
      let width = embedding.linear.rows
      for code in embedding.codes[width...] + embedding.codes[..<width] { payload.put(Int(code), bytes: 2) }
      return (embedding.tokens | width << 16, [])
    }
  }

  /// Row entries, then the weights of every step in the order of the array's edge.
  private mutating func rowTile(
    _ record: EngineRecord, _ id: LayerID, _ gemm: EngineCommand.GEMM, _ linear: IntegerLinear,
    to payload: inout LittleEndian
  ) throws -> Int {
    if rows.command != record.command {
      // 8-bit rows first.
      let all = linear.rowBits.indices
      rows = (record.command, all.filter { linear.rowBits[$0] == 8 } + all.filter { linear.rowBits[$0] != 8 })
    }
    let tile = gemm.tiles[record.tile]
    let first = record.tile * shape.tileRows
    let list = Array(rows.list[first..<first + tile.rows])
    guard let layer = network.graph.layers.first(where: { $0.id == id }), let sizes = layer.linear else {
      preconditionFailure("\(id) is not a linear layer")
    }
    let offset = layer.inputCodes.isSigned ? 0 : 1 << (layer.inputCodes.bits - 1)
    for row in list {
      // Unsigned codes x lie in memory as x − 2^(A−1): Σ w·x = Σ w·(x − 2^(A−1)) + 2^(A−1)·Σ w.
      let codes = UnsafeBufferPointer(start: linear.codes.pointer + row * linear.depth, count: linear.depth)
      let bias = Int(linear.bias[row]) + offset * codes.reduce(0) { $0 + Int($1) }
      guard abs(bias) < 1 << 30 else {
        throw QuasarError(
          .badData, "\(id): the bias \(bias) of row \(row), corrected for signed inputs, is not below 2^30")
      }
      let most = abs(bias) + codes.reduce(0) { $0 + abs(Int($1)) } << (layer.inputCodes.bits - 1)
      guard most < 1 << (shape.laneSumBits - 1) else {
        throw QuasarError(
          .badData,
          "\(id): sums of row \(row) reach \(most), the lanes of the engine take \(shape.laneSumBits) bits; raise the "
            + "engine's limit of inputs so that it gets wider lanes")
      }
      let requantiser = linear.requantisers[row]
      let place = destination(row, gemm, sizes)
      payload.put(
        fields: [
          (bias, 31), (Int(requantiser.multiplier), 17), (Int(requantiser.shift), 6),
          (place.step, EngineRecord.stepBits),
          (place.lane, EngineRecord.laneBits), (place.kind.rawValue, EngineRecord.kindBits),
        ], bytes: EngineRecord.entryBytes)
    }
    payload.bytes += [UInt8](repeating: 0, count: EngineRecord.padded(payload.bytes.count) - payload.bytes.count)
    for step in 0..<gemm.steps {
      var nibbles: [UInt8] = []
      for input in step * shape.inputs..<(step + 1) * shape.inputs {
        for n in 0..<shape.tileRows {
          let isInside = n < list.count && input < linear.depth
          let code = isInside ? linear.codes.pointer[list[n] * linear.depth + input] : 0
          if tile.isBlock { nibbles.append(UInt8(bitPattern: code) & 15) } else { payload.put(Int(code), bytes: 1) }
        }
      }
      for i in stride(from: 0, to: nibbles.count, by: 2) { payload.bytes.append(nibbles[i] | nibbles[i + 1] << 4) }
    }
    withExtendedLifetime(linear) {}
    return gemm.steps | tile.rows << 16 | (tile.isBlock ? 1 << 31 : 0)
  }

  /// Where the output of a row goes; the fields of a row entry.
  private func destination(
    _ row: Int, _ gemm: EngineCommand.GEMM, _ sizes: Layer.Linear
  ) -> (kind: EngineCommand.RowKind, lane: Int, step: Int) {
    switch gemm.target {
    case .operand, .hidden: return (.direct, row % shape.inputs, row / shape.inputs)
    case .residual, .logits: return (.direct, row % (1 << EngineRecord.laneBits), row >> EngineRecord.laneBits)
    case .attention:
      let part = row / (sizes.groups * sizes.groupRows)
      let head = row / sizes.groupRows % sizes.groups
      let channel = row % sizes.groupRows
      if part == 2 {
        let tiles = ceilDivide(sizes.groupRows, shape.tileRows)
        return (.value, channel % shape.tileRows, head * tiles + channel / shape.tileRows)
      }
      let steps = ceilDivide(sizes.groupRows, shape.inputs)
      return (part == 0 ? .query : .key, channel % shape.inputs, head * steps + channel / shape.inputs)
    }
  }
}

extension EngineProgram {
  /// "QUAS" and the version of the format.
  static let magic = 0x5341_5551
  static let version = 1
}

extension EngineShape {
  /// CRC-32 of the parameters in a fixed spelling: programs and engines with equal hashes belong together.
  public var configurationHash: UInt32 { checksum(Array(canonicalText.utf8)) }

  private var canonicalText: String {
    "quasar engine 1: \(generation.rawValue) \(rows)x\(inputs)x\(tokens) cascade \(cascade) blocks \(hasBlocks) "
      + "broadcast \(broadcast) drain \(drain) softmax \(softmax) norm \(norm) stream \(streamBits) "
      + "limits \(limits.activationBits) \(limits.tokens) \(limits.width) \(limits.inputs) "
      + "\(limits.hidden) \(limits.heads) \(limits.attentionWidth) \(limits.classes)"
  }
}

/// CRC-32 as zlib and IEEE 802.3 have it.
private func checksum(_ bytes: [UInt8]) -> UInt32 {
  UInt32(truncatingIfNeeded: crc32(0, bytes, UInt32(bytes.count)))
}

/// Numbers as bytes, least significant first.
struct LittleEndian {
  var bytes: [UInt8] = []

  mutating func put(_ value: Int, bytes count: Int) {
    for i in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * i))) }
  }

  /// Fields side by side from bit 0 on, negative values in two's complement.
  mutating func put(fields: [(value: Int, bits: Int)], bytes count: Int) {
    var packed = [UInt8](repeating: 0, count: count)
    var place = 0
    for field in fields {
      for bit in 0..<field.bits {
        if field.value >> bit & 1 != 0 { packed[place >> 3] |= 1 << UInt8(place & 7) }
        place += 1
      }
    }
    bytes += packed
  }
}
