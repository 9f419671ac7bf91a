import QuasarData
import QuasarNetwork
import QuasarTensor
import QuasarTestNetworks
import Testing

/// The C kernels against integers written independently (`PlainExecutor`): every logit code is equal.
@Suite struct PlainExecutorTests {
  private func compare(_ architecture: Architecture, seed: UInt64 = 1, stress: Bool = false) throws {
    let channels = architecture.geometry.channels
    let data = try Tiny.images(6, channels: channels, seed: seed + 20)
    let model = try Tiny.pack(Tiny.net(architecture, seed: seed, stress: stress), architecture)
    let logits = try model.logits(data.array(0..<data.count))
    let plain = PlainExecutor(model: model)
    for i in 0..<data.count {
      let expected = plain.logits(Array(data.image(at: i)))
      #expect(logits.rows(i..<i + 1).scalars.map(Int.init) == expected, "image \(i) of \(architecture)")
    }
    #expect(Set(logits.scalars).count > data.count)
  }

  @Test(arguments: [8, 6, 4], RowShare.allCases)
  func uniformShares(bits: Int, share: RowShare) throws {
    try compare(Tiny.uniform(share, bits: bits))
  }

  @Test(arguments: [8, 6, 4])
  func mixedShares(bits: Int) throws {
    try compare(Tiny.mixed(bits: bits))
    try compare(Tiny.mixed(bits: bits, channels: 3), seed: 2)
  }

  @Test(arguments: [8, 6, 4])
  func saturatingCodesAndStream(bits: Int) throws {
    try compare(Tiny.mixed(bits: bits), seed: 3, stress: true)
    try compare(Tiny.uniform(.half, bits: bits, embed: 40, depth: 3), seed: 4, stress: true)
  }
}
