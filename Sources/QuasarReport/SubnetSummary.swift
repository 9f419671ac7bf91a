/// One chosen sub-network: target, board, accuracy and genes.
public struct SubnetSummary: Codable, Sendable, Equatable {
  /// "100 FPS"; also the label in the plot.
  public var name: String
  /// The target in frames per second.
  public var fpsTarget: Double
  /// Predicted frames per second, one image after another.
  public var fps: Double
  public var board: BoardSummary
  public var genes: GeneSummary
  /// Accuracy with fake-quantised products and float non-linear functions.
  public var accuracyFloat: Double
  /// Accuracy with integer arithmetic throughout, as on the device.
  public var accuracyInteger: Double
  /// The layers in the order of execution.
  public var layers: [LayerSummary]

  /// The summary of a sub-network.
  public init(
    name: String, fpsTarget: Double, fps: Double, board: BoardSummary, genes: GeneSummary, accuracyFloat: Double,
    accuracyInteger: Double, layers: [LayerSummary]
  ) {
    self.name = name
    self.fpsTarget = fpsTarget
    self.fps = fps
    self.board = board
    self.genes = genes
    self.accuracyFloat = accuracyFloat
    self.accuracyInteger = accuracyInteger
    self.layers = layers
  }
}

/// The device that a sub-network was chosen for, and the share of it that its engine takes.
public struct BoardSummary: Codable, Sendable, Equatable {
  /// One kind of resource.
  public struct Use: Codable, Sendable, Equatable {
    public var used: Int
    /// The amount in the device; 0 if it is not known.
    public var available: Int

    /// The amount used out of the amount available.
    public init(_ used: Int, of available: Int = 0) {
      self.used = used
      self.available = available
    }
  }

  /// Name of the device: "ZCU102".
  public var device: String
  /// Clock of the engine.
  public var clockMegahertz: Double
  /// DSP slices.
  public var dsp: Use
  /// Look-up tables.
  public var lut: Use
  /// 18-kilobit block memories.
  public var bram18: Use

  /// The summary of a board.
  public init(device: String, clockMegahertz: Double, dsp: Use, lut: Use, bram18: Use) {
    self.device = device
    self.clockMegahertz = clockMegahertz
    self.dsp = dsp
    self.lut = lut
    self.bram18 = bram18
  }
}

/// The genes of a sub-network.
public struct GeneSummary: Codable, Sendable, Equatable {
  /// Embedding width.
  public var embedDimension: Int
  /// Number of blocks.
  public var depth: Int
  /// One number per block.
  public var heads: [Int]
  /// One number per block.
  public var mlpRatios: [Double]
  /// Bits of the codes between the layers.
  public var activationBits: Int
  /// 8-bit rows ÷ all rows of the searched weight matrices.
  public var share8Bit: Double
  /// Average over all weight matrices, first and last included.
  public var averageWeightBits: Double

  /// The genes of a sub-network.
  public init(
    embedDimension: Int, depth: Int, heads: [Int], mlpRatios: [Double], activationBits: Int, share8Bit: Double,
    averageWeightBits: Double
  ) {
    self.embedDimension = embedDimension
    self.depth = depth
    self.heads = heads
    self.mlpRatios = mlpRatios
    self.activationBits = activationBits
    self.share8Bit = share8Bit
    self.averageWeightBits = averageWeightBits
  }
}
