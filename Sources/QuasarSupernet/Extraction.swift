import QuasarAutograd
import QuasarNetwork
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

    Supernet.copyPrefix(classToken, to: target.classToken)
    for t in 0..<architecture.geometry.tokens {
      (target.position.value.pointer + t * width)
        .update(from: position.value.pointer + t * size.embedDimension, count: width)
    }
    for layer in LayerGraph(architecture).layers {
      let (from, to) = (self[layer.id], target[layer.id])
      if let source = sliced(layer), let copy = to.linear { Supernet.copy(source, to: copy) }
      if let source = from.norm, let copy = to.norm {
        Supernet.copyPrefix(source.weight, to: copy.weight)
        Supernet.copyPrefix(source.bias, to: copy.bias)
      }
      if let source = from.gain, let copy = to.gain { Supernet.copyPrefix(source, to: copy) }
      for (source, copy) in [(from.tableSteps, to.tableSteps), (from.steps, to.steps)] {
        if let source, let copy { Supernet.copy(source, to: copy) }
      }
    }
    target.residualStep = residualStep
    return target
  }

  private static func copyPrefix(_ source: Parameter, to target: Parameter) {
    target.value.pointer.update(from: source.value.pointer, count: target.value.count)
  }

  private static func copy(_ source: ActivationSteps, to target: ActivationSteps) {
    for (bits, parameter) in target.byBits { parameter.value.assign(source.parameter(bits: bits).value) }
  }

  private static func copy(_ sliced: SlicedLinear, to target: LinearParameters) {
    let (source, slice) = (sliced.linear, sliced.slice)
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
    // The kept rows stay in their order; their numbers become positions in the slice.
    let place = Dictionary(uniqueKeysWithValues: slice.rows.enumerated().map { ($1, Int32($0)) })
    target.ranking = source.ranking.compactMap { place[$0] }
  }
}
