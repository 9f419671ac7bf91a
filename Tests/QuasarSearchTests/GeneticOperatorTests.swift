import QuasarInterchange
import QuasarNetwork
import QuasarSupernet
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarSearch

@Suite struct GeneticOperatorTests {
  @Test func childrenStayInTheSpace() {
    var random = RandomSource(seed: 1).generator("operators")
    var options = SearchOptions()
    var changed = 0
    for i in 0..<2000 {
      options.blockMutation = Double(i % 3) / 2
      options.networkMutation = Double(i % 5) / 4
      let (a, b) = (Tiny.space.sample(&random), Tiny.space.sample(&random))
      let crossed = Tiny.space.crossover(a, b, &random)
      let mutated = Tiny.space.mutation(a, options, &random)
      #expect(Tiny.space.contains(crossed) && Tiny.space.contains(mutated))
      if mutated != a { changed += 1 }
    }
    #expect(changed > 1900)
  }

  @Test func everyCrossoverGeneComesFromAParent() {
    var random = RandomSource(seed: 2).generator("operators")
    for _ in 0..<1000 {
      let (a, b) = (Tiny.space.sample(&random), Tiny.space.sample(&random))
      let child = Tiny.space.crossover(a, b, &random)
      #expect([a.embedDimension, b.embedDimension].contains(child.embedDimension))
      #expect([a.activationBits, b.activationBits].contains(child.activationBits))
      #expect([a.depth, b.depth].contains(child.depth))
      for i in child.blocks.indices {
        let parents = [a, b].filter { i < $0.depth }.map { $0.blocks[i] }
        let genes = child.blocks[i]
        #expect(parents.contains { $0.heads == genes.heads })
        #expect(parents.contains { $0.mlpRatio == genes.mlpRatio })
        for role in LayerID.Role.mixed {
          #expect(parents.contains { $0.shares[role] == genes.shares[role] })
        }
      }
    }
  }

  @Test func crossoverOfEqualParentsIsTheParent() {
    var random = RandomSource(seed: 3).generator("operators")
    for _ in 0..<50 {
      let parent = Tiny.space.sample(&random)
      #expect(Tiny.space.crossover(parent, parent, &random) == parent)
    }
  }

  /// Without network mutation only blocks change, each with its probability.
  @Test func mutationKeepsWhatItsRatesProtect() {
    var random = RandomSource(seed: 4).generator("operators")
    var options = SearchOptions()
    options.networkMutation = 0
    options.blockMutation = 0
    for _ in 0..<500 {
      let parent = Tiny.space.sample(&random)
      let child = Tiny.space.mutation(parent, options, &random)
      #expect(child.embedDimension == parent.embedDimension && child.activationBits == parent.activationBits)
      #expect(child.depth == parent.depth)
      #expect(zip(child.blocks, parent.blocks).filter { $0 != $1 }.count <= 1)
    }
  }

  @Test func optionsAreChecked() throws {
    try SearchOptions().validate()
    // As search.json and pipeline.json of version 0.1 have them.
    #expect(
      try JSONText.encode(SearchOptions(), pretty: false)
        == #"{"attempts":400,"blockMutation":0.3,"children":10,"crossover":0.5,"elites":6,"generations":5,"images":1000,"#
        + #""networkMutation":0.3,"population":16}"#)
    let changes: [(inout SearchOptions) -> Void] = [
      { $0.population = 1 }, { $0.generations = -1 }, { $0.children = 0 }, { $0.elites = 1 },
      { $0.elites = 17 }, { $0.crossover = 1.5 }, { $0.blockMutation = -0.1 }, { $0.networkMutation = .nan },
      { $0.attempts = 0 }, { $0.images = 0 },
    ]
    for (i, change) in changes.enumerated() {
      var options = SearchOptions()
      change(&options)
      #expect(quasarError { try options.validate() }?.kind == .usage, "change \(i)")
    }
  }
}
