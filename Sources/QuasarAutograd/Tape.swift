import QuasarTensor

/// A value on a tape.
public struct Variable {
  public let tape: Tape
  let index: NodeIndex
  public let value: Tensor

  public var shape: [Int] { value.shape }
}

/// Records operations in order and walks them backwards, normally once: the walk releases the values it has passed.
///
/// Forward functions are methods in the `Tape+…` files; the gradient of every case is in `Tape+Gradients`. With
/// `recording` off, values are computed and nothing is kept for a backward pass.
public final class Tape {
  struct Node {
    var operation: Operation
    var value: Tensor
    var needsGradient: Bool

    /// The replacement of a node that a walk has passed.
    static var released: Node {
      Node(operation: .constant, value: Tensor(uninitialized: [0]), needsGradient: false)
    }
  }

  var nodes: [Node] = []
  /// False for evaluation: nothing needs a gradient.
  public let recording: Bool
  private var isReleased = false

  public init(recording: Bool = true) {
    self.recording = recording
  }

  func append(_ operation: Operation, _ value: Tensor, inputs: [NodeIndex]) -> Variable {
    let needsGradient = recording && inputs.contains { nodes[$0].needsGradient }
    return append(needsGradient ? operation : .constant, value, needsGradient: needsGradient)
  }

  func append(_ operation: Operation, _ value: Tensor, needsGradient: Bool) -> Variable {
    // Without a backward pass, a value lives as long as something reads it.
    if recording { nodes.append(Node(operation: operation, value: value, needsGradient: needsGradient)) }
    return Variable(tape: self, index: nodes.count - 1, value: value)
  }

  /// Data that needs no gradient.
  public func constant(_ value: Tensor) -> Variable {
    append(.constant, value, needsGradient: false)
  }

  /// The whole of a parameter; its gradient is added to `parameter.gradient` by `backward`.
  public func parameter(_ parameter: Parameter) -> Variable {
    append(.parameter(parameter), parameter.value, needsGradient: recording)
  }

  /// Adds d(seed·output)/d(parameter) to the gradient of every parameter that `output` depends on.
  ///
  /// `seed` has the shape of the output; nil means ones (for a scalar loss: the gradient itself). Values are released
  /// during the walk, so that gradients take the place of activations. A tape that is walked several times has to be
  /// kept (`keeping`); its parameter gradients add up. `observe` is called after each node with the parameters whose
  /// gradients this walk will no longer change; usually there are none.
  public func backward(
    from output: Variable, seed: Tensor? = nil, keeping: Bool = false,
    observe: (([Parameter]) throws -> Void)? = nil
  ) rethrows {
    precondition(output.tape === self, "the variable belongs to another tape")
    precondition(recording, "this tape was made with recording: false")
    precondition(!isReleased, "this tape was walked before; keep it with keeping: true")
    isReleased = !keeping
    let seed = seed ?? Tensor(repeating: 1, shape: output.shape)
    precondition(seed.count == output.value.count, "seed \(seed.shape) for output \(output.shape)")
    var gradients = Gradients(count: output.index + 1)
    gradients.add(seed.reshaped(output.shape), isShared: true, to: output.index)
    let lastUses = observe == nil ? [:] : parametersByFirstNode(upTo: output.index)
    try Profile.measure("backward, other") {
      for index in stride(from: output.index, through: 0, by: -1) where nodes[index].needsGradient {
        if let gradient = gradients.take(index) { propagate(nodes[index], gradient, into: &gradients) }
        if !keeping { nodes[index] = .released }
        try observe?(lastUses[index] ?? [])
      }
    }
  }

  /// Every parameter under the first node that reads it, which is the one that a backward walk reaches last.
  private func parametersByFirstNode(upTo last: NodeIndex) -> [NodeIndex: [Parameter]] {
    var seen = Set<ObjectIdentifier>()
    var found: [NodeIndex: [Parameter]] = [:]
    for index in 0...last where nodes[index].needsGradient {
      let new = nodes[index].operation.parameters.filter { seen.insert(ObjectIdentifier($0)).inserted }
      if !new.isEmpty { found[index] = new }
    }
    return found
  }
}

/// Gradients of nodes during one backward walk.
struct Gradients {
  private var slots: [NodeGradient?]

  init(count: Int) {
    slots = Array(repeating: nil, count: count)
  }

  mutating func take(_ index: NodeIndex) -> NodeGradient? {
    defer { slots[index] = nil }
    return slots[index]
  }

  /// Adds to a slot; the first contribution is kept as it is, later ones make a new tensor.
  mutating func add(_ gradient: Tensor, isShared: Bool = false, to index: NodeIndex) {
    slots[index] =
      slots[index].map { NodeGradient($0.value.adding(gradient)) } ?? NodeGradient(gradient, isShared: isShared)
  }
}
