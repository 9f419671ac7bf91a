import QuasarArithmetic
import QuasarTensor

/// The pipelines of an engine in cycles; the RTL has the same numbers as parameters, and its simulation proves them.
public struct EngineTiming: Hashable, Sendable {
  /// From the edge's ports to the hold registers of the drain: edge 1, broadcast, cascade − 1, DSP 4, decoder 1, tree,
  /// accumulator 1.
  public let array: Int
  /// Requantiser lanes.
  public let lane: Int
  /// Lanes of the context.
  public let context: Int
  /// From the output of a lane until an address reads what it wrote.
  public let write: Int
  /// From the last beat of a row pair, at the output of the drain, to the reader's first address.
  public let scores: Int
  /// From the reader's last address of a block to the first offer of its context, beyond the chunks of a row.
  public let softmax: Int
  /// From the start of a norm to its end, beyond (tokens + 2)·⌈D/V⌉.
  public let norm: Int
  /// From the cycle in which the last word of a command is taken from the stream to that in which the sequencer may take
  /// the command, and the same for a row tile and the first offer of its tiles.
  public let command: Int
  public let rowTile: Int
  /// From the last beat of a row tile, at the output of the drain, to the cycle in which its slot takes the next words.
  public let release: Int
  /// From the end of a command to the cycle in which a record that waits for it enters.
  public let wake: Int

  /// Cycles of the requantiser lanes with one DSP each, and how long before their result they need the old residual.
  public static let lanes = 10
  public static let laneResidual = 2
  /// Cycles of the context lanes.
  public static let contextLanes = 13
  /// Cycles from an access of the residual memory to its values.
  public static let residual = 7
  /// Cycles from a memory's address to its word.
  static let memory = 2
  /// From the cycle in which a tile is taken to the address of its first step.
  static let issue = 2
  /// From the cycle in which a command is taken to the first offer of a tile.
  static let start = 2

  init(_ shape: EngineShape) {
    array = shape.broadcast + shape.cascade + 6 + ceilLog2(shape.inputs / shape.cascade)
    lane = Self.lanes + (shape.laneSumBits > shape.generation.preAdderBits ? 1 : 0)
    // One cycle before the lanes for the inverses of the beat.
    context = Self.contextLanes + 1
    write = 2
    scores = 2
    softmax = 31 + 2 * ceilLog2(shape.softmax)
    norm = 85 + Self.residual + 2 * ceilLog2(shape.norm)
    command = 4
    rowTile = 4
    release = 0
    wake = 1
  }

  /// From a tile's last address to its first beat at the output of the drain, beats counted from 0.
  var drain: Int { Self.memory + array + 1 }
  /// TAIL of the sequencer for a GEMM and for attention.
  var gemmTail: Int { drain + lane + write }
  var attentionTail: Int { drain + context + write }
}
