import QuasarTensor

/// When every command of a program starts and ends: the cycles of the RTL, counted without it.
///
/// A fold over the records of the program in the order of the stream. Three rules make all cycles:
///
/// 1. **Tiles.** Tile y follows tile x on the array: t_y = max(t_x + S_x, t_x + S_x + q_x − S_y, ready_y), with S steps and q
///    beats of the drain. A command of products ends q + TAIL cycles after its last address.
/// 2. **Records.** Record n of b_n words enters at x_n = max(x_{n−1} + b_{n−1}, free_n, after_n): when the one before it has
///    passed, its slot is free and the commands before it that use the same memory are complete.
/// 3. **Softmax.** Row pairs are read in order, one chunk a cycle: r_k = max(r_{k−1}, done_k) + chunks.
public struct EngineTimeline: Sendable {
  /// One command: the cycles in which the sequencer takes it and completes it.
  public struct Span: Hashable, Sendable {
    public var start: Int
    public var end: Int
    /// Cycles in which the array has a step.
    public var steps: Int
    /// Cycles in which the array waits for weights, for the drain, for softmax.
    public var waits: Waits
  }

  public struct Waits: Codable, Hashable, Sendable {
    public var weights = 0
    public var drain = 0
    public var softmax = 0
  }

  /// In the order of the program.
  public private(set) var spans: [Span] = []
  /// Cycles from the first word of the program to the end of its last command.
  public var cycles: Int { spans.last?.end ?? 0 }

  private let network: EngineNetwork
  private let timing: EngineTiming
  private var shape: EngineShape { network.shape }

  // The stream: first cycle in which the next record may enter.
  private var stream = 1
  /// First cycle in which each slot takes words.
  private var slotFree = [0, 0]
  private var slot = 0
  private var array = ArrayState()

  /// The tile that was taken last.
  private struct ArrayState {
    var taken = Int.min / 2
    var steps = 0
    var beats = 0

    /// The first cycle in which a tile of `next` steps may be taken, and how much of it the drain causes.
    func earliest(_ next: Int) -> (cycle: Int, drain: Int) {
      let free = taken + steps
      let cycle = max(free, free + beats - next)
      return (cycle, cycle - free)
    }
  }

  public init(_ network: EngineNetwork) {
    self.network = network
    timing = EngineTiming(network.shape)
    var records = network.records[...]
    while let record = records.popFirst() {
      enter(record)
      guard record.kind == .command else { continue }
      run(network.commands[record.command], &records)
    }
  }

  /// Lets a record enter the engine, not before `free`; gives the cycle of its last word.
  @discardableResult
  private mutating func enter(_ record: EngineRecord, free: Int = 0) -> Int {
    // Commands of this image that have to be complete; those of the image before are.
    let complete = spans.count - record.pending
    let after = complete > 0 ? spans[complete - 1].end + timing.wake : 0
    let first = max(stream, free, after)
    stream = first + network.cycles(of: record)
    return stream - 1
  }

  private mutating func run(_ command: EngineCommand, _ records: inout ArraySlice<EngineRecord>) {
    let start = max(spans.last?.end ?? 0, stream - 1 + timing.command)
    var span = Span(start: start, end: start, steps: 0, waits: Waits())
    switch command.operation {
    case .gemm(let gemm):
      for tile in gemm.tiles {
        guard let record = records.popFirst() else { preconditionFailure("a row tile without its record") }
        run(tile, of: gemm, loaded: enter(record, free: slotFree[slot]) + timing.rowTile, &span)
      }
      span.end = array.taken + array.steps + EngineTiming.issue - 1 + array.beats + timing.gemmTail
    case .norm(let norm):
      span.end = start + 1 + (norm.tokens + 2) * ceilDivide(norm.width, shape.norm) + timing.norm
    case .attention(let attention):
      run(attention, &span)
      span.end = array.taken + array.steps + EngineTiming.issue - 1 + array.beats + timing.attentionTail
    case .end: span.end = start + 2
    }
    spans.append(span)
  }

  /// Takes one tile: not before `offered`, when the sequencer sees it, and not before `ready`.
  private mutating func take(
    steps: Int, beats: Int, offered: Int, ready: Int, _ wait: WritableKeyPath<Waits, Int>, _ span: inout Span
  ) {
    let (earliest, drain) = array.earliest(steps)
    let cycle = max(earliest, offered, ready)
    span.waits.drain += max(0, min(drain, cycle - offered))
    span.waits[keyPath: wait] += max(0, cycle - max(earliest, offered))
    span.steps += steps
    array = ArrayState(taken: cycle, steps: steps, beats: beats)
  }

  private mutating func run(
    _ tile: EngineCommand.RowTile, of gemm: EngineCommand.GEMM, loaded: Int, _ span: inout Span
  ) {
    for j in 0..<gemm.tokenTiles(shape, isBlock: tile.isBlock) {
      take(
        steps: gemm.steps, beats: gemm.beats(tile, tokenTile: j, shape), offered: span.start + EngineTiming.start,
        ready: loaded, \.weights, &span)
    }
    slotFree[slot] =
      array.taken + array.steps + EngineTiming.issue - 1 + timing.drain + array.beats - 1 + timing.release
    slot = 1 - slot
  }

  /// Scores S_u and contexts C_u of all query blocks u of all heads: S₀ S₁ S₂ C₀ S₃ C₁ …
  private mutating func run(_ attention: EngineCommand.Attention, _ span: inout Span) {
    let blocks = attention.blocks(shape)
    let total = attention.heads * blocks
    var ready: [Int] = []
    var read = Int.min / 2
    for u in 0..<total {
      while ready.count < min(total, u + 3) {
        scores(attention, block: ready.count % blocks, &read, &span)
        ready.append(read + ceilDivide(attention.tokens, shape.softmax) + timing.softmax)
      }
      context(attention, block: u % blocks, ready: ready[u], &span)
    }
  }

  /// Queries of a block against all keys; moves `read` to the cycle after the last chunk that the softmax units read.
  private mutating func scores(
    _ attention: EngineCommand.Attention, block u: Int, _ read: inout Int, _ span: inout Span
  ) {
    let chunks = ceilDivide(attention.tokens, shape.softmax)
    let queries = attention.tokens(ofBlock: u, shape)
    for first in stride(from: 0, to: queries, by: shape.tileRows) {
      let pairs = ceilDivide(min(shape.tileRows, queries - first), 2)
      var groups = 0
      for key in 0..<attention.blocks(shape) {
        groups = ceilDivide(attention.tokens(ofBlock: key, shape), shape.softmax)
        take(
          steps: attention.headSteps, beats: pairs * groups, offered: span.start + EngineTiming.start, ready: 0,
          \.weights, &span)
      }
      let beat = array.taken + array.steps + EngineTiming.issue - 1 + timing.drain
      for pair in 1...pairs { read = max(read, beat + pair * groups - 1 + timing.scores) + chunks }
    }
  }

  /// All channels of a head for a block of queries.
  private mutating func context(
    _ attention: EngineCommand.Attention, block u: Int, ready: Int, _ span: inout Span
  ) {
    let groups = ceilDivide(attention.tokens(ofBlock: u, shape), shape.drain)
    for first in stride(from: 0, to: attention.headChannels, by: shape.tileRows) {
      take(
        steps: attention.keySteps(shape), beats: min(shape.tileRows, attention.headChannels - first) * groups,
        offered: span.start + EngineTiming.start, ready: ready, \.softmax, &span)
    }
  }
}
