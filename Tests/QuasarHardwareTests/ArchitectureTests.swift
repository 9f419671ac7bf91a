import QuasarHardware
import QuasarNetwork
import QuasarSupernet
import QuasarTensor
import Testing

@Suite("Named architectures and workloads")
struct ArchitectureTests {
  @Test(
    "GMAC of the published architectures",
    arguments: [
      ("deit-t", 1.25), ("deit-s", 4.60), ("deit-b", 17.56), ("autoformer-t", 1.28), ("autoformer-s", 4.77),
      ("autoformer-b", 11.05),
    ])
  func multiplyAccumulates(name: String, giga: Double) throws {
    let architecture = try Architecture.named(name)
    #expect(abs(Double(architecture.multiplyAccumulates) / 1e9 - giga) < 0.01)
  }

  @Test("DeiT is the largest network of its space", arguments: ["deit-t", "deit-s", "deit-b"])
  func spaceOfDeiT(name: String) throws {
    #expect(try SearchSpace.load(name).largest == Architecture.named(name))
  }

  @Test("Workloads carry every product and every row of the architecture")
  func totals() throws {
    for name in Architecture.knownNames {
      let architecture = try Architecture.named(name).with(
        weightBits: WeightBits("mixed:0.25"), activationBits: 6)
      let work = try NetworkWork(architecture)
      #expect(work.workloads.reduce(0) { $0 + $1.multiplyAccumulates } == architecture.multiplyAccumulates)
      let products = work.workloads.filter { $0.kind.isProduct && !$0.kind.isAttention }
      #expect(products.map(\.rows8) == LayerGraph(architecture).linears.map(\.linear.rows8))
      #expect(work.weightBits == LayerGraph(architecture).linears.reduce(0) { $0 + $1.linear.weightBits })
      #expect(work.distinct().reduce(0) { $0 + $1.count } == work.workloads.count)
      #expect(
        products.filter(\.inputUnsigned).allSatisfy { $0.kind == .linear(.patches) || $0.kind == .linear(.contract) })
      #expect(products.first?.inputBits == 8 && products.last?.inputBits == 8 && products[1].inputBits == 6)
    }
  }

  @Test("Weight bits as written on the command line")
  func weightBits() throws {
    #expect(try WeightBits("8").share == .all)
    #expect(try WeightBits("4").share == .none)
    #expect(try WeightBits("mixed:0.25").share == .quarter)
    #expect(try WeightBits("mixed:0.25").description == "mixed:0.25")
    for text in ["5", "mixed", "mixed:0.3", ""] {
      #expect(throws: QuasarError.self) { try WeightBits(text) }
    }
    #expect(throws: QuasarError.self) { try Architecture.named("deit-xxl") }
    #expect(throws: QuasarError.self) {
      try Architecture.named("deit-t").with(weightBits: WeightBits("8"), activationBits: 7)
    }
  }

  @Test("Shapes that cannot run are refused with the reason")
  func refused() throws {
    var architecture = try Architecture.named("vit-cifar")
    architecture.geometry.patchSize = 5
    let error = try #require(throws: QuasarError.self) { try NetworkWork(architecture) }
    #expect(error.kind == .badData && error.message.contains("patch"))
    architecture = try Architecture.named("vit-cifar")
    architecture.blocks[2].heads = 0
    #expect(throws: QuasarError.self) { try NetworkWork(architecture) }
    architecture.blocks = []
    #expect(throws: QuasarError.self) { try NetworkWork(architecture) }
  }
}
