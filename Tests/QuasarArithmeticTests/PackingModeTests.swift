import QuasarArithmetic
import QuasarTensor
import QuasarTestSupport
import Testing

@Suite("Packing modes")
struct PackingModeTests {
  /// One line of the table of hardware.md: mode, products per DSP, depths for full-range and narrow codes.
  struct Line: CustomTestStringConvertible, Sendable {
    let mode: PackingMode
    let products: Int
    let fullSigned: Int?
    let fullUnsigned: Int?
    let narrowSigned: Int?
    let narrowUnsigned: Int?
    var testDescription: String { mode.name }

    init(_ mode: PackingMode, _ products: Int, full: (Int?, Int?), narrow: (Int?, Int?)) {
      self.mode = mode
      self.products = products
      (fullSigned, fullUnsigned) = full
      (narrowSigned, narrowUnsigned) = narrow
    }
  }

  static let table = [
    Line(.w8a8Pair, 2, full: (7, 4), narrow: (8, 4)),
    Line(.w4a8Pair, 2, full: (2047, 1028), narrow: (2359, 1174)),
    Line(.w4a8Triple, 3, full: (0, 0), narrow: (1, 0)),
    Line(.w4a8TripleRestored, 3, full: (1, 1), narrow: (1, 1)),
    Line(.w4a6Block, 4, full: (3, 2), narrow: (4, 2)),
    Line(.w8a6Pair, 2, full: (31, 16), narrow: (33, 16)),
    Line(.w4a4Block, 4, full: (15, 8), narrow: (20, 9)),
    Line(.w8a8Atoms, 1, full: (1092, 1096), narrow: (1100, 1096)),
    Line(.w8a6AtomBlock, 2, full: (2, 2), narrow: (2, 2)),
    Line(.a6a6Pair, 2, full: (127, 65), narrow: (136, 67)),
    Line(.a8a8Pair, 2, full: (7, 4), narrow: (8, 4)),
    Line(.w4a8PairE1, 2, full: (511, nil), narrow: (nil, nil)),
    Line(.w4a6BlockE1, 4, full: (1, nil), narrow: (2, nil)),
    Line(.w8a8PairE1, 2, full: (1, nil), narrow: (nil, nil)),
  ]

  @Test("Computed depths equal every figure of hardware.md", arguments: table)
  func depths(line: Line) {
    #expect(line.mode.productsPerDSP == line.products)
    let cases = [
      (false, false, line.fullSigned), (false, true, line.fullUnsigned), (true, false, line.narrowSigned),
      (true, true, line.narrowUnsigned),
    ]
    for (narrow, unsigned, expected) in cases {
      guard let expected else { continue }
      #expect(line.mode.depth(narrow: narrow, unsignedActivations: unsigned) == expected)
    }
  }

  /// Nominal ranges never reach both ends: a field of 11 bits ends at −1024 = 128·(−8), but at 1023 = 127·8 + 7.
  @Test("A lane is filled to its lowest value, which is one further than its highest")
  func bothEnds() {
    let bit = OperandRange.unsigned(bits: 1)
    #expect(PackingMode.w4a6Block.depth(weight: OperandRange(lowest: -8, highest: 7), activation: bit) == 128)
    #expect(PackingMode.w4a6Block.depth(weight: OperandRange(lowest: -7, highest: 8), activation: bit) == 127)
  }

  @Test("The wider pair of DSP48E1 takes narrow weights only")
  func widePair() {
    #expect(PackingMode.w8a8WidePairE1.depth(narrow: false, unsignedActivations: false) == 0)
    #expect(PackingMode.w8a8WidePairE1.depth(narrow: true, unsignedActivations: false) == 4)
    #expect(PackingMode.w8a8WidePairE1.depth(narrow: true, unsignedActivations: true) == 2)
  }

  @Test("Carry counters leave only the top lane as the limit")
  func carryCounters() throws {
    let depth = try #require(PackingMode.w4a8TripleCounters.depth(narrow: true, unsignedActivations: false))
    #expect(depth == ((1 << 25) - 1) / 889)
  }

