import QuasarTensor

/// A deterministic generator (SplitMix64) of test data, with values that break kernels mixed in.
public struct AwkwardValues: RandomNumberGenerator {
  private var state: UInt64

  public init(_ seed: Int) {
    state = UInt64(truncatingIfNeeded: seed)
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A uniform float in range.
  public mutating func uniform(_ range: ClosedRange<Float>) -> Float {
    Float.random(in: range, using: &self)
  }

  /// One value in eight is a corner (0, ±limit, a tiny number, ±1), the others are uniform in ±limit/2.
  public mutating func value(limit: Float = 4) -> Float {
    guard next() % 8 == 0 else { return uniform(-limit / 2...limit / 2) }
    return [0, limit, -limit, 1e-6, 1, -1][Int(next() % 6)]
  }

  /// A tensor of `value(limit:)`.
  public mutating func tensor(_ shape: [Int], limit: Float = 4) -> Tensor {
    Tensor((0..<shape.reduce(1, *)).map { _ in value(limit: limit) }, shape: shape)
  }

  /// A tensor of uniform values.
  public mutating func tensor(_ shape: [Int], in range: ClosedRange<Float>) -> Tensor {
    Tensor((0..<shape.reduce(1, *)).map { _ in uniform(range) }, shape: shape)
  }

  /// s·(code + u) with |u| ≤ 0.4 and code in low − 3…high + 3: at least 0.1·s away from every rounding tie and
  /// from both clamp edges.
  public mutating func quantizable(low: Int, high: Int, step: Float) -> Float {
    var code = Int.random(in: low - 3...high + 3, using: &self)
    if next() % 4 == 0 { code = next() % 2 == 0 ? low : high }
    var part = uniform(-0.4...0.4)
    if abs(part) < 0.1 { part = 0.1 }
    return step * (Float(code) + part)
  }

  /// 0..<count in random order.
  public mutating func permutation(_ count: Int) -> [Int] {
    (0..<count).shuffled(using: &self)
  }

  /// An integer; one in four is an end of the range.
  public mutating func code(in range: ClosedRange<Int>) -> Int {
    guard next() % 4 == 0 else { return Int.random(in: range, using: &self) }
    return next() % 2 == 0 ? range.lowerBound : range.upperBound
  }
}
