/// The speed to expect of n = 2^k processes that compute a batch each: from the time of a batch and of an exchange.
///
/// Gradients are exchanged level by level, k = log2 n of them, while the last backward pass computes: all but the last
/// bucket hide behind it. A backward pass is two thirds of a step.
///
///     T(n) = t + k·latency + max(k·level/buckets, k·level − 2t/3)
public struct ScalingEstimate: Sendable {
  /// t: one batch on one process.
  public var batchSeconds: Double
  /// All gradients between two processes.
  public var levelSeconds: Double
  /// One number between two processes.
  public var latency: Double
  /// Parts of the gradients of which the last cannot start before the backward pass ends.
  public var buckets: Double

  public init(batchSeconds: Double, levelSeconds: Double, latency: Double, buckets: Double = 64) {
    self.batchSeconds = batchSeconds
    self.levelSeconds = levelSeconds
    self.latency = latency
    self.buckets = buckets
  }

  /// log2 n, for n = 2^k.
  public static func levels(of processes: Int) -> Int { processes.trailingZeroBitCount }

  /// T(n). Example: t = 3 s, a level of 1.5 s, no latency, 64 buckets: T(2) = 3.02 s; T(8): 4.5 s of exchange, 2.5 of
  /// them beside the 2 s of the backward pass: 5.5 s.
  public func stepSeconds(_ processes: Int) -> Double {
    let levels = Double(ScalingEstimate.levels(of: processes))
    let exchange = levels * levelSeconds
    return batchSeconds + levels * latency + max(exchange / buckets, exchange - batchSeconds * 2 / 3)
  }

  /// t / T(n): images a second, of n times those of one process.
  public func efficiency(_ processes: Int) -> Double { batchSeconds / stepSeconds(processes) }
}
