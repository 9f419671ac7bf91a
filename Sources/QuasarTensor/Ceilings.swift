/// ⌈a / b⌉ for a ≥ 0, b > 0.
@inlinable
package func ceilDivide(_ a: Int, _ b: Int) -> Int { (a + b - 1) / b }

/// ⌈log2 n⌉ for n ≥ 1.
@inlinable
package func ceilLog2(_ n: Int) -> Int { n <= 1 ? 0 : Int.bitWidth - (n - 1).leadingZeroBitCount }