  @Test("A mode that needs narrow weights says so, and only such a mode refuses the lowest code")
  func narrowFlag() {
    for mode in PackingMode.all {
      let weight = OperandRange.signed(bits: mode.weightBits, narrow: false)
      let activation = OperandRange.signed(bits: mode.activationBits, narrow: false)
      #expect(mode.fits(weight: weight, activation: activation) == !mode.needsNarrowWeights, "\(mode.name)")
    }
  }

  @Test("Names are unique and found; an unknown one lists the known ones")
  func names() throws {
    #expect(Set(PackingMode.all.map(\.name)).count == PackingMode.all.count)
    for mode in PackingMode.all { #expect(try PackingMode.named(mode.name) == mode) }
    let error = try #require(throws: QuasarError.self) { try PackingMode.named("w3a3") }
    #expect(error.kind == .usage && error.message.contains("w4a6-2x2"))
  }

  // MARK: - An independent model of P

  /// The packed word of one product as integers (AD and B), computed without the library's lane arithmetic.
  static func word(_ mode: PackingMode, _ weights: [Int], _ activations: [Int]) -> Int {
    var wide = 0
    for (index, weight) in weights.enumerated() {
      switch mode.weightForm {
      case .whole: wide += weight << (mode.pitch * mode.activations * index)
      case .atoms:
        wide += (weight & 15) << (mode.pitch * mode.activations * 2 * index)
        wide += (weight >> 4) << (mode.pitch * mode.activations * (2 * index + 1))
      }
    }
    var narrow = 0
    for (index, activation) in activations.enumerated() { narrow += activation << (mode.pitch * index) }
    return wide * narrow
  }

  /// Peels the lanes of P (wrapped to 48 bits) from the low end, each with its own signedness.
  static func peel(_ mode: PackingMode, _ sum: Int, signedLanes: [Bool]) -> [Int] {
    var p = signExtend(sum, 48)
    var lanes: [Int] = []
    for index in 0..<(signedLanes.count - 1) {
      let field = p & ((1 << mode.pitch) - 1)
      let lane = signedLanes[index] ? signExtend(field, mode.pitch) : field
      lanes.append(lane)
      p = (p - lane) >> mode.pitch
    }
    lanes.append(p)
    guard mode.weightForm == .atoms else { return lanes }
    var products: [Int] = []
    for weight in 0..<mode.weights {
      for position in 0..<mode.activations {
        let low = lanes[2 * weight * mode.activations + position]
        let high = lanes[(2 * weight + 1) * mode.activations + position]
        products.append(16 * high + low)
      }
    }
    return products
  }

  static func signExtend(_ value: Int, _ bits: Int) -> Int {
    let field = value & ((1 << bits) - 1)
    return field >= 1 << (bits - 1) ? field - (1 << bits) : field
  }

  /// True if `count` times the same product decodes to `count` times its dot products.
  static func decodes(
    _ mode: PackingMode, _ weights: [Int], _ activations: [Int], count: Int, unsigned: Bool
  ) -> Bool {
    let expected = weights.flatMap { weight in activations.map { count * weight * $0 } }
    return peel(mode, count * word(mode, weights, activations), signedLanes: signs(mode, unsigned))
      == expected
  }

  /// Lanes of low atoms are unsigned if the activations are.
  static func signs(_ mode: PackingMode, _ unsigned: Bool) -> [Bool] {
    (0..<mode.lanes).map { !(unsigned && mode.weightForm == .atoms && ($0 / mode.activations) % 2 == 0) }
  }

  /// True if a chain of these products decodes to the plain dot products.
  static func decodes(_ mode: PackingMode, _ chain: [([Int], [Int])], unsigned: Bool) -> Bool {
    var sum = 0
    var expected = [Int](repeating: 0, count: mode.weights * mode.activations)
    for (weights, activations) in chain {
      sum += word(mode, weights, activations)
      for (i, weight) in weights.enumerated() {
        for (j, activation) in activations.enumerated() {
          expected[i * mode.activations + j] += weight * activation
        }
      }
    }
    return peel(mode, sum, signedLanes: signs(mode, unsigned)) == expected
  }

  static let plain = PackingMode.all.filter { $0.repair == .none }

  @Test("Chains of the computed depth decode; one more extreme product does not", arguments: plain)
  func chains(mode: PackingMode) throws {
    var generator = SplitMix(state: 1)
    for narrow in [false, true] where narrow || !mode.needsNarrowWeights {
      for unsigned in [false, true] {
        let weight = OperandRange.signed(bits: mode.weightBits, narrow: narrow)
        let activation =
          unsigned
          ? OperandRange.unsigned(bits: mode.activationBits)
          : OperandRange.signed(bits: mode.activationBits, narrow: narrow)
        let depth = try #require(mode.depth(weight: weight, activation: activation))
        func corners(_ range: OperandRange) -> [Int] {
          [range.lowest, range.lowest + 1, -1, 0, 1, 15, 16, range.highest - 1, range.highest]
            .filter { $0 >= range.lowest && $0 <= range.highest }
        }
        func tuples(_ count: Int, _ values: [Int]) -> [[Int]] {
          (0..<count).reduce([[]]) { lists, _ in lists.flatMap { list in values.map { list + [$0] } } }
        }
        let weightTuples = tuples(mode.weights, corners(weight))
        let activationTuples = tuples(mode.activations, corners(activation))
        var failsBeyond = false
        var failures = 0
        for weights in weightTuples {
          for activations in activationTuples {
            func decodes(_ count: Int) -> Bool {
              Self.decodes(mode, weights, activations, count: count, unsigned: unsigned)
            }
            if depth >= 1 && !decodes(depth) { failures += 1 }
            if !decodes(depth + 1) { failsBeyond = true }
          }
        }
        #expect(failures == 0, "\(mode.name)")
        #expect(failsBeyond, "\(mode.name): depth \(depth) is not the largest")
        for _ in 0..<(depth > 100 ? 20 : 2000) where depth >= 1 {
          let chain = (0..<depth).map { _ in
            (
              (0..<mode.weights).map { _ in Int.random(in: weight.lowest...weight.highest, using: &generator)
              },
              (0..<mode.activations).map { _ in
                Int.random(in: activation.lowest...activation.highest, using: &generator)
              }
            )
          }
          #expect(Self.decodes(mode, chain, unsigned: unsigned))
        }
      }
    }
  }

  @Test("Every single product of the 4-bit modes decodes")
  func exhaustive() {
    for mode in [PackingMode.w4a6Block, .w4a6BlockE1, .w4a4Block] {
      let weights = Array(-8...7)
      let top = 1 << (mode.activationBits - 1)
      let activations = Array(-top..<top)
      var failures = 0
      for w0 in weights {
        for w1 in weights {
          for x0 in activations {
            for x1 in activations
            where !Self.decodes(mode, [([w0, w1], [x0, x1])], unsigned: false) { failures += 1 }
          }
        }
      }
      #expect(failures == 0, "\(mode.name)")
    }
  }

  @Test("A restored bit recovers three full-range products of eight bits")
  func restoredBit() {
    // f[11] = P[11] ^ (the next lane's low bits): the twelfth bit of a field is its own bit or bit 0 of the next lane.
    var failures = 0
    let corner = [-8, -7, -1, 0, 1, 6, 7]
    for w0 in corner {
      for w1 in corner {
        for w2 in corner {
          for x in 0...255 {
            let p = Self.word(.w4a8TripleRestored, [w0, w1, w2], [x])
            let bit0 = ((p >> 11) & 1) ^ (w1 & x & 1)
            let lane0 = Self.signExtend((p & 0x7FF) | (bit0 << 11), 12)
            let rest = (p - lane0) >> 11
            let bit1 = ((rest >> 11) & 1) ^ (w2 & x & 1)
            let lane1 = Self.signExtend((rest & 0x7FF) | (bit1 << 11), 12)
            let lane2 = (rest - lane1) >> 11
            if [lane0, lane1, lane2] != [w0 * x, w1 * x, w2 * x] { failures += 1 }
          }
        }
      }
    }
    #expect(failures == 0)
  }
}
