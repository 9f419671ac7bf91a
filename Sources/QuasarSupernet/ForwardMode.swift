import CKernels

/// The kind of numbers between the layers.
public enum ForwardMode: String, Codable, CaseIterable, Sendable {
  /// fp32 everywhere.
  case full
  /// Products are fake-quantised; non-linear functions are float.
  case quantized
  /// Exactly the integers of deployment, dequantised; gradients as in `quantized`, at those values.
  case exact
}

/// The kind of products that compute the matrices of the blocks in `quantized` and `exact` mode.
public enum TrainingProducts: String, Codable, CaseIterable, Sendable {
  /// The default: paired runs show no difference to 15-bit gradients (article Training).
  public static let standard = TrainingProducts.integer8

  /// Integer kernels: the accumulators of deployment forward, gradients as 15-bit codes backward.
  case integer
  /// As `integer`, with gradients as 8-bit codes, which take half the time.
  case integer8
  /// fp32 products of dequantised values, operation by operation.
  case float

  /// The form in which the fused blocks round the gradients of their linear layers; nil without fused blocks.
  var gradientForm: qk_gradient_form? {
    switch self {
    case .integer: QK_GRADIENT_WORDS
    case .integer8: QK_GRADIENT_BYTES
    case .float: nil
    }
  }
}
