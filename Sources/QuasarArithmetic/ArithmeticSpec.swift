import CKernels
import QuasarTensor

/// The forms of the arithmetic contract that a model was trained for; the C record of CKernels.
public typealias ArithmeticSpec = qk_arithmetic_spec

extension ArithmeticSpec {
  /// Version 1 with narrow weight ranges.
  public static var standard: ArithmeticSpec { qk_arithmetic_spec_default() }

  /// Throws when this build does not implement the spec.
  public func validate() throws {
    var copy = self
    try qk_arithmetic_spec_check(&copy).check("arithmetic spec version \(version)")
  }
}

/// A real factor as multiplier·2^−shift with a 16-bit multiplier; the C record of CKernels.
public typealias Requantiser = qk_requantiser

extension Requantiser {
  /// The requantiser nearest to `factor`; throws with the name of the layer when the factor is too large.
  public init(factor: Double, layer: String) throws {
    self.init()
    try qk_requantiser_make(factor, &self).check("\(layer): requantisation factor \(factor)")
  }
}
