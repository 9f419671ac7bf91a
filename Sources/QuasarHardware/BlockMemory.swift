import QuasarTensor

/// Counts of memory blocks for a memory of given width and depth.
public enum BlockMemory {
  /// Blocks of 18 Kb for `words` words of `bits` bits.
  ///
  /// With w = bits, ω = words: w = 1: ⌈ω/16384⌉; 2: ⌈ω/8192⌉; ≤ 4: ⌈ω/4096⌉·⌈w/4⌉; ≤ 9: ⌈ω/2048⌉·⌈w/9⌉; ≤ 18 or ω >
  /// 512: ⌈ω/1024⌉·⌈w/18⌉; else ⌈ω/512⌉·⌈w/36⌉. Source: FINN (article Facts, FINN costs). Example: 2048 bits × 384
  /// words → 57.
  public static func bram18(bits: Int, words: Int) -> Int {
    if bits <= 0 || words <= 0 { return 0 }
    if bits == 1 { return ceilDivide(words, 16384) }
    if bits == 2 { return ceilDivide(words, 8192) }
    if bits <= 4 { return ceilDivide(words, 4096) * ceilDivide(bits, 4) }
    if bits <= 9 { return ceilDivide(words, 2048) * ceilDivide(bits, 9) }
    if bits <= 18 || words > 512 { return ceilDivide(words, 1024) * ceilDivide(bits, 18) }
    return ceilDivide(words, 512) * ceilDivide(bits, 36)
  }

  /// ⌈bits/72⌉·⌈words/4096⌉: blocks of 288 Kb. Source: FINN (article Facts, FINN costs).
  public static func uram(bits: Int, words: Int) -> Int {
    bits <= 0 || words <= 0 ? 0 : ceilDivide(bits, 72) * ceilDivide(words, 4096)
  }

  /// The blocks of a buffer in BRAM, shallow ones included (a tool may put those into LUT RAM).
  static func buffer(bits: Int, words: Int) -> ResourceUse {
    ResourceUse(bram18: bram18(bits: bits, words: words))
  }
}

/// Amounts of the five resources of an FPGA.
public struct ResourceUse: Codable, Hashable, Sendable {
  public var dsp: Int
  public var lut: Int
  public var ff: Int
  public var bram18: Int
  public var uram: Int

  public init(dsp: Int = 0, lut: Int = 0, ff: Int = 0, bram18: Int = 0, uram: Int = 0) {
    self.dsp = dsp
    self.lut = lut
    self.ff = ff
    self.bram18 = bram18
    self.uram = uram
  }

  public static func + (a: ResourceUse, b: ResourceUse) -> ResourceUse {
    ResourceUse(
      dsp: a.dsp + b.dsp, lut: a.lut + b.lut, ff: a.ff + b.ff, bram18: a.bram18 + b.bram18,
      uram: a.uram + b.uram)
  }

  /// n·a
  public static func * (n: Int, a: ResourceUse) -> ResourceUse {
    ResourceUse(dsp: n * a.dsp, lut: n * a.lut, ff: n * a.ff, bram18: n * a.bram18, uram: n * a.uram)
  }

  /// True if every amount is at most that of `budget`.
  public func fits(_ budget: ResourceUse) -> Bool {
    dsp <= budget.dsp && lut <= budget.lut && ff <= budget.ff && bram18 <= budget.bram18
      && uram <= budget.uram
  }
}
