import CKernels
import Foundation
import QuasarArithmetic
import QuasarInterchange
import QuasarNetwork
import QuasarTensor

/// `manifest.json` of a folder of golden vectors: the meaning of every file and the relations between the tensors.
public struct GoldenManifest: Codable, Sendable {
  static let formatName = "quasar-vectors"

  public struct Model: Codable, Sendable {
    /// CRC-32 at the end of the `.quasar` file, as eight hexadecimal digits.
    public var crc32: String
    /// Size of the file.
    public var bytes: Int
  }

  /// The values of `ArithmeticSpec`.
  public struct Arithmetic: Codable, Sendable {
    public var version: Int32
    public var weightFullRange: Int32
    public var residualBits: Int32
    public var exponentFractionBits: Int32
    public var contextFractionBits: Int32
    public var layerNormFractionBits: Int32

    init(_ spec: ArithmeticSpec) {
      version = spec.version
      weightFullRange = spec.weight_full_range
      residualBits = spec.residual_bits
      exponentFractionBits = spec.exponent_fraction_bits
      contextFractionBits = spec.context_fraction_bits
      layerNormFractionBits = spec.layer_norm_fraction_bits
    }

    enum CodingKeys: String, CodingKey {
      case version
      case weightFullRange = "weight_full_range"
      case residualBits = "residual_bits"
      case exponentFractionBits = "exponent_fraction_bits"
      case contextFractionBits = "context_fraction_bits"
      case layerNormFractionBits = "layer_norm_fraction_bits"
    }
  }

  public struct Tensor: Codable, Sendable {
    public var role: VectorRole
    public var npy: String
    public var hex: String
    /// Name of the array in the layer's header.
    public var array: String
    public var shape: [Int]
    public var axes: [String]
    public var elementType: String
    public var bits: Int
    public var signed: Bool
    public var meaning: String
    public var formula: String?

    enum CodingKeys: String, CodingKey {
      case role, npy, hex, array, shape, axes
      case elementType = "element_type"
      case bits, signed, meaning, formula
    }
  }

  public struct Layer: Codable, Sendable {
    public var name: String
    public var kind: GoldenLayer.Kind
    /// C header with all tensors of the layer.
    public var header: String
    public var dimensions: [String: Int]
    public var tensors: [Tensor]
  }

  public var schema = 1
  public var format = GoldenManifest.formatName
  public var model: Model
  public var arithmetic: Arithmetic
  public var architecture: Architecture
  public var images: Int
  public var engine: EngineSummary?
  /// Every file of the folder, this one included.
  public var files: [String]
  public var layers: [Layer]

  /// The manifest in a file; nil if the file is not a manifest of golden vectors.
  public static func read(_ path: String) -> GoldenManifest? {
    guard let bytes = try? InputFile.read(path),
      let manifest = try? JSONDecoder().decode(GoldenManifest.self, from: Data(bytes))
    else { return nil }
    return manifest.format == formatName && manifest.schema == 1 ? manifest : nil
  }

  func json() throws -> String { try JSONText.encode(self) + "\n" }
}

/// The processing elements of an engine as golden vectors name them.
public struct EngineSummary: Codable, Sendable {
  public struct Mode: Codable, Sendable {
    /// "4-bit rows", "8-bit rows" or "attention".
    public var use: String
    public var name: String
    public var weights: Int
    public var activations: Int
    public var pitch: Int
    public var repair: String
  }

  /// Number of products that a DSP adds before it drains, in one kind of product of one layer.
  public struct Chain: Codable, Sendable {
    public var layer: String
    /// "4-bit rows", "8-bit rows", "scores" or "context".
    public var product: String
    public var length: Int
  }

  public var device: String
  public var clockMHz: Double
  public var modes: [Mode]
  /// P_k: slices along the inputs.
  public var inputLanes: Int
  /// Slices along the tokens.
  public var tokenElements: Int
  /// Tokens whose multipliers are made of LUTs.
  public var fabricTokens: Int
  public var chains: [Chain]

  enum CodingKeys: String, CodingKey {
    case device, modes, chains
    case clockMHz = "clock_mhz"
    case inputLanes = "input_lanes"
    case tokenElements = "token_elements"
    case fabricTokens = "fabric_tokens"
  }

  /// The summary of the engine on which `units` run `model`.
  public init(device: String, clockMHz: Double, engine: DatapathEngine, units: DatapathUnits, model: IntegerModel) {
    self.device = device
    self.clockMHz = clockMHz
    modes = [
      ("4-bit rows", engine.fourBitMode), ("8-bit rows", engine.eightBitMode), ("attention", engine.attentionMode),
    ].map { use, mode in
      Mode(
        use: use, name: mode.name, weights: mode.weights, activations: mode.activations, pitch: mode.pitch,
        repair: mode.repair.rawValue)
    }
    inputLanes = engine.inputLanes
    tokenElements = engine.tokenElements
    fabricTokens = engine.fabricTokens
    chains = model.graph.names.flatMap { name in
      units.chains(of: name).map { Chain(layer: name, product: $0.product, length: $0.length) }
    }
  }
}
