import CKernels

/// Sums of float arrays over all processes, computed while the caller continues.
///
/// Arrays are collected into buckets; a full bucket is exchanged at once. At level l a process and its partner, rank
/// XOR 2^l, exchange what they have and both add the two. After log2(size) levels each process holds ((g0 + g1) + (g2 +
/// g3)) + …, the sum over a binary tree, with the same bits everywhere because a + b = b + a.
///
/// Every process adds arrays of the same lengths in the same order. An array must not be touched between `add` and
/// `finish`. Buffers are kept from one use to the next.
public final class SumOverProcesses {
  private let processes: any ProcessGroup
  private let bucketCount: Int
  private var collecting: Bucket?
  private var underWay: [Bucket] = []
  private var free: [Bucket] = []
  private var started = 0

  /// `bucketCount` is the number of floats per bucket. The default, 1 MiB, is long enough to reach the rate of a
  /// network, and short enough to start while most of a backward pass is still to come.
  public init(_ processes: any ProcessGroup, bucketCount: Int = 1 << 18) {
    self.processes = processes
    self.bucketCount = max(1, bucketCount)
  }

  /// Replaces values[0..<count] by their sums once `finish` has returned.
  public func add(_ values: UnsafeMutablePointer<Float>, count: Int) throws {
    guard processes.size > 1 else { return }
    var done = 0
    while done < count {
      let bucket = collecting ?? free.popLast() ?? Bucket(capacity: bucketCount)
      collecting = bucket
      let taken = min(count - done, bucketCount - bucket.count)
      bucket.append(values + done, count: taken)
      done += taken
      if bucket.count == bucketCount { try startCollected() }
    }
  }

  /// Moves all exchanges along without waiting.
  public func progress() throws {
    for bucket in underWay { try advance(bucket, waiting: false) }
    retireFinished()
  }

  /// Returns when every array holds its sums.
  public func finish() throws {
    try startCollected()
    for bucket in underWay { try advance(bucket, waiting: true) }
    retireFinished()
    started = 0
  }

  private func startCollected() throws {
    guard let bucket = collecting else { return }
    collecting = nil
    bucket.level = 0
    bucket.tag = started % 32_768
    started += 1
    underWay.append(bucket)
    try startLevel(bucket)
  }

  private func startLevel(_ bucket: Bucket) throws {
    bucket.exchange = try processes.exchange(
      sending: bucket.values, receiving: bucket.received, count: bucket.count,
      partner: processes.rank ^ (1 << bucket.level), tag: bucket.tag)
  }

  /// Adds the data received and starts the next level, as often as possible.
  private func advance(_ bucket: Bucket, waiting: Bool) throws {
    while bucket.exchange != nil {
      if waiting {
        try bucket.exchange?.wait()
      } else if try bucket.exchange?.isDone() != true {
        return
      }
      bucket.exchange = nil
      qk_accumulate(bucket.count, 1, bucket.received, bucket.values)
      bucket.level += 1
      if 1 << bucket.level < processes.size { try startLevel(bucket) } else { bucket.deliver() }
    }
  }

  private func retireFinished() {
    for bucket in underWay where bucket.exchange == nil {
      bucket.clear()
      free.append(bucket)
    }
    underWay.removeAll { $0.exchange == nil }
  }

  /// Arrays that are sent together, and the partner's arrays.
  private final class Bucket {
    let values: UnsafeMutablePointer<Float>
    let received: UnsafeMutablePointer<Float>
    private(set) var count = 0
    private var targets: [(UnsafeMutablePointer<Float>, Int)] = []
    var level = 0
    var tag = 0
    var exchange: (any Exchange)?

    init(capacity: Int) {
      values = .allocate(capacity: capacity)
      received = .allocate(capacity: capacity)
    }

    deinit {
      values.deallocate()
      received.deallocate()
    }

    func append(_ source: UnsafeMutablePointer<Float>, count added: Int) {
      (values + count).update(from: source, count: added)
      targets.append((source, added))
      count += added
    }

    func deliver() {
      var offset = 0
      for (target, length) in targets {
        target.update(from: values + offset, count: length)
        offset += length
      }
    }

    func clear() {
      count = 0
      targets.removeAll(keepingCapacity: true)
    }
  }
}
