import QuasarAutograd
import QuasarNetwork
import QuasarSupernet
import QuasarTensor
import QuasarTrain

/// The kind of training step to measure.
public enum TrainingStepMode: String, CaseIterable, Sendable {
  /// fp32 everywhere.
  case fp32
  /// Quantisation-aware: integer products, float LayerNorm and softmax.
  case qat
  /// The integers of deployment in the forward pass.
  case exact
  /// A fixed cycle of four sub-networks of a supernet, quantisation-aware.
  case supernet
  /// The same cycle in fp32.
  case supernetFP32 = "supernet-fp32"

  var forward: ForwardMode {
    switch self {
    case .fp32, .supernetFP32: return .full
    case .qat, .supernet: return .quantized
    case .exact: return .exact
    }
  }
}

/// Training steps on noise, for speed measurements: forward pass, cross-entropy, backward pass, AdamW.
public final class TrainingStepWork {
  public let architectures: [Architecture]
  private let net: Supernet
  private let batch: PatchBatch
  private let targets: Tensor
  private let mode: ForwardMode
  private let products: TrainingProducts
  private let recomputes: Bool
  private let optimizer: AdamW

  /// Half of all rows have 8 bits; `architecture` gives the sizes. With `recomputes`, blocks are computed again in the
  /// backward pass.
  public init(
    _ architecture: Architecture, mode: TrainingStepMode, batch count: Int, activationBits: Int = 8,
    products: TrainingProducts = .standard, recomputes: Bool = false
  ) throws {
    let mixed = architecture.uniform(share: .half, activationBits: activationBits)
    let geometry = mixed.geometry
    net = Supernet(
      size: SupernetSize(mixed),
      preprocessing: Preprocessing(
        mean: Array(repeating: 0.5, count: geometry.channels),
        deviation: Array(repeating: 0.25, count: geometry.channels)),
      random: RandomSource(seed: 1))
    batch = PatchBatch(images: Workflow.noise(count, geometry), geometry: geometry)
    targets = Targets.labels(
      (0..<count).map { $0 % geometry.classes }, classes: geometry.classes, smoothing: 0.1)
    self.mode = mode.forward
    self.products = products
    self.recomputes = recomputes
    architectures =
      mode == .supernet || mode == .supernetFP32 ? TrainingStepWork.cycle(mixed) : [mixed]
    optimizer = AdamW(net.parameters)
    if self.mode != .full { try net.calibrate([batch], architecture: mixed, weights: true, rankRows: true) }
  }

  /// Four sub-networks from largest to smallest and in between; the same for every tool in a comparison.
  ///
  /// Widths D, 2D/3, 5D/6, D; depths L, L−3, L−1, L−2; heads H and H−1 in turn; MLP ratios R, ¾R, ½R in turn.
  public static func cycle(_ largest: Architecture) -> [Architecture] {
    let (d, depth) = (largest.embedDimension, largest.depth)
    let shapes = [(d, depth), (d * 2 / 3, depth - 3), (d * 5 / 6, depth - 1), (d, depth - 2)]
    return shapes.enumerated().map { i, shape in
      var one = largest
      one.embedDimension = shape.0
      one.blocks = largest.blocks.prefix(max(1, shape.1)).enumerated().map { l, genes in
        var genes = genes
        switch i {
        case 0: break
        case 1: (genes.heads, genes.mlpRatio) = (max(1, genes.heads - 1), genes.mlpRatio / 2)
        default:
          genes.heads = max(1, genes.heads - (l + i) % 2)
          genes.mlpRatio *= [1, 0.75, 0.5][(l + i) % 3]
        }
        return genes
      }
      return one
    }
  }

  /// Number of images per call of `step`.
  public var images: Int { batch.batch * architectures.count }

  /// Runs one training step of every sub-network of the cycle, each with an update; returns the last loss.
  @discardableResult
  public func step() throws -> Float {
    var last: Float = 0
    for architecture in architectures {
      let tape = Tape()
      let result = try net.forward(
        tape, batch, architecture: architecture, mode: mode, products: products, recomputed: recomputes)
      let loss = tape.crossEntropy(result.logits, targets: targets)
      tape.backward(from: loss)
      optimizer.update(learningRate: 1e-4)
      last = loss.value.pointer[0]
    }
    return last
  }
}
