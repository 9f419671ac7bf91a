import CKernels
import QuasarAutograd
import QuasarData
import QuasarNetwork
import QuasarSupernet
import QuasarTensor
import QuasarTestNetworks
import QuasarTestSupport
import QuasarTrain
import Testing

/// The packed network against the exact forward pass of training: equal codes for every image.
///
/// Thread count and forced ISA are process-wide, so these tests run one after the other and restore them.
@Suite(.serialized) struct IntegerModelTests {
  private func architectures(bits: Int) -> [Architecture] {
    RowShare.allCases.map { Tiny.uniform($0, bits: bits, depth: 2) }
      + [Tiny.mixed(bits: bits), Tiny.mixed(bits: bits, channels: 3)]
  }

  @Test(arguments: [8, 6, 4])
  func equalsExactModeOnEveryPath(bits: Int) throws {
    let (isa, threads) = (qk_isa_current(), qk_thread_count())
    defer {
      _ = qk_isa_force(isa)
      qk_set_thread_count(Int32(threads))
    }
    for (i, architecture) in architectures(bits: bits).enumerated() {
      // More images than one batch on either side (64 and 100).
      let data = try Tiny.images(i == 5 ? 131 : 20, channels: architecture.geometry.channels)
      let net = try Tiny.net(architecture, seed: UInt64(i + 1), stress: i % 2 == 1)
      let exact = try Evaluation(net, architecture: architecture, mode: .exact, data: data)
      let expected = try #require(exact.logitCodes)
      let model = try Tiny.pack(net, architecture)
      let images = data.array(0..<data.count)
      for isa in [QK_ISA_REFERENCE, qk_isa_best()] {
        #expect(qk_isa_force(isa) == QK_OK)
        for threads in [1, 2] {
          qk_set_thread_count(Int32(threads))
          let logits = try model.logits(images)
          #expect(logits.scalars == expected.scalars, "\(isa), \(threads) threads: \(architecture)")
        }
      }
      #expect(Set(expected.scalars).count > data.count / 2)
    }
  }

  @Test func packedSliceOfASupernetEqualsItsExactMode() throws {
    let space = SearchSpace(
      name: "tiny", geometry: Tiny.geometry(), embedDimensions: [16, 24], depths: [1, 2], heads: [1, 2],
      mlpRatios: [1, 2], shares: RowShare.allCases, activationBits: [8, 6])
    let data = try Tiny.images(20)
    let net = Supernet(
      size: SupernetSize(space), preprocessing: Preprocessing(mean: [0.5], deviation: [0.3]),
      random: RandomSource(seed: 6))
    try net.calibrate(
      Trainer.calibrationBatches(data, geometry: space.geometry), architecture: space.largest)
    var random = RandomSource(seed: 2).generator("slices")
    for _ in 0..<6 {
      let architecture = space.sample(&random)
      let exact = try Evaluation(net, architecture: architecture, mode: .exact, data: data)
      let model = try Tiny.pack(net, architecture)
      let extracted = try Tiny.pack(net.extract(architecture), architecture)
      #expect(try model.logits(data.array(0..<20)).scalars == exact.logitCodes?.scalars)
      #expect(try PackedFile.encode(model) == PackedFile.encode(extracted))
    }
  }

  @Test func accuracyIsThatOfTheCodes() throws {
    let logits = NDArray<Int32>([5, 5, 1, -9, -2, -2, 0, 0, 7], shape: [3, 3])
    // Ties go to the lowest index: predictions 0, 1, 2.
    #expect(Evaluation.accuracy(logits, [0, 1, 2]) == 1)
    #expect(Evaluation.accuracy(logits, [1, 2, 2]) == 1.0 / 3)
  }

  @Test func refusesImagesOfAnotherShape() throws {
    let architecture = Tiny.uniform(.all, bits: 8)
    let model = try Tiny.pack(Tiny.net(architecture), architecture)
    for shape in [[2, 1, 8, 4], [2, 3, 8, 8], [1, 8, 8], [2, 1, 4, 4]] {
      let error = quasarError { _ = try model.logits(NDArray(zeros: shape)) }
      #expect(error?.kind == .badData && error?.message.contains("[n, 1, 8, 8]") == true, "\(shape)")
    }
    #expect(try model.logits(NDArray(zeros: [0, 1, 8, 8])).count == 0)
  }

  @Test func refusesWhatCannotBePacked() throws {
    let architecture = Tiny.uniform(.all, bits: 8)
    let net = try Tiny.net(architecture)
    let names = quasarError {
      _ = try IntegerModel(packing: net, architecture: architecture, classNames: ["a", "b"])
    }
    #expect(names?.message == "2 class names for 3 classes")
    var wider = architecture
    wider.embedDimension = 24
    #expect(quasarError { _ = try Tiny.pack(net, wider) }?.message.contains("does not fit") == true)
    let bias = try #require(net.parameters.first { $0.name == "blocks.0.contract.bias" })
    bias.value.pointer[5] = -1e9
    let error = try #require(quasarError { _ = try Tiny.pack(net, architecture) })
    #expect(error.message.hasPrefix("blocks.0.contract: bias code"), "\(error.message)")
  }
}
