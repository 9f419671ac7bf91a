import QuasarTensor

/// 8·√terms·2^−24·magnitude: the error of a float sum of `terms` values of size `magnitude`.
///
/// Each addition and each factor is rounded with relative error ≤ 2^−24. Independent roundings add up as √terms, and 8
/// covers the few roundings per term and the tail of the distribution.
public func floatTolerance(terms: Int, magnitude: Double) -> Double {
  8 * Double(max(1, terms)).squareRoot() * 0x1p-24 * magnitude
}

/// nil if every |actual − expected| ≤ tolerance, otherwise a line about the first element for which it is not (NaN is
/// not).
public func difference(_ actual: [Float], _ expected: [Double], tolerance: Double) -> String? {
  guard actual.count == expected.count else {
    return "\(actual.count) values where \(expected.count) are expected"
  }
  for i in actual.indices where !(abs(Double(actual[i]) - expected[i]) <= tolerance) {
    return "element \(i) is \(actual[i]) where \(expected[i]) ± \(tolerance) is expected"
  }
  return nil
}

/// The first index at which two arrays differ, nil when they are equal.
public func firstDifference<Element: Equatable>(_ a: [Element], _ b: [Element]) -> Int? {
  guard a.count == b.count else { return min(a.count, b.count) }
  return a.indices.first { a[$0] != b[$0] }
}

/// The largest magnitude, at least 2^−10: the scale of an error bound.
public func magnitude(_ values: [Double]) -> Double {
  values.reduce(0x1p-10) { max($0, abs($1)) }
}

extension NDArray where Scalar == Float {
  /// The scalars in double precision.
  public var doubles: [Double] { scalars.map(Double.init) }
}

extension NDArray where Scalar == Float {
  /// The bit patterns, for comparisons that must not treat −0 as 0 or NaN as different from itself.
  public var bits: [UInt32] { scalars.map(\.bitPattern) }
}
