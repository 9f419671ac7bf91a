import QuasarTensor

/// Processes that work on one run: n = 2^k of them, numbered 0…n − 1.
///
/// All of them compute the same weights. They differ in the images whose gradients they compute and in the candidates
/// that they score. Only number 0 writes files and messages.
public protocol ProcessGroup {
  /// The number of this process.
  var rank: Int { get }
  /// The number of processes, a power of two.
  var size: Int { get }
  /// Starts to send `count` floats to `partner` and to receive as many from it; both buffers are in use until the
  /// exchange is done.
  ///
  /// The partner starts the same exchange. Exchanges of one pair with one tag (0…32767) are matched in the order of
  /// their start.
  func exchange(
    sending: UnsafePointer<Float>, receiving: UnsafeMutablePointer<Float>, count: Int, partner: Int, tag: Int
  ) throws -> any Exchange
}

/// An exchange of floats under way.
public protocol Exchange {
  /// True if both directions have ended; moves the transfer along.
  mutating func isDone() throws -> Bool
  /// Returns when both directions have ended.
  mutating func wait() throws
}

/// The one process of a run without other processes.
public struct SingleProcess: ProcessGroup {
  public let rank = 0
  public let size = 1

  public init() {}

  public func exchange(
    sending: UnsafePointer<Float>, receiving: UnsafeMutablePointer<Float>, count: Int, partner: Int, tag: Int
  ) throws -> any Exchange {
    throw QuasarError(.internal, "a single process has no partner \(partner)")
  }
}

extension ProcessGroup {
  /// True if this process writes files and messages.
  public var isFirst: Bool { rank == 0 }

  /// Replaces `values` by their sums over all processes, with the same bits everywhere.
  public func sum(_ values: inout [Float]) throws {
    guard size > 1, !values.isEmpty else { return }
    let sum = SumOverProcesses(self, bucketCount: values.count)
    try values.withUnsafeMutableBufferPointer { buffer in
      if let base = buffer.baseAddress { try sum.add(base, count: buffer.count) }
      try sum.finish()
    }
  }

  /// True if `flag` is true in any process.
  public func any(_ flag: Bool) throws -> Bool {
    var votes: [Float] = [flag ? 1 : 0]
    try sum(&votes)
    return votes[0] > 0
  }

  /// body(i) for every i below `count`; each is computed by one process (i mod size) and returned in all.
  ///
  /// Values must be exact as floats; adding zeros does not change them.
  public func map(_ count: Int, _ body: (Int) throws -> Float) throws -> [Float] {
    var values = [Float](repeating: 0, count: count)
    for i in stride(from: rank, to: count, by: size) { values[i] = try body(i) }
    try sum(&values)
    return values
  }
}
