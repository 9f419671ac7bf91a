import CKernels

/// The ways in which the two precisions of a row share one latent weight.
public enum Entanglement: String, Codable, CaseIterable, Sendable {
  /// E1: both precisions quantise the same latent row, each with its own learned step.
  case independentSteps = "independent-steps"
  /// E2: one learned step per row; the 4-bit step is 16 times the 8-bit step.
  case tiedSteps = "tied-steps"
  /// E3: as E2, and the 4-bit code is the 8-bit code rounded to its upper four bits, clamp((q8 + 8) >> 4, −7, 7).
  case nestedCodes = "nested-codes"

  public var sharing: qk_sharing {
    switch self {
    case .independentSteps: return QK_SHARING_INDEPENDENT
    case .tiedSteps: return QK_SHARING_TIED
    case .nestedCodes: return QK_SHARING_NESTED
    }
  }
}
