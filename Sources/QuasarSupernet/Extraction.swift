import QuasarAutograd
import QuasarTensor

extension Supernet {
  /// A supernet of exactly one architecture with copies of its slices.
  ///
  /// The result computes what this supernet computes for `architecture`, in every mode.
  public func extract(_ architecture: Architecture) throws -> Supernet {
    try checkFits(architecture)
    let target = Supernet(
      size: SupernetSize(architecture), preprocessing: preprocessing, random: RandomSource(seed: 0),
      entanglement: entanglement)
    let width = architecture.embedDimension

    Supernet.copy(patchEmbedding, embeddingSlice(architecture), to: target.patchEmbedding)
    Supernet.copyPrefix(classToken, to: target.classToken)
    for t in 0..<architecture.geometry.tokens {
      (target.position.value.pointer + t * width)
        .update(from: position.value.pointer + t * size.embedDimension, count: width)
    }
    for i in architecture.blocks.indices {
      let (from, to) = (blocks[i], target.blocks[i])
      let slices = slices(architecture, block: i)
      for (source, destination) in [(from.norm1, to.norm1), (from.norm2, to.norm2)] {
        Supernet.copyPrefix(source.weight, to: destination.weight)
        Supernet.copyPrefix(source.bias, to: destination.bias)
      }
      Supernet.copyPrefix(from.gain1, to: to.gain1)
      Supernet.copyPrefix(from.gain2, to: to.gain2)
      Supernet.copy(from.qkv, slices.qkv, to: to.qkv)
      Supernet.copy(from.projection, slices.projection, to: to.projection)
      Supernet.copy(from.expand, slices.expand, to: to.expand)
      Supernet.copy(from.contract, slices.contract, to: to.contract)
      for (source, destination) in [
        (from.norm1Step, to.norm1Step), (from.qkvStep, to.qkvStep), (from.attentionStep, to.attentionStep),
        (from.norm2Step, to.norm2Step), (from.hiddenInputStep, to.hiddenInputStep),
        (from.hiddenStep, to.hiddenStep),
      ] {
        Supernet.copy(source, to: destination)
      }
    }
    Supernet.copyPrefix(finalNorm.weight, to: target.finalNorm.weight)
    Supernet.copyPrefix(finalNorm.bias, to: target.finalNorm.bias)
    Supernet.copy(headStep, to: target.headStep)
    Supernet.copy(
      head, LayerSlice(rows: (0..<Int32(architecture.geometry.classes)).map { $0 }, width: width, bits: []),
      to: target.head)
    target.residualStep = residualStep
    return target
  }

  private static func copyPrefix(_ source: Parameter, to target: Parameter) {
    target.value.pointer.update(from: source.value.pointer, count: target.value.count)
  }

  private static func copy(_ source: ActivationSteps, to target: ActivationSteps) {
    for (bits, parameter) in target.byBits { parameter.value.assign(source.parameter(bits: bits).value) }
  }

  private static func copy(_ source: LinearParameters, _ slice: LayerSlice, to target: LinearParameters) {
    let stride = source.weight.value.width
    for (i, row) in slice.rows.enumerated() {
      (target.weight.value.pointer + i * slice.width)
        .update(from: source.weight.value.pointer + Int(row) * stride, count: slice.width)
      target.bias.value.pointer[i] = source.bias.value.pointer[Int(row)]
      target.scale8.value.pointer[i] = source.scale8.value.pointer[Int(row)]
      if let from = source.scale4, let to = target.scale4 {
        to.value.pointer[i] = from.value.pointer[Int(row)]
      }
    }
    // The order among the kept rows stays; their numbers become positions in the slice.
    let place = Dictionary(uniqueKeysWithValues: slice.rows.enumerated().map { ($1, Int32($0)) })
    target.ranking = source.ranking.compactMap { place[$0] }
  }
}
