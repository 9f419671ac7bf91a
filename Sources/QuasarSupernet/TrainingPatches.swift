import CKernels
import QuasarAutograd
import QuasarTensor

/// The patch embedding with its products on the integer kernels, forward and backward (`qk_training_patches`).
struct TrainingPatches {
  /// True for the numbers of outputs that the kernels support: multiples of 8.
  static func supports(width: Int) -> Bool { width % 8 == 0 }

  var layer: TrainingLayer
  /// The codes of the gradients in the product of the weights.
  var gradientForm: qk_gradient_form
  /// Value of one pixel code.
  var inputStep: Float
  /// The value that is subtracted from each input.
  var means: [Float]
}

extension Tape {
  /// (inputStep·codes − means)·Wᵀ + b for pixel codes [rows, depth].
  func trainingPatches(_ codes: NDArray<UInt8>, _ patches: TrainingPatches) throws -> Variable {
    precondition(
      codes.width == patches.means.count && codes.width == patches.layer.weight.width,
      "patches: codes \(codes.shape), \(patches.means.count) means for weights of width \(patches.layer.weight.width)")
    let node = PatchesNode(patches, codes: codes)
    let y = Tensor(uninitialized: [codes.rowCount, patches.layer.weight.rows.count])
    try node.withDescriptor { qk_training_patches_forward(&$0, y.pointer) }.check("patch embedding: forward pass")
    return append(node, y)
  }
}

/// The values that the patch embedding keeps for its backward pass.
final class PatchesNode: FusedOperation {
  private let patches: TrainingPatches
  private let codes: NDArray<UInt8>

  init(_ patches: TrainingPatches, codes: NDArray<UInt8>) {
    self.patches = patches
    self.codes = codes
  }

  /// Every parameter that gets a gradient in the backward pass.
  var parameters: [Parameter] { patches.layer.weight.parameters + patches.layer.bias.parameters }

  func withDescriptor(_ body: (inout qk_training_patches) -> qk_status) -> qk_status {
    patches.means.withUnsafeBufferPointer { means in
      var descriptor = qk_training_patches(
        rows: Int32(codes.rowCount), gradient_form: patches.gradientForm, layer: patches.layer.descriptor,
        codes: UnsafePointer(codes.pointer), input_step: patches.inputStep, mean: means.baseAddress)
      return withExtendedLifetime((codes, patches)) { body(&descriptor) }
    }
  }

  /// Adds the gradients of weights and biases.
  func backward(_ gradient: NodeGradient) -> [NodeGradient?] {
    let g = gradient.value
    let layer = patches.layer
    let weight = Tensor(uninitialized: [layer.weight.rows.count, layer.weight.width])
    let bias = Tensor(uninitialized: [layer.weight.rows.count])
    let status = withDescriptor { qk_training_patches_backward(&$0, g.pointer, weight.pointer, bias.pointer) }
    // The forward pass has checked everything else.
    precondition(status == QK_OK, "patch embedding: no memory for the backward pass")
    layer.weight.addGradient(weight, isOwn: true)
    layer.bias.addGradient(bias, isOwn: true)
    return []
  }
}
