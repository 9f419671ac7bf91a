/// The expected speed of n = 2^k processes that compute one batch each, from the time of a batch and of an exchange.
///
/// Gradients are exchanged in k = log2 n levels while the last backward pass computes, which hides all but the last
/// bucket. A backward pass is two thirds of a step.
///
///     T(n) = t + k·latency + max(k·level/buckets, k·level − 2t/3)
public struct ScalingEstimate: Sendable {
  /// t: the time of one batch on one process.
  public var batchSeconds: Double
  /// The time to exchange all gradients between two processes.
  public var levelSeconds: Double
  /// The time to exchange one number between two processes.
  public var latency: Double
  /// Number of parts of the gradients, the last of which cannot start before the backward pass ends.
  public var buckets: Double

  public init(batchSeconds: Double, levelSeconds: Double, latency: Double, buckets: Double = 64) {
    self.batchSeconds = batchSeconds
    self.levelSeconds = levelSeconds
    self.latency = latency
    self.buckets = buckets
  }

  /// log2 n, for n = 2^k.
  public static func levels(of processes: Int) -> Int { processes.trailingZeroBitCount }

  /// T(n). Example: t = 3 s, a level of 1.5 s, no latency, 64 buckets: T(2) = 3.02 s. T(8): 4.5 s of exchange, of which
  /// 2 s run during the backward pass and 2.5 s remain, so 5.5 s.
  public func stepSeconds(_ processes: Int) -> Double {
    let levels = Double(ScalingEstimate.levels(of: processes))
    let exchange = levels * levelSeconds
    return batchSeconds + levels * latency + max(exchange / buckets, exchange - batchSeconds * 2 / 3)
  }

  /// t / T(n): images per second, relative to n times those of one process.
  public func efficiency(_ processes: Int) -> Double { batchSeconds / stepSeconds(processes) }
}
