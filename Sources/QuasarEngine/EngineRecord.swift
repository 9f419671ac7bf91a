import QuasarNetwork
import QuasarTensor

/// One record of a program stream: a block of 64 bytes, then a payload, padded to a multiple of 64.
///
/// The block, as 32-bit words, least significant byte first: kind 8 bits and `pending` in the upper 16; payload bytes;
/// argument; CRC-32; twelve words of body.
public struct EngineRecord: Hashable, Sendable {
  /// The raw value is that of the binary form.
  public enum Kind: Int, Sendable {
    case header = 0
    /// A command: 48 bytes in the body.
    case command = 1
    /// Row entries and weights of one row tile.
    case rowTile = 2
    /// ε and the channels' parameters of a norm.
    case norm = 3
    /// 256 entries of 16 bits: GELU or exponents.
    case table = 4
    /// Position codes of all tokens, 16 bits each.
    case embedding = 5
  }

  public let kind: Kind
  /// Index of the command that the record is, or whose data it holds.
  public let command: Int
  /// Index of the row tile, for `rowTile`.
  public let tile: Int
  public let payloadBytes: Int
  /// The record enters when at most so many of the commands before it in the stream are not complete.
  ///
  /// The stream repeats for each image, so this reaches over the end of an image. `neverWaits` for no condition.
  public let pending: Int

  /// Bytes of the block, and the alignment of everything.
  static let blockBytes = 64
  static let neverWaits = 0xFFFF
  /// Bytes of bias, multiplier, shift and destination of a row, and of the parameters of a norm's channel.
  static let entryBytes = 12
  static let tableBytes = 512

  /// Bits of the fields of a row's destination: step, lane and kind.
  public static let stepBits = 10
  public static let laneBits = 6
  public static let kindBits = 2

  /// Bytes in the program: block and padded payload. The image, the payload of the header, is not in the program.
  public var byteCount: Int { Self.blockBytes + (kind == .header ? 0 : Self.padded(payloadBytes)) }

  static func padded(_ bytes: Int) -> Int { ceilDivide(bytes, blockBytes) * blockBytes }
}

extension EngineNetwork {
  /// The records of the program in the order of the stream, without their payload.
  public var records: [EngineRecord] {
    /// Index of the last command for which `uses` holds, before `index`; in the image before if there is none, which
    /// gives a negative number.
    func last(before index: Int, _ uses: (EngineCommand) -> Bool) -> Int {
      if let place = commands[..<index].lastIndex(where: uses) { return place }
      return (commands.lastIndex(where: uses) ?? 0) - commands.count
    }
    /// The commands before `index` that may run while a memory is written that `uses` reads.
    func pending(_ index: Int, _ uses: (EngineCommand) -> Bool) -> Int { index - 1 - last(before: index, uses) }

    var records = [record(.header, 0, bytes: pixelBytes, pending: pending(0, \.readsHidden))]
    for (index, command) in commands.enumerated() {
      switch command.operation {
      case .norm(let norm):
        records.append(
          record(
            .norm, index, bytes: EngineRecord.entryBytes * norm.width, pending: pending(index, \.isNorm)))
        records.append(record(.command, index))
      case .attention:
        records.append(
          record(.table, index, bytes: EngineRecord.tableBytes, pending: pending(index, \.isAttention)))
        records.append(record(.command, index))
      case .gemm(let gemm):
        if index == 0 {
          records.append(
            record(
              .embedding, 0, bytes: 2 * graph.geometry.tokens * graph.width, pending: pending(0, \.isNorm)))
        }
        if gemm.form == .table {
          records.append(
            record(.table, index, bytes: EngineRecord.tableBytes, pending: pending(index, \.readsTable)))
        }
        records.append(record(.command, index))
        for (place, tile) in gemm.tiles.enumerated() {
          let entries = EngineRecord.padded(EngineRecord.entryBytes * tile.rows)
          records.append(
            record(
              .rowTile, index, tile: place, bytes: entries + gemm.steps * shape.weightBytes(isBlock: tile.isBlock)))
        }
      case .end: records.append(record(.command, index))
      }
    }
    return records
  }

  private func record(
    _ kind: EngineRecord.Kind, _ command: Int, tile: Int = 0, bytes: Int = 0,
    pending: Int = EngineRecord.neverWaits
  ) -> EngineRecord {
    EngineRecord(kind: kind, command: command, tile: tile, payloadBytes: bytes, pending: pending)
  }
}

extension EngineCommand {
  fileprivate var isNorm: Bool { if case .norm = operation { true } else { false } }
  fileprivate var isAttention: Bool { if case .attention = operation { true } else { false } }
  fileprivate var readsTable: Bool { if case .gemm(let gemm) = operation { gemm.form == .table } else { false } }
  fileprivate var readsHidden: Bool { if case .gemm(let gemm) = operation { gemm.readsHidden } else { false } }
}

extension EngineShape {
  /// Bytes of the weights of one step: 8 bits each in the pair shape, 4 in the block shape.
  public func weightBytes(isBlock: Bool) -> Int { tileRows * inputs / (isBlock ? 2 : 1) }
  /// Bytes of one beat of pixels: `drain` codes, padded to a power of two.
  public var pixelBeatBytes: Int { powerOfTwo(atLeast: drain) }
}

extension EngineNetwork {
  /// Bytes of an image as the engine reads it: token group after token group, its channels, `drain` tokens each.
  var pixelBytes: Int {
    ceilDivide(graph.geometry.patches, shape.drain) * graph.geometry.patchInputs * shape.pixelBeatBytes
  }

  /// The same, padded to whole blocks.
  public var imageBytes: Int { EngineRecord.padded(pixelBytes) }

  /// b: cycles in which the words of a record pass, one a cycle where its destination takes a word at once.
  func cycles(of record: EngineRecord) -> Int {
    let word = shape.streamBytes
    let words = EngineRecord.padded(record.payloadBytes) / word
    /// Words that are cut into items of so many bytes, an item a cycle.
    func cut(_ item: Int) -> Int {
      item >= word ? words : ceilDivide(record.payloadBytes, item) + words - ceilDivide(record.payloadBytes, word)
    }
    let payload =
      switch record.kind {
      case .header: cut(shape.pixelBeatBytes)
      case .table: cut(2)
      case .embedding: cut(2 * shape.norm)
      case .norm:
        // Each word that ends a group of word/8 channels takes a cycle for each of them.
        words + record.payloadBytes / EngineRecord.entryBytes * 8 / word * (word / 8 - 1)
      case .command, .rowTile: words
      }
    return EngineRecord.blockBytes / word + payload
  }

  /// Bytes of the program, without the image.
  public var programBytes: Int { records.reduce(0) { $0 + $1.byteCount } }
}
