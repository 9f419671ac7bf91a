import CKernels
import QuasarAutograd
import QuasarNetwork
import QuasarTensor

/// Shares of the latent weights of all quantised matrices.
public struct OscillationShares: Equatable, Sendable {
  /// Share of the weights whose codes turn back in more than 0.5 % of the updates (moving average) and that are not
  /// frozen.
  public var oscillating: Double
  /// Share of the weights that are held at their code.
  public var frozen: Double
}

/// Follows the codes of latent weights over the updates and freezes those that swing between two of them.
///
/// After every update the code q of each weight is compared with the previous one. A change against the direction of
/// the last change is an oscillation, o = 1; otherwise o = 0. Then f ← f + m·(o − f), and the mean code a ← a + m·(q −
/// a). Above the threshold the weight is frozen: from then on it is s·round(a), with the present step s of its row.
/// Example: m = 0.01, a weight that turns back at every second update → f tends to 0.5. Source: Nagel et al. 2022,
/// iterative weight freezing.
///
/// A row of a supernet has a 4-bit and an 8-bit code. The tracker follows the code of the given architecture: the row's
/// precision in a single network; 4 bits in a supernet, whose step is 16 times as coarse. A weight that swings across a
/// border of 4 bits moves the output 16 times as much as at 8 bits, where a swing of one code is noise. In every
/// entanglement (independent steps, tied or nested), s·q for the 4-bit code q is a weight with that code, so one frozen
/// value serves both precisions. At 8 bits the weight then stays on the coarse grid.
public final class OscillationTracker {
  /// The state of one matrix, each array [rows, width].
  public final class Matrix {
    fileprivate let linear: LinearParameters
    public let codes: NDArray<Int8>
    /// −1, 0, 1: direction of the last change; 2: frozen.
    public let states: NDArray<Int8>
    public let frequencies: Tensor
    public let means: Tensor

    public var name: String { linear.name }

    fileprivate init(_ linear: LinearParameters) {
      self.linear = linear
      let shape = linear.weight.value.shape
      codes = NDArray(zeros: shape)
      states = NDArray(zeros: shape)
      frequencies = Tensor(zeros: shape)
      means = Tensor(zeros: shape)
    }
  }

  public let threshold: Float
  public let momentum: Float
  public let matrices: [Matrix]
  private let net: Supernet
  private let architecture: Architecture
  /// The shares after the last update.
  public private(set) var shares = OscillationShares(oscillating: 0, frozen: 0)

  /// `threshold`: frequency above which a weight is frozen; `momentum`: m. `architecture` selects the code of each row
  /// that is followed, by the row's precision in the present ranking of rows.
  public init(_ net: Supernet, following architecture: Architecture, threshold: Float, momentum: Float) throws {
    try net.checkFits(architecture)
    self.net = net
    self.architecture = architecture
    self.threshold = threshold
    self.momentum = momentum
    matrices = net.layers.compactMap(\.linear).map(Matrix.init)
  }

  /// Starts from the present codes; called once the quantisers are calibrated.
  public func start() {
    forEach { matrix, arguments in qk_oscillation_start(&arguments, matrix.linear.weight.value.pointer) }
    shares = OscillationShares(oscillating: 0, frozen: 0)
  }

  /// Clears the gradients of frozen weights, so that they count in no norm and no moment.
  public func clearFrozenGradients() {
    guard shares.frozen > 0 else { return }
    for matrix in matrices {
      qk_oscillation_mask(matrix.states.count, matrix.states.pointer, matrix.linear.weight.gradient.pointer)
    }
  }

  /// Reads the codes after an update and moves frozen weights back to their codes.
  public func update() {
    var (oscillating, frozen) = (0, 0)
    forEach { matrix, arguments in
      var counts = [UInt32](repeating: 0, count: 2 * arguments.rows)
      qk_oscillation_step(&arguments, matrix.linear.weight.value.pointer, &counts)
      for row in 0..<arguments.rows {
        oscillating += Int(counts[2 * row])
        frozen += Int(counts[2 * row + 1])
      }
    }
    let total = Double(matrices.reduce(0) { $0 + $1.codes.count })
    shares = OscillationShares(oscillating: Double(oscillating) / total, frozen: Double(frozen) / total)
  }

  /// Moves frozen weights among other values of the parameters (averages, for example) to their codes, with the steps
  /// there.
  public func holdFrozen(in values: (Parameter) -> Tensor) {
    guard shares.frozen > 0 else { return }
    forEach { matrix, arguments in
      let (weight, scale4, scale8) = (
        values(matrix.linear.weight), matrix.linear.scale4.map(values), values(matrix.linear.scale8)
      )
      arguments.scale4 = UnsafePointer(scale4?.pointer)
      arguments.scale8 = UnsafePointer(scale8.pointer)
      withExtendedLifetime((scale4, scale8)) { qk_oscillation_hold(&arguments, weight.pointer) }
    }
  }

  /// Counts the frozen weights; to be called once the matrices have been read from a checkpoint.
  public func restored() {
    let frozen = matrices.reduce(0) { $0 + $1.states.scalars.count { $0 == QK_WEIGHT_FROZEN } }
    shares = OscillationShares(
      oscillating: 0, frozen: Double(frozen) / Double(matrices.reduce(0) { $0 + $1.codes.count }))
  }

  private func forEach(_ body: (Matrix, inout qk_oscillation) -> Void) {
    let slices = Dictionary(
      uniqueKeysWithValues: net.quantizedStages(architecture).joined().map { ($0.linear.name, $0.slice) })
    for matrix in matrices {
      let linear = matrix.linear
      let (rows, width) = (linear.weight.value.shape[0], linear.weight.value.width)
      // Rows that the architecture does not have get the coarsest precision possible.
      var bits = [UInt8](repeating: linear.isMixed ? 4 : 8, count: rows)
      if let slice = slices[linear.name] {
        for (row, own) in zip(slice.rows, slice.bits) { bits[Int(row)] = own }
      }
      bits.withUnsafeBufferPointer { bits in
        var arguments = qk_oscillation()
        arguments.rows = rows
        arguments.width = width
        arguments.bits = bits.baseAddress
        arguments.scale4 = UnsafePointer(linear.scale4?.value.pointer)
        arguments.scale8 = UnsafePointer(linear.scale8.value.pointer)
        arguments.sharing = linear.entanglement.sharing
        arguments.threshold = threshold
        arguments.momentum = momentum
        arguments.code = matrix.codes.pointer
        arguments.state = matrix.states.pointer
        arguments.frequency = matrix.frequencies.pointer
        arguments.mean = matrix.means.pointer
        body(matrix, &arguments)
      }
    }
  }
}
