import CKernels
import QuasarAutograd
import QuasarQuant
import QuasarTensor

extension Supernet {
  private func trainingLayer(
    _ linear: LinearParameters, _ integer: IntegerLinear, _ slice: LayerSlice
  ) -> TrainingLayer {
    integer.trainingLayer(
      weight: linear.weightSlice(slice), bias: WeightSlice(entries: slice.rows, of: linear.bias),
      rowSteps: rowScales(linear, slice), realBias: slice.rows.map { linear.bias.value.pointer[Int($0)] })
  }

  /// The patch embedding on integer products, `integer` being its integers from the present weights and steps.
  func trainingPatches(
    _ architecture: Architecture, _ integer: IntegerLinear, form: qk_gradient_form
  ) -> TrainingPatches {
    let slice = embeddingSlice(architecture)
    return TrainingPatches(
      layer: trainingLayer(patchEmbedding, integer, slice), gradientForm: form, inputStep: pixelStep,
      means: pixelMeans)
  }

  /// Block i of an architecture as one operation on integer products, from the present weights and steps. Throws when a
  /// layer cannot be expressed in integers, with its name.
  func trainingBlock(
    _ architecture: Architecture, block i: Int, shape: AttentionShape, form: qk_gradient_form, isExact: Bool,
    dropPath: DropPath?
  ) throws -> TrainingBlock {
    let parameters = blocks[i]
    let bits = architecture.activationBits
    let integers = try integerLinears(architecture, block: i)
    func layer(_ linear: LinearParameters, _ integer: IntegerLinear, _ slice: LayerSlice) -> TrainingLayer {
      trainingLayer(linear, integer, slice)
    }
    var block = TrainingBlock(
      name: "blocks.\(i)", shape: shape, width: architecture.embedDimension, hidden: architecture.hiddenWidth(i),
      activationBits: bits, gradientForm: form, norm1: (parameters.norm1.weight, parameters.norm1.bias),
      norm2: (parameters.norm2.weight, parameters.norm2.bias), gain1: parameters.gain1, gain2: parameters.gain2,
      norm1Step: parameters.norm1Step.parameter(bits: bits), qkvStep: parameters.qkvStep.parameter(bits: bits),
      attentionStep: parameters.attentionStep.parameter(bits: bits),
      norm2Step: parameters.norm2Step.parameter(bits: bits),
      hiddenInputStep: parameters.hiddenInputStep.parameter(bits: 8),
      hiddenStep: parameters.hiddenStep.parameter(bits: bits), hiddenZero: integers.quantizer.zero,
      hiddenTable: integers.gelu.entries, qkv: layer(parameters.qkv, integers.qkv, integers.slices.qkv),
      projection: layer(parameters.projection, integers.projection, integers.slices.projection),
      expand: layer(parameters.expand, integers.expand, integers.slices.expand),
      contract: layer(parameters.contract, integers.contract, integers.slices.contract))
    block.keep1 = dropPath?(2 * i)
    block.keep2 = dropPath?(2 * i + 1)
    if isExact {
      let functions = try integerFunctions(architecture, block: i)
      let (norm1, norm1Owners) = functions.norm1.blockArguments()
      let (norm2, norm2Owners) = functions.norm2.blockArguments()
      let (attention, attentionOwners) = functions.attention.blockArguments()
      block.exact = ExactTrainingBlock(
        norm1: norm1, norm2: norm2, attention: attention, owners: norm1Owners + norm2Owners + attentionOwners,
        residualStep: residualStep)
    }
    return block
  }
}
