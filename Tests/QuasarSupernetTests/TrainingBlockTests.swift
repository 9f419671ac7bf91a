import CKernels
import QuasarAutograd
import QuasarNetwork
import QuasarTensor
import Testing

@testable import QuasarSupernet

/// The fused block on integer products against the path that multiplies dequantised values in fp32, operation by
/// operation, and against itself on other instruction sets and numbers of threads.
@Suite(.serialized) struct TrainingBlockTests {
  private static let images = 144

  private struct Run: Equatable {
    var logits: [UInt32]
    var gradients: [String: [UInt32]]

    func values(_ suffix: String) -> [Float] {
      gradients.keys.filter { $0.hasSuffix(suffix) }.sorted()
        .flatMap { gradients[$0] ?? [] }.map { Float(bitPattern: $0) }
    }
  }

  /// Runs without biases. As codes, biases are rounded to one unit of the accumulator, in fp32 they are not; the
  /// remainders that step gradients are made of would show it.
  private func run(
    _ architecture: Architecture, _ mode: ForwardMode, _ products: TrainingProducts, biases: Bool = false,
    recomputed: Bool = false, dropPath: DropPath? = nil
  ) throws -> Run {
    let net = try Tiny.net()
    if !biases {
      for linear in net.mixedLinears { linear.bias.value.fill(0) }
    }
    let tape = Tape()
    let result = try net.forward(
      tape, Tiny.patches(Self.images), architecture: architecture, mode: mode, products: products,
      recomputed: recomputed, dropPath: dropPath)
    let classes = architecture.geometry.classes
    let targets = Tensor(
      (0..<Self.images * classes).map { $0 % classes == $0 / classes % classes ? 1 : 0 },
      shape: [Self.images, classes])
    tape.backward(from: tape.crossEntropy(result.logits, targets: targets))
    return Run(
      logits: Tiny.bits(result.logits.value),
      gradients: Dictionary(uniqueKeysWithValues: net.parameters.map { ($0.name, Tiny.bits($0.gradient)) }))
  }

  private func norm(_ x: [Float]) -> Double { x.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }

  /// ‖a − b‖ / ‖b‖ of all gradients whose names end in `suffix`.
  private func difference(_ a: Run, _ b: Run, _ suffix: String) -> Double {
    let (x, y) = (a.values(suffix), b.values(suffix))
    return norm(zip(x, y).map { $0 - $1 }) / max(norm(y), 1e-30)
  }

  /// The forward pass has equal integers, so gradients differ only by their rounding to codes. The rounding is at most
  /// 2^−14 of the largest gradient that shares a scale, for each of the six products and two panels of a block. With
  /// largest ≤ 16·(root mean square) that is below 2^−10·√8 per block. Step gradients also carry remainders of 1/252:
  /// half a unit in about a quarter of them, below 1 %.
  @Test(arguments: [false, true])
  func exactGradientsAgreeWithFloatProducts(dropped: Bool) throws {
    let dropPath: DropPath? =
      dropped
      ? { branch in
        Tensor((0..<Self.images).map { $0 % 3 == branch % 3 ? 0 : 1.25 }, shape: [Self.images])
      } : nil
    for architecture in [Tiny.slice, Tiny.full] {
      let fused = try run(architecture, .exact, .integer, dropPath: dropPath)
      let plain = try run(architecture, .exact, .float, dropPath: dropPath)
      #expect(fused.logits == plain.logits)
      let biased = try [TrainingProducts.integer, .float].map {
        try run(architecture, .exact, $0, biases: true, dropPath: dropPath)
      }
      #expect(biased[0].logits == biased[1].logits)
      for suffix in [".weight", ".bias", ".step4", ".step8", "gain1", "gain2", "cls", "position"] {
        #expect(difference(fused, plain, suffix) < 0.005, "\(architecture.embedDimension) wide, \(suffix)")
        #expect(
          difference(biased[0], biased[1], suffix) < 0.005, "\(architecture.embedDimension) wide, \(suffix), biases")
      }
      for suffix in [".a8", ".a6"] {
        let value = difference(fused, plain, suffix)
        #expect(value < 0.01, "\(architecture.embedDimension) wide, \(suffix)")
      }
    }
  }

  /// Codes of 8 bits are off by up to 1/254 of the largest gradient that shares a scale, with a root mean square of
  /// 1/440 of it. With largest ≤ 4·(root mean square) of these narrow rows that is 1 % per rounding, and in quadrature
  /// over the eight layers of both blocks 3 %. In sums over images, gradients that change their sign cancel to a
  /// fraction of their terms, but the error does not; the bound for these is four times as large.
  @Test func gradientsOfEightBitsAreNearThoseOfFifteen() throws {
    for architecture in [Tiny.slice, Tiny.full] {
      let bytes = try run(architecture, .exact, .integer8)
      let words = try run(architecture, .exact, .integer)
      #expect(bytes.logits == words.logits)
      for suffix in [".weight", ".bias"] {
        let value = difference(bytes, words, suffix)
        #expect(value > 0 && value < 0.03, "\(architecture.embedDimension) wide, \(suffix)")
      }
      for suffix in [".a8", ".a6", "gain1", "gain2", "cls", "position"] {
        #expect(difference(bytes, words, suffix) < 0.12, "\(architecture.embedDimension) wide, \(suffix)")
      }
    }
  }

  /// Softmax and LayerNorm are float: sums in another order change a code by one here and there.
  @Test func quantizedGradientsAreNearFloatProducts() throws {
    for architecture in [Tiny.slice, Tiny.full] {
      let fused = try run(architecture, .quantized, .integer)
      let plain = try run(architecture, .quantized, .float)
      for suffix in [".weight", ".bias", "cls", "position"] {
        #expect(difference(fused, plain, suffix) < 0.05, "\(architecture.embedDimension) wide, \(suffix)")
      }
    }
  }

  /// In exact mode the block also has codes of the residual stream.
  @Test(arguments: [ForwardMode.quantized, .exact], [TrainingProducts.integer, .integer8])
  func blocksThatAreComputedAgainGiveTheSameBits(mode: ForwardMode, products: TrainingProducts) throws {
    let dropPath: DropPath = { branch in
      Tensor((0..<Self.images).map { $0 % 3 == branch % 3 ? 0 : 1.25 }, shape: [Self.images])
    }
    #expect(
      try run(Tiny.full, mode, products, recomputed: true, dropPath: dropPath)
        == run(Tiny.full, mode, products, dropPath: dropPath))
  }

  @Test(arguments: [ForwardMode.quantized, .exact], [TrainingProducts.integer, .integer8])
  func bitsDependNeitherOnThreadsNorOnInstructions(mode: ForwardMode, products: TrainingProducts) throws {
    let before = qk_isa_current()
    defer {
      _ = qk_isa_force(before)
      qk_set_thread_count(0)
    }
    qk_set_thread_count(1)
    let one = try run(Tiny.full, mode, products)
    qk_set_thread_count(2)
    #expect(try run(Tiny.full, mode, products) == one)
    for isa in [QK_ISA_REFERENCE, QK_ISA_AVX2, QK_ISA_AVX512] where qk_isa_available(isa) == 1 {
      #expect(qk_isa_force(isa) == QK_OK)
      #expect(try run(Tiny.full, mode, products) == one, "isa \(isa.rawValue)")
    }
  }
}
