import Foundation

/// `summary.json` of a pipeline: the contract with scripts (schema 1).
public struct Summary: Codable, Sendable {
  public struct Subnet: Codable, Sendable {
    public var fpsTarget: Double
    public var fps: Double
    public var device: String
    public var activationBits: Int
    /// Share of 8-bit rows over all weight matrices.
    public var share8bit: Double
    /// Average over all weight matrices, first and last included.
    public var averageWeightBits: Double
    public var dsp: Int
    public var lut: Int
    public var bram18: Int
    /// Accuracy with fake-quantised products and float non-linear functions; a fraction of 1.
    public var accuracyFloat: Double
    /// Accuracy with integers throughout; a fraction of 1.
    public var accuracyInteger: Double
    /// Path of the `.quasar` file.
    public var model: String
    /// Folder to pass to `quasar eval --backend float|qat --model`.
    public var run: String

    enum CodingKeys: String, CodingKey {
      case fpsTarget = "fps_target"
      case fps, device
      case activationBits = "activation_bits"
      case share8bit = "share_8bit"
      case averageWeightBits = "average_weight_bits"
      case dsp, lut, bram18
      case accuracyFloat = "accuracy_float"
      case accuracyInteger = "accuracy_integer"
      case model, run
    }
  }

  public var schema = 1
  /// Wall clock of all steps.
  public var seconds: Double
  /// Seconds by step.
  public var steps: [String: Double]
  /// Accuracy of softmax regression on the same split.
  public var baseline: Double
  public var subnets: [Subnet]
  public var report: String
}
