import CKernels
import QuasarAutograd
import QuasarNetwork
import QuasarTensor

@testable import QuasarSupernet

/// Tiny networks: 8×8 grey images, patches of 4 (5 tokens), heads of 8 dimensions, 3 classes.
enum Tiny {
  static let geometry = ImageGeometry(imageSize: 8, channels: 1, patchSize: 4, classes: 3, headDimension: 8)

  static func genes(
    heads: Int = 2, ratio: Double = 2, qkv: RowShare = .half, projection: RowShare = .quarter,
    expand: RowShare = .threeQuarters, contract: RowShare = .none
  ) -> BlockGenes {
    BlockGenes(
      heads: heads, mlpRatio: ratio, shares: [.qkv: qkv, .projection: projection, .expand: expand, .contract: contract])
  }

  static let space = SearchSpace(
    name: "tiny", geometry: geometry, embedDimensions: [8, 16], depths: [1, 2], heads: [1, 2],
    mlpRatios: [1, 2], shares: RowShare.allCases, activationBits: [8, 6, 4])

  /// A slice smaller than the space in width, heads, ratio and depth, with mixed rows.
  static let slice = Architecture(
    geometry: geometry, embedDimension: 8, activationBits: 6,
    blocks: [genes(heads: 1, ratio: 1, qkv: .quarter, projection: .half, expand: .none, contract: .all)])

  static let full = Architecture(
    geometry: geometry, embedDimension: 16, activationBits: 8, blocks: [genes(), genes(qkv: .none)])

  static func patches(_ count: Int, seed: UInt64 = 5, geometry: ImageGeometry = Tiny.geometry) -> PatchBatch {
    var random = RandomSource(seed: seed).generator("images")
    let pixels = count * geometry.channels * geometry.imageSize * geometry.imageSize
    return PatchBatch(
      images: NDArray(
        (0..<pixels).map { _ in UInt8(random.below(256)) },
        shape: [count, geometry.channels, geometry.imageSize, geometry.imageSize]),
      geometry: geometry)
  }

  /// A supernet whose vectors are no longer at their neutral start, calibrated on random images.
  static func net(_ space: SearchSpace = Tiny.space, seed: UInt64 = 1) throws -> Supernet {
    let channels = space.geometry.channels
    let net = Supernet(
      size: SupernetSize(space),
      preprocessing: Preprocessing(
        mean: Array(repeating: 0.45, count: channels), deviation: Array(repeating: 0.3, count: channels)),
      random: RandomSource(seed: seed))
    var random = RandomSource(seed: seed).generator("vectors")
    for parameter in net.parameters where parameter.role == .vector {
      for i in 0..<parameter.value.count { parameter.value.pointer[i] += Float(random.unit() - 0.5) / 4 }
    }
    try net.calibrate([patches(24, geometry: space.geometry)], architecture: space.largest)
    return net
  }

  static func forward(
    _ net: Supernet, _ architecture: Architecture, _ mode: ForwardMode, _ input: PatchBatch
  ) throws -> ForwardResult {
    try net.forward(Tape(recording: false), input, architecture: architecture, mode: mode)
  }

  /// Gradients of the cross-entropy, by parameter name; the gradients in the parameters are cleared again.
  static func gradients(
    _ net: Supernet, _ architecture: Architecture, _ mode: ForwardMode, _ input: PatchBatch
  ) throws -> [String: [Float]] {
    let tape = Tape()
    let result = try net.forward(tape, input, architecture: architecture, mode: mode)
    let classes = architecture.geometry.classes
    // Image i has the class i mod classes.
    let targets = Tensor(
      (0..<input.batch * classes).map { $0 % classes == $0 / classes % classes ? 1 : 0 },
      shape: [input.batch, classes])
    tape.backward(from: tape.crossEntropy(result.logits, targets: targets))
    defer { for parameter in net.parameters { parameter.clearGradient() } }
    return Dictionary(uniqueKeysWithValues: net.parameters.map { ($0.name, $0.gradient.scalars) })
  }

  /// The bits of floats, so that equality means equal bits.
  static func bits(_ tensor: Tensor) -> [UInt32] { tensor.scalars.map(\.bitPattern) }
}

extension Supernet {
  /// The linear layer of a block.
  func linear(_ role: LayerID.Role, _ block: Int) -> LinearParameters { self[LayerID(role, block: block)].linear! }

  /// The rows of a block's linear layer that an architecture uses.
  func slice(_ role: LayerID.Role, _ block: Int, of architecture: Architecture) -> LayerSlice {
    sliced(LayerGraph(architecture).block(block).first { $0.id.role == role }!)!.slice
  }

  /// The quantiser of a layer's output.
  func steps(_ role: LayerID.Role, _ block: Int) -> ActivationSteps { self[LayerID(role, block: block)].steps! }

  /// The linear layers of the blocks.
  var mixedLinears: [LinearParameters] { layers.filter { $0.id.block != nil }.compactMap(\.linear) }
}
