/// A file for `$readmemh`: one word of `bits` bits per line, fields put at their bit, unused bits zero.
struct HexFile {
  let bits: Int
  private(set) var words = 0
  private(set) var bytes: [UInt8] = []
  private var limbs: [UInt64]

  init(bits: Int) {
    self.bits = bits
    limbs = [UInt64](repeating: 0, count: (bits + 63) / 64)
  }

  /// The low `width` bits (at most 64) of `value` in two's complement, from bit `position` of the current word.
  mutating func put(_ value: Int, at position: Int, width: Int) {
    precondition(position >= 0 && width >= 1 && width <= 64 && position + width <= bits)
    let field = UInt64(bitPattern: Int64(value)) & (width == 64 ? ~0 : (1 << UInt64(width)) - 1)
    let (limb, offset) = (position / 64, UInt64(position % 64))
    limbs[limb] |= field << offset
    if offset > 0 && Int(offset) + width > 64 { limbs[limb + 1] |= field >> (64 - offset) }
  }

  /// Writes the current word and begins the next one.
  mutating func next() {
    for digit in (0..<(bits + 3) / 4).reversed() {
      let nibble = UInt8(limbs[digit / 16] >> UInt64(4 * (digit % 16)) & 15)
      bytes.append(nibble < 10 ? 48 + nibble : 87 + nibble)
    }
    bytes.append(10)
    for i in limbs.indices { limbs[i] = 0 }
    words += 1
  }
}
