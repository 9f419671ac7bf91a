import CKernels
import QuasarTensor

/// The units that compute the integer layers of a network: the kernels of this CPU, or a model of the FPGA's units.
///
/// A layer fills in its arguments and hands them over; an implementation writes the layer's output.
public protocol IntegerUnits {
  /// Computes bias + X·Wᵀ in the form given in `arguments`; the rows of X are `images` equal runs of tokens.
  func linear(_ layer: IntegerLinear, _ arguments: inout qk_gemm_arguments, images: Int) throws
  /// Softmax attention.
  func attention(_ layer: IntegerAttention, _ arguments: inout qk_attention_arguments) throws
  /// Layer normalisation.
  func layerNorm(_ layer: IntegerLayerNorm, _ arguments: inout qk_layer_norm_arguments) throws
}

/// The plain integer kernels with the instruction set in use.
public struct KernelUnits: IntegerUnits {
  public init() {}

  public func linear(_ layer: IntegerLinear, _ arguments: inout qk_gemm_arguments, images: Int) throws {
    try qk_gemm(&arguments).check("\(layer.name): integer product")
  }

  public func attention(_ layer: IntegerAttention, _ arguments: inout qk_attention_arguments) throws {
    try qk_attention(&arguments).check("\(layer.name): integer attention")
  }

  public func layerNorm(_ layer: IntegerLayerNorm, _ arguments: inout qk_layer_norm_arguments) throws {
    try qk_layer_norm(&arguments).check("\(layer.name): integer LayerNorm")
  }
}

/// The units that run a layer, and the number of images in its rows.
public struct IntegerExecution {
  public var units: any IntegerUnits
  public var images: Int

  public init(units: any IntegerUnits, images: Int) {
    self.units = units
    self.images = images
  }

  /// The plain kernels, which ignore the number of images.
  public static var kernels: IntegerExecution { IntegerExecution(units: KernelUnits(), images: 1) }
}
