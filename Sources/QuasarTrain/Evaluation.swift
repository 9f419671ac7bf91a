import QuasarAutograd
import QuasarData
import QuasarNetwork
import QuasarRuntime
import QuasarSupernet
import QuasarTensor

/// Predictions of one sub-network on a set.
public struct Evaluation {
  /// [images, classes]: values in `full` and `quantized` mode, dequantised codes in `exact` mode.
  public let logits: Tensor
  /// The integer logit codes [images, classes] in `exact` mode.
  public let logitCodes: NDArray<Int32>?
  public let accuracy: Double

  /// Number of images that run together.
  static let batchSize = 100

  public init(
    _ net: Supernet, architecture: Architecture, mode: ForwardMode, data: any ImageSource
  ) throws {
    try net.checkFits(architecture)
    try data.checkFits(architecture.geometry)
    let classes = architecture.geometry.classes
    let logits = Tensor(uninitialized: [data.count, classes])
    let codes = mode == .exact ? NDArray<Int32>(uninitialized: [data.count, classes]) : nil
    for first in stride(from: 0, to: data.count, by: Evaluation.batchSize) {
      let range = first..<min(first + Evaluation.batchSize, data.count)
      let batch = PatchBatch(images: try data.array(range), geometry: architecture.geometry)
      let result = try net.forward(
        Tape(recording: false), batch, architecture: architecture, mode: mode)
      logits.rows(range).assign(result.logits.value)
      if let from = result.logitCodes { codes?.rows(range).assign(from) }
    }
    self.logits = logits
    logitCodes = codes
    accuracy =
      codes.map { Evaluation.accuracy($0, data.labels) } ?? Evaluation.accuracy(logits, data.labels)
  }

  /// Share of rows whose largest entry (the lowest index among ties) is the label.
  public static func accuracy<Scalar: ArrayScalar & Comparable>(
    _ logits: NDArray<Scalar>, _ labels: [some BinaryInteger]
  ) -> Double {
    let right = zip(logits.largestPerRow(), labels).filter { $0 == Int($1) }.count
    return Double(right) / Double(max(1, labels.count))
  }
}
