import CKernels
import QuasarArithmetic
import QuasarData
import QuasarDatapath
import QuasarNetwork
import QuasarTensor
import QuasarTestNetworks
import QuasarTestSupport
import Testing

/// A whole network through the engine's units has the logits of the plain kernels, at either speed, on any engine.
@Suite("Networks on the datapath")
struct DatapathUnitsTests {
  /// An engine for activations of this many bits, with or without tokens in fabric.
  static func engine(_ generation: DSPGeneration, bits: Int, fabricTokens: Int = 0) -> DatapathEngine {
    switch (generation, bits) {
    case (.e2, 8):
      DatapathEngine(
        fourBitMode: .w4a8TripleRestored, eightBitMode: .w8a8Pair, attentionMode: .a8a8Pair, inputLanes: 3,
        tokenElements: 2, fabricTokens: fabricTokens)
    case (.e2, _):
      DatapathEngine(
        fourBitMode: .w4a6Block, eightBitMode: .w8a6Pair, attentionMode: .a6a6Pair, inputLanes: 5, tokenElements: 1,
        fabricTokens: fabricTokens)
    case (.e1, 8):
      DatapathEngine(
        fourBitMode: .w4a8PairE1, eightBitMode: .w8a8WidePairE1, attentionMode: .a8a8WidePairE1, inputLanes: 4,
        tokenElements: 3, fabricTokens: fabricTokens, maximumChainLength: 7)
    case (.e1, _):
      DatapathEngine(
        fourBitMode: .w4a6BlockE1, eightBitMode: .w8a6WidePairE1, attentionMode: .w8a6WidePairE1, inputLanes: 8,
        tokenElements: 2, fabricTokens: fabricTokens)
    }
  }

  @Test("Structural and proved logits equal those of the kernels", arguments: [DSPGeneration.e1, .e2], [4, 6, 8])
  func equality(_ generation: DSPGeneration, _ bits: Int) throws {
    for (index, stress) in [false, true].enumerated() {
      let architecture = Tiny.mixed(bits: bits)
      let model = try Tiny.pack(Tiny.net(architecture, stress: stress), architecture)
      let images = try Tiny.images(450)
      let pixels = images.array(0..<images.count)
      let expected = try model.logits(pixels).scalars
      let engine = Self.engine(generation, bits: bits, fabricTokens: index)
      for speed in DatapathUnits.Speed.allCases {
        let units = try DatapathUnits(model, engine: engine, speed: speed)
        #expect(units.unproved(in: model).isEmpty)
        #expect(try model.logits(pixels, on: units).scalars == expected, "\(speed) \(stress)")
      }
      // The parallel decoder is that of the RTL; it gives the same bits but is not proved with four lanes.
      var parallel = HardwareSpec.exact
      parallel.decode = QK_DECODE_PARALLEL
      let units = try DatapathUnits(model, engine: engine, spec: parallel, speed: .proved)
      #expect(try model.logits(pixels, on: units).scalars == expected)
    }
  }

  /// Layers that a spec changes must be unproved, and `proved` must then agree with `structural`.
  @Test("An inexact spec gives other logits, the same at either speed and for any batch")
  func inexact() throws {
    let architecture = Tiny.mixed(bits: 6)
    let model = try Tiny.pack(Tiny.net(architecture), architecture)
    let images = try Tiny.images(450)
    let pixels = images.array(0..<images.count)
    let exact = try model.logits(pixels).scalars
    // One slice along the inputs: chains as long as K.
    var engine = Self.engine(.e2, bits: 6)
    engine.inputLanes = 1
    var specs: [(String, HardwareSpec)] = []
    func add(_ name: String, _ change: (inout HardwareSpec) -> Void) {
      var spec = HardwareSpec.exact
      change(&spec)
      specs.append((name, spec))
    }
    add("naive") { $0.decode = QK_DECODE_NAIVE }
    add("10-bit wrap") { $0.accumulator_bits = 10 }
    add("10-bit saturate") {
      $0.accumulator_bits = 10
      $0.accumulator_saturates = 1
    }
    add("long chains") { $0.chain_limit = 64 }
    add("truncated") { $0.truncated = 15 }
    add("short exponent table") { $0.exponent_index_bits = 1 }
    add("short GELU table") { $0.gelu_index_bits = 3 }
    for (name, spec) in specs {
      let structural = try DatapathUnits(model, engine: engine, spec: spec, speed: .structural)
      let proved = try DatapathUnits(model, engine: engine, spec: spec, speed: .proved)
      let found = try model.logits(pixels, on: structural).scalars
      let (isExact, isSame) = (found == exact, try model.logits(pixels, on: proved).scalars == found)
      #expect(!isExact, "\(name) changes nothing")
      #expect(isSame, "\(name)")
      let alone = try model.logits(images.array(440..<441), on: structural).scalars
      #expect(alone == Array(found[440 * 3..<441 * 3]), "\(name): an image depends on its batch")
    }
  }

  @Test("What the proof covers is named, and accumulators are proved by the rows they add")
  func proofs() throws {
    let architecture = Tiny.mixed(bits: 6)
    let model = try Tiny.pack(Tiny.net(architecture), architecture)
    let products = model.linears.count + model.graph.depth
    func unproved(_ change: (inout HardwareSpec) -> Void) throws -> [String] {
      var spec = HardwareSpec.exact
      change(&spec)
      return try DatapathUnits(model, engine: Self.engine(.e2, bits: 6), spec: spec, speed: .proved)
        .unproved(in: model)
    }
    #expect(try unproved { $0.decode = QK_DECODE_NAIVE }.count == products)
    #expect(try unproved { $0.chain_limit = 1 }.isEmpty)
    #expect(try unproved { $0.accumulator_bits = 8 }.count == products)
    // The largest Σ|w| of any row times the largest code, in bits with sign.
    let bits = try #require(
      (8...32).first { bits in (try? unproved { $0.accumulator_bits = Int32(bits) }.isEmpty) == true })
    let largest = model.linears.map { linear in
      let reach =
        linear.name == "patch_embed" ? 255 : linear.name == "head" ? 127 : linear.name.hasSuffix("contract") ? 63 : 31
      return (0..<linear.rows).map { n in
        (0..<linear.depth).reduce(0) { $0 + abs(Int(linear.codes.pointer[n * linear.depth + $1])) } * reach
      }.max()!
    }.max()!
    #expect(largest < 1 << (bits - 1) && largest >= 1 << (bits - 2))
  }

  @Test("An engine whose lanes are too narrow is refused with the layer's name")
  func tooNarrow() throws {
    let architecture = Tiny.mixed(bits: 8)
    let model = try Tiny.pack(Tiny.net(architecture), architecture)
    var engine = Self.engine(.e2, bits: 8)
    engine.fourBitMode = .w4a6Block
    let error = quasarError { _ = try DatapathUnits(model, engine: engine, speed: .structural) }
    #expect(error?.kind == .badData)
    #expect(error?.message.contains("blocks.0.qkv, 4-bit rows") == true)
    #expect(error?.message.contains("w4a6-2x2") == true)
  }
}
