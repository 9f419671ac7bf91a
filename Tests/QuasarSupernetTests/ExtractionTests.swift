import QuasarAutograd
import QuasarNetwork
import QuasarSupernet
import QuasarTensor
import QuasarTestSupport
import Testing

@Suite struct ExtractionTests {
  private func architectures() -> [Architecture] {
    var random = RandomSource(seed: 11).generator("extraction")
    return [Tiny.slice, Tiny.full, Tiny.space.largest, Tiny.space.smallest]
      + (0..<6).map { _ in Tiny.space.sample(&random) }
  }

  @Test func extractComputesTheSameBitsInEveryMode() throws {
    let net = try Tiny.net()
    let input = Tiny.patches(7)
    for architecture in architectures() {
      let alone = try net.extract(architecture)
      #expect(alone.size == SupernetSize(architecture))
      for mode in ForwardMode.allCases {
        let sliced = try Tiny.forward(net, architecture, mode, input)
        let extracted = try Tiny.forward(alone, architecture, mode, input)
        #expect(
          Tiny.bits(sliced.logits.value) == Tiny.bits(extracted.logits.value), "\(mode) \(architecture)")
        #expect(sliced.logitCodes?.scalars == extracted.logitCodes?.scalars)
        #expect((sliced.logitCodes != nil) == (mode == .exact))
      }
    }
  }

  @Test func extractIsACopy() throws {
    let net = try Tiny.net()
    let input = Tiny.patches(3)
    let alone = try net.extract(Tiny.slice)
    let before = Tiny.bits(try Tiny.forward(alone, Tiny.slice, .exact, input).logits.value)
    for parameter in net.parameters where parameter.role == .weight { parameter.value.fill(0) }
    #expect(Tiny.bits(try Tiny.forward(alone, Tiny.slice, .exact, input).logits.value) == before)
    #expect(Tiny.bits(try Tiny.forward(net, Tiny.slice, .full, input).logits.value) != before)
  }

  @Test func extractKeepsOnlyWhatTheArchitectureUses() throws {
    let alone = try Tiny.net().extract(Tiny.slice)
    // 8·16 + 8 patch embedding, 8 class token, 5·8 positions, 2·16 norms, 8·24 + 24 qkv, 8·8 + 8 three times,
    // 2·8 gains, 16 final norm, 3·8 + 3 head.
    #expect(alone.weightCount == 136 + 8 + 40 + 32 + 216 + 3 * 72 + 16 + 16 + 27)
    for (name, ranking) in alone.rowRankings {
      #expect(ranking.sorted() == (0..<Int32(ranking.count)).map { $0 }, "\(name)")
    }
  }

  @Test func refusesWhatDoesNotFit() throws {
    let net = try Tiny.net()
    let changes: [(String, (inout Architecture) -> Void)] = [
      ("embedding width 24 exceeds 16", { $0.embedDimension = 24 }),
      ("no steps for 5-bit activations", { $0.activationBits = 5 }),
      ("depth 3 outside 1…2", { $0.blocks.append($0.blocks[0]) }),
      ("depth 0 outside 1…2", { $0.blocks = [] }),
      ("block 1 is 24/32 wide, trained 16/32", { $0.blocks[1].heads = 3 }),
      ("block 0 is 16/64 wide, trained 16/32", { $0.blocks[0].mlpRatio = 4 }),
      ("its images are", { $0.geometry.imageSize = 16 }),
    ]
    for (says, change) in changes {
      var architecture = Tiny.full
      change(&architecture)
      let error = try #require(quasarError { _ = try net.extract(architecture) })
      #expect(error.kind == .badData)
      #expect(error.message.hasPrefix("the architecture does not fit the trained weights: "))
      #expect(error.message.contains(says), "\(error.message)")
    }
  }
}
