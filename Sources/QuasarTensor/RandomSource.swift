import CKernels

/// Random numbers as a pure function of (seed, stream, index), without state to save or restore.
///
/// Philox 4×32-10 (Salmon et al., SC 2011). Streams are named by strings or numbers; drawing from one stream never
/// changes another.
public struct RandomSource: Sendable {
  public let seed: UInt64

  public init(seed: UInt64) {
    self.seed = seed
  }

  /// A 64-bit stream number for a name (FNV-1a).
  public static func stream(_ name: String) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash
  }

  /// 32 uniform bits at (stream, index).
  public func bits(_ stream: UInt64, _ index: UInt64) -> UInt32 {
    qk_random_bits(seed, stream, index)
  }

  /// A tensor of values with mean 0, the given standard deviation and |value| ≤ 6·deviation.
  public func normal(_ name: String, shape: [Int], deviation: Float) -> Tensor {
    let tensor = Tensor(uninitialized: shape)
    qk_random_normal(seed, RandomSource.stream(name), tensor.count, deviation, tensor.pointer)
    return tensor
  }

  /// A generator that walks along one stream.
  public func generator(_ name: String, _ number: Int = 0) -> RandomStream {
    RandomStream(source: self, stream: RandomSource.stream(name) &+ UInt64(bitPattern: Int64(number)))
  }
}

/// Walks along one stream of a RandomSource.
public struct RandomStream: RandomNumberGenerator, Sendable {
  let source: RandomSource
  let stream: UInt64
  var index: UInt64 = 0

  init(source: RandomSource, stream: UInt64) {
    self.source = source
    self.stream = stream
  }

  public mutating func next() -> UInt64 {
    defer { index += 2 }
    return UInt64(source.bits(stream, index)) << 32 | UInt64(source.bits(stream, index + 1))
  }

  /// A uniform integer in 0..<bound, by the multiply-shift rule (bias below bound/2^64).
  public mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0, "a bound of \(bound) leaves nothing to draw")
    return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// A uniform number in 0..<1 with 53 bits.
  public mutating func unit() -> Double {
    Double(next() >> 11) * 0x1p-53
  }

  /// One of the elements, uniformly.
  public mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[below(elements.count)]
  }

  /// 0..<count in random order (Fisher–Yates).
  public mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, below(i + 1)) }
    return order
  }
}
