import CKernels
import QuasarArithmetic
import QuasarAutograd
import QuasarNetwork
import QuasarTensor

// The fused operations of training, from the present weights and steps of a supernet.

extension NetworkIntegers {
  /// A linear layer of a training step; throws with its name when it cannot be expressed in integers.
  private func trainingLayer(_ layer: Layer) throws -> TrainingLayer {
    guard case .linear(let sizes) = layer.kind else { preconditionFailure("\(layer.id) has no weights") }
    let (sliced, integers) = try linear(layer, sizes)
    return trainingLayer(sliced, integers)
  }

  private func trainingLayer(_ sliced: SlicedLinear, _ integers: IntegerLinear) -> TrainingLayer {
    integers.trainingLayer(
      weight: sliced.linear.weightSlice(sliced.slice),
      bias: WeightSlice(entries: sliced.slice.rows, of: sliced.linear.bias), rowSteps: sliced.rowScales,
      realBias: sliced.realBias)
  }

  /// The patch embedding on integer products; `integers` are its integers.
  func trainingPatches(_ layer: Layer, _ integers: IntegerLinear, form: qk_gradient_form) -> TrainingPatches {
    guard let sliced = net.sliced(layer) else { preconditionFailure("\(layer.id) has no weights") }
    return TrainingPatches(
      layer: trainingLayer(sliced, integers), gradientForm: form, inputStep: net.pixelStep, means: net.pixelMeans)
  }

  /// Block i as one operation on integer products. Throws with the layer's name when a layer cannot be expressed in
  /// integers.
  func trainingBlock(
    _ i: Int, shape: AttentionShape, form: qk_gradient_form, isExact: Bool, dropPath: DropPath?
  ) throws -> TrainingBlock {
    let layers = Dictionary(uniqueKeysWithValues: graph.block(i).map { ($0.id.role, $0) })
    func layer(_ role: LayerID.Role) -> Layer {
      guard let layer = layers[role] else { preconditionFailure("block \(i) has no \(role.rawValue)") }
      return layer
    }
    func steps(_ role: LayerID.Role) -> Parameter {
      guard let steps = net[layer(role).id].steps else { preconditionFailure("\(role.rawValue) has no quantiser") }
      return steps.parameter(bits: layer(role).outputCodes.bits)
    }
    func norm(_ role: LayerID.Role) -> TrainingNorm {
      guard let norm = net[layer(role).id].norm else { preconditionFailure("\(role.rawValue) is not a norm") }
      return TrainingNorm(weight: norm.weight, bias: norm.bias, step: steps(role))
    }
    func gain(_ role: LayerID.Role) -> Parameter {
      guard let gain = net[layer(role).id].gain else { preconditionFailure("\(role.rawValue) ends no branch") }
      return gain
    }
    guard let hiddenInput = net[layer(.expand).id].tableSteps else { preconditionFailure("expand has no table") }
    func keep(_ role: LayerID.Role) -> Tensor? { layer(role).branch.flatMap { dropPath?($0) } }
    return TrainingBlock(
      name: LayerID.blockName(i), shape: shape, width: layer(.contract).width, hidden: layer(.expand).width,
      activationBits: layer(.qkv).outputCodes.bits, gradientForm: form, norm1: norm(.norm1), norm2: norm(.norm2),
      gain1: gain(.projection), gain2: gain(.contract), qkvStep: steps(.qkv), attentionStep: steps(.attention),
      hiddenInputStep: hiddenInput.parameter(bits: 8), hiddenStep: steps(.expand),
      hiddenZero: quantizer(layer(.expand)).zero, hiddenTable: table(layer(.expand)).entries,
      qkv: try trainingLayer(layer(.qkv)), projection: try trainingLayer(layer(.projection)),
      expand: try trainingLayer(layer(.expand)), contract: try trainingLayer(layer(.contract)),
      keep1: keep(.projection), keep2: keep(.contract),
      exact: isExact ? try exactBlock(layer(.norm1), layer(.attention), layer(.norm2)) : nil)
  }

  private func exactBlock(_ norm1: Layer, _ attention: Layer, _ norm2: Layer) throws -> ExactTrainingBlock {
    guard let sizes = attention.attention else { preconditionFailure("\(attention.id) is not attention") }
    let (first, firstOwners) = try norm(norm1).blockArguments()
    let (second, secondOwners) = try norm(norm2).blockArguments()
    let (middle, middleOwners) = try self.attention(attention, sizes).blockArguments()
    return ExactTrainingBlock(
      norm1: first, norm2: second, attention: middle, owners: firstOwners + secondOwners + middleOwners,
      residualStep: net.residualStep)
  }
}
