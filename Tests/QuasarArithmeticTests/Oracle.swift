import CKernels
import Foundation
import QuasarArithmetic
import QuasarTensor
import QuasarTestSupport

// Definitions in Double and Int; nothing here calls the library.

/// erf by its series of positive terms: 2/√π·e^(−x²)·Σ 2^n·x^(2n+1)/(2n+1)!!; no cancellation, error ≈ 1e-16.
func oracleErf(_ x: Double) -> Double {
  if abs(x) > 6 { return x < 0 ? -1 : 1 }  // 1 − erf(6) = 2e-17
  var term = x
  var sum = x
  for n in 1..<400 {
    term *= 2 * x * x / Double(2 * n + 1)
    sum += term
  }
  return 2 / Double.pi.squareRoot() * exp(-x * x) * sum
}

func oracleGELU(_ x: Double) -> Double {
  x * (1 + oracleErf(x / 2.0.squareRoot())) / 2
}

/// clamp(⌊(acc·M + 2^(S−1))/2^S⌋) in Int.
func oracleRequantise(_ accumulator: Int, _ r: Requantiser, _ low: Int, _ high: Int) -> Int {
  let value = (accumulator * Int(r.multiplier) + (1 << (Int(r.shift) - 1))) >> Int(r.shift)
  return min(max(value, low), high)
}

/// bias[n] + Σ_k input[t, k]·codes[n, k]
func oracleAccumulators(_ input: [Int], _ layer: IntegerLinear) -> [Int] {
  let depth = layer.codes.width
  let w = layer.codes.scalars.map { Int($0) }
  return (0..<input.count / depth).flatMap { t in
    layer.bias.indices.map { n in
      (0..<depth).reduce(Int(layer.bias[n])) { $0 + input[t * depth + $1] * w[n * depth + $1] }
    }
  }
}

/// Random codes with the extremes of each row's precision.
func randomCodes(_ rowBits: [UInt8], depth: Int, _ random: inout AwkwardValues) -> NDArray<Int8> {
  var scalars: [Int8] = []
  for bits in rowBits {
    for _ in 0..<depth { scalars.append(Int8(random.code(in: bits == 4 ? -7...7 : -127...127))) }
  }
  return NDArray(scalars, shape: [rowBits.count, depth])
}
