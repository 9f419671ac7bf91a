import QuasarNetwork
import QuasarTensor
import Testing

@testable import QuasarSupernet

@Suite struct SliceTests {
  /// A matrix with its rows ranked by a random permutation.
  private func linear(rows: Int, depth: Int, seed: UInt64) -> LinearParameters {
    let linear = LinearParameters(
      name: "test", rows: rows, depth: depth, precisions: [4, 8], random: RandomSource(seed: seed))
    var random = RandomSource(seed: seed).generator("ranking")
    linear.ranking = random.permutation(rows).map(Int32.init)
    return linear
  }

  private func rows8(_ slice: LayerSlice) -> Set<Int32> {
    Set(zip(slice.rows, slice.bits).filter { $0.1 == 8 }.map(\.0))
  }

  @Test func plainSetsAreNestedPrefixesOfTheRanking() {
    for seed in UInt64(1)...8 {
      let linear = linear(rows: 48, depth: 16, seed: seed)
      for rows in [8, 24, 40, 48] {
        let sets = RowShare.allCases.map { share in
          let slice = linear.slice(
            Layer.Linear(
              depth: 8, parts: 1, groups: 1, groupRows: rows, groupRows8: share.rows8(of: rows), finish: .codes))
          #expect(slice.rows == (0..<Int32(rows)).map { $0 } && slice.width == 8)
          #expect(slice.bits.count == rows && slice.bits.allSatisfy { $0 == 4 || $0 == 8 })
          return rows8(slice)
        }
        for (share, set) in zip(RowShare.allCases, sets) {
          let kept = linear.ranking.filter { $0 < rows }
          #expect(set == Set(kept.prefix(share.rows8(of: rows))), "\(share) of \(rows)")
        }
        for (small, large) in zip(sets, sets.dropFirst()) { #expect(small.isSubset(of: large)) }
      }
    }
  }

  @Test(arguments: [1, 2, 3])
  func qkvSetsAreNestedAndEvenOverHeads(heads: Int) {
    let dimension = 32
    let section = 3 * dimension
    for seed in UInt64(1)...5 {
      let linear = linear(rows: 3 * section, depth: 16, seed: seed)
      let sets = RowShare.allCases.map { share -> Set<Int32> in
        let slice = linear.slice(
          Layer.Linear(
            depth: 16, parts: 3, groups: heads, groupRows: dimension, groupRows8: share.rows8(of: dimension),
            finish: .codes))
        let used = heads * dimension
        #expect(slice.rows == (0..<3).flatMap { p in (0..<used).map { Int32(p * section + $0) } })
        for group in 0..<3 * heads {
          let bits = slice.bits[group * dimension..<(group + 1) * dimension]
          #expect(bits.filter { $0 == 8 }.count == 8 * share.rawValue, "\(share), group \(group)")
        }
        // Within a group the best-ranked rows have 8 bits.
        for part in 0..<3 {
          for head in 0..<heads {
            let first = part * section + head * dimension
            let group = (first..<first + dimension).map(Int32.init)
            let best = linear.ranking.filter(Set(group).contains).prefix(8 * share.rawValue)
            #expect(rows8(slice).intersection(group) == Set(best))
          }
        }
        return rows8(slice)
      }
      for (small, large) in zip(sets, sets.dropFirst()) { #expect(small.isSubset(of: large)) }
    }
  }

  /// The counts of a network's slices equal those of the graph (cost model, file checks).
  @Test func slicesAgreeWithTheGraph() throws {
    let net = try Tiny.net()
    var random = RandomSource(seed: 3).generator("architectures")
    for _ in 0..<40 {
      let graph = LayerGraph(Tiny.space.sample(&random))
      for (layer, linear) in graph.linears {
        let slice = try #require(net.sliced(layer)).slice
        #expect(slice.rows.count == linear.rows && slice.width == linear.depth, "\(layer.id)")
        #expect(rows8(slice).count == linear.rows8, "\(layer.id)")
      }
      #expect(graph.linears.count == 2 + 4 * graph.depth)
    }
  }
}
