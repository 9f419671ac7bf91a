import CKernels
import QuasarAutograd
import QuasarNetwork
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarSupernet

/// Thread count and forced ISA are process-wide, so these tests run one after the other and restore them.
@Suite(.serialized) struct ExactModeTests {
  private static let architectures = [
    Tiny.slice, Tiny.full, Tiny.full.uniform(share: .all, activationBits: 6),
    Tiny.full.uniform(share: .none, activationBits: 4),
  ]

  @Test func threadsDoNotChangeBits() throws {
    let before = qk_thread_count()
    defer { qk_set_thread_count(Int32(before)) }
    let net = try Tiny.net()
    let input = Tiny.patches(70)
    for architecture in ExactModeTests.architectures {
      for mode in ForwardMode.allCases {
        let results = try [1, 2].map { threads in
          qk_set_thread_count(Int32(threads))
          return try Tiny.forward(net, architecture, mode, input)
        }
        #expect(Tiny.bits(results[0].logits.value) == Tiny.bits(results[1].logits.value), "\(mode)")
        #expect(results[0].logitCodes?.scalars == results[1].logitCodes?.scalars)
      }
    }
  }

  @Test func instructionSetsDoNotChangeCodes() throws {
    let before = qk_isa_current()
    defer { _ = qk_isa_force(before) }
    let net = try Tiny.net()
    let input = Tiny.patches(33)
    for architecture in ExactModeTests.architectures {
      let codes = try [QK_ISA_REFERENCE, qk_isa_best()].map { isa in
        #expect(qk_isa_force(isa) == QK_OK)
        return try Tiny.forward(net, architecture, .exact, input).logitCodes?.scalars
      }
      #expect(codes[0] == codes[1] && codes[0]?.count == 99)
    }
  }

  /// An image's codes do not depend on the other images in its batch.
  @Test func batchesDoNotChangeCodes() throws {
    let net = try Tiny.net()
    let together = try #require(try Tiny.forward(net, Tiny.full, .exact, Tiny.patches(9)).logitCodes)
    let first = try #require(try Tiny.forward(net, Tiny.full, .exact, Tiny.patches(2)).logitCodes)
    #expect(Array(together.scalars.prefix(6)) == first.scalars)
    #expect(Set(together.scalars).count > 9)
  }

  @Test func logitsAreTheCodesTimesOneStep() throws {
    let net = try Tiny.net()
    let result = try Tiny.forward(net, Tiny.full, .exact, Tiny.patches(9))
    let codes = try #require(result.logitCodes)
    let step = Float(NetworkIntegers(net: net, graph: LayerGraph(Tiny.full)).logitStep)
    #expect(result.logits.value.scalars == codes.scalars.map { Float($0) * step })
  }

  @Test func inexpressibleLayerIsNamed() throws {
    let net = try Tiny.net()
    let bias = try #require(net.parameters.first { $0.name == "blocks.1.expand.bias" })
    bias.value.pointer[3] = 1e9
    let error = try #require(
      quasarError { _ = try Tiny.forward(net, Tiny.full, .exact, Tiny.patches(1)) })
    #expect(
      error.kind == .badData && error.message.hasPrefix("blocks.1.expand: bias code"), "\(error.message)")
    #expect(error.message.contains("row 3"))
    let plain = try net.forward(
      Tape(recording: false), Tiny.patches(1), architecture: Tiny.full, mode: .quantized, products: .float)
    #expect(plain.logitCodes == nil)
  }
}
