import QuasarAutograd
import QuasarExchange
import QuasarSupernet
import QuasarTensor

extension TimmWeights {
  /// A supernet of these sizes whose largest network has the same logits as the file's network in `full` mode.
  ///
  /// Parameters that are not in the file stay random. Throws the errors of `parameters`.
  public func supernet(
    size: SupernetSize, random: RandomSource, entanglement: Entanglement = .independentSteps
  ) throws -> Supernet {
    let values = try parameters(size.graph)
    let net = Supernet(size: size, preprocessing: preprocessing, random: random, entanglement: entanglement)
    for parameter in net.parameters {
      guard let start = values[parameter.name] else { continue }
      precondition(start.count == parameter.value.count, "\(parameter.name): \(start.count) values")
      parameter.value.assign(Tensor(start, shape: parameter.value.shape))
    }
    return net
  }
}
