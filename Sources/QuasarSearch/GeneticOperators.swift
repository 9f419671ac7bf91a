import QuasarNetwork
import QuasarSupernet
import QuasarTensor

extension SearchSpace {
  /// Gene-wise uniform crossover: every gene of the child comes from one of the parents.
  ///
  /// Depth comes from one parent; blocks that only the deeper parent has come from that parent.
  func crossover(_ a: Architecture, _ b: Architecture, _ random: inout RandomStream) -> Architecture {
    let depth = random.pick([a.depth, b.depth])
    let blocks = (0..<depth).map { i -> BlockGenes in
      guard i < a.depth, i < b.depth else { return i < a.depth ? a.blocks[i] : b.blocks[i] }
      let (x, y) = (a.blocks[i], b.blocks[i])
      return BlockGenes(
        heads: random.pick([x.heads, y.heads]), mlpRatio: random.pick([x.mlpRatio, y.mlpRatio]),
        shares: RowShares { random.pick([x.shares[$0], y.shares[$0]]) })
    }
    return Architecture(
      geometry: geometry, embedDimension: random.pick([a.embedDimension, b.embedDimension]),
      activationBits: random.pick([a.activationBits, b.activationBits]), blocks: blocks)
  }

  /// Block mutation: blocks are redrawn, whole or only in their precision, and network genes with their own probability.
  ///
  /// At least one block is always redrawn.
  func mutation(_ parent: Architecture, _ options: SearchOptions, _ random: inout RandomStream)
    -> Architecture
  {
    var child = parent
    if random.unit() < options.networkMutation { child.embedDimension = random.pick(embedDimensions) }
    if random.unit() < options.networkMutation { child.activationBits = random.pick(activationBits) }
    if random.unit() < options.networkMutation {
      let depth = random.pick(depths)
      while child.depth > depth { child.blocks.removeLast() }
      while child.depth < depth { child.blocks.append(sampleBlock(&random)) }
    }
    let forced = random.below(child.depth)
    for i in child.blocks.indices where i == forced || random.unit() < options.blockMutation {
      let drawn = sampleBlock(&random)
      if random.below(2) == 0 {
        child.blocks[i] = drawn
      } else {
        child.blocks[i].shares = drawn.shares
      }
    }
    return child
  }
}
