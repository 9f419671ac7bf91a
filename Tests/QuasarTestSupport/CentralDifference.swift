/// d function/d inputs[input][element] from four values (−f(2h) + 8f(h) − 8f(−h) + f(−2h))/12h.
///
/// With h = 1e-4 the truncation error is h⁴/30·f⁽⁵⁾ ≈ 3e-18·f⁽⁵⁾ and the rounding error about 1e-12·|f|: both far
/// below the float errors that are tested with it.
public func centralDifference(
  _ function: ([[Double]]) -> Double, at inputs: [[Double]], input: Int, element: Int, step: Double = 1e-4
) -> Double {
  var moved = inputs
  let start = inputs[input][element]
  func value(_ offset: Double) -> Double {
    moved[input][element] = start + offset
    return function(moved)
  }
  let far = value(2 * step) - value(-2 * step)
  let near = value(step) - value(-step)
  return (8 * near - far) / (12 * step)
}

/// At most `limit` indices of 0..<count: all, or an even spread with both ends.
public func spread(_ count: Int, limit: Int) -> [Int] {
  guard count > limit else { return Array(0..<count) }
  return (0..<limit).map { $0 * (count - 1) / (limit - 1) }
}
