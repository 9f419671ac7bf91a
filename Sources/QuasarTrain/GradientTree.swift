import QuasarAutograd
import QuasarProcesses
import QuasarTensor

/// The gradient of a step: the sum of its batches' gradients over a binary tree.
///
/// sum(batches) = sum(first half) + sum(second half). With n = 2^k processes, each holds the subtree of an equal run of
/// batches, and `SumOverProcesses` adds the k levels above. So the bits do not depend on the number of processes.
///
/// The last backward pass of a process hands over every parameter as soon as its gradient is complete. The processes
/// can then exchange the gradients of deep layers while those of shallow ones are computed.
final class GradientTree {
  /// The backward walk over a tape that is the last one of the step.
  typealias LastWalk = (Tape, Variable) throws -> Void

  /// The batches of a step that this process computes.
  let ownBatches: Range<Int>
  private let parameters: [Parameter]
  private let exchange: SumOverProcesses
  private let isAlone: Bool
  /// Gradients of left halves whose right halves are being computed, outermost first.
  private var left: [[ObjectIdentifier: Tensor]] = []

  /// Throws `usage` unless the batches of a step can be divided evenly among the processes.
  init(_ parameters: [Parameter], batches: Int, processes: any ProcessGroup) throws {
    guard batches % processes.size == 0 else {
      throw QuasarError(
        .usage,
        "\(processes.size) processes cannot share \(batches) \(batches == 1 ? "batch" : "batches") a step evenly; "
          + "set accumulation to a multiple of \(processes.size) (each batch of a step goes to one process)")
    }
    let own = batches / processes.size
    ownBatches = processes.rank * own..<(processes.rank + 1) * own
    self.parameters = parameters
    exchange = SumOverProcesses(processes)
    isAlone = processes.size == 1
  }

  /// Adds the gradients of a step to the parameters and returns the sum of the batches' losses.
  ///
  /// `addGradients` adds the gradients of one batch to the parameters and returns its loss. If it receives a walk, it
  /// uses it for its last backward pass.
  func sum(_ addGradients: (_ batch: Int, LastWalk?) throws -> Float) throws -> Float {
    left = []
    let loss = Tensor([try add(ownBatches, isLast: true, addGradients)], shape: [1])
    left = []
    try exchange.add(loss.pointer, count: 1)
    try exchange.finish()
    return loss.pointer[0]
  }

  private func add(
    _ batches: Range<Int>, isLast: Bool, _ addGradients: (Int, LastWalk?) throws -> Float
  ) throws -> Float {
    if batches.count == 1 { return try addGradients(batches.lowerBound, isLast ? walkLast : nil) }
    let middle = batches.lowerBound + batches.count / 2
    let loss = try add(batches.lowerBound..<middle, isLast: false, addGradients)
    left.append(
      Dictionary(
        uniqueKeysWithValues: parameters.compactMap { parameter in
          parameter.takeGradient().map { (ObjectIdentifier(parameter), $0) }
        }))
    let rest = try add(middle..<batches.upperBound, isLast: isLast, addGradients)
    if !isLast, let saved = left.popLast() {
      for parameter in parameters { add(saved, to: parameter) }
    }
    return loss + rest
  }

  private func walkLast(_ tape: Tape, from loss: Variable) throws {
    var completed = Set<ObjectIdentifier>()
    try tape.backward(from: loss) { finished in
      for parameter in finished {
        completed.insert(ObjectIdentifier(parameter))
        try self.complete(parameter)
      }
      try self.exchange.progress()
    }
    // Parameters that this network does not have.
    for parameter in parameters where !completed.contains(ObjectIdentifier(parameter)) { try complete(parameter) }
  }

  /// Adds the left halves, from the innermost one outwards, and starts the exchange.
  private func complete(_ parameter: Parameter) throws {
    for saved in left.reversed() { add(saved, to: parameter) }
    if isAlone { return }
    try exchange.add(parameter.gradient.pointer, count: parameter.gradient.count)
  }

  private func add(_ saved: [ObjectIdentifier: Tensor], to parameter: Parameter) {
    if let gradient = saved[ObjectIdentifier(parameter)] { parameter.addGradient(consuming: gradient) }
  }
}
