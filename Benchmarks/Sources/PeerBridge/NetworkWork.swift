// A whole integer network, from u8 pixels to int32 logits, as timed work.
import Quasar

final class NetworkWork: TimedWork {
  private let model: IntegerModel
  private let images: NDArray<UInt8>
  private var logits: NDArray<Int32>?

  init(model: IntegerModel, images: NDArray<UInt8>) {
    self.model = model
    self.images = images
  }

  override func run() throws {
    logits = nil
    logits = try model.logits(images)
  }

  override func copyResult(to target: UnsafeMutableRawPointer, capacity: Int) -> Int {
    copy(logits, to: target, capacity: capacity)
  }
}

/// A network of `Architecture.named` with random weights and `batch` random images.
///
/// `weightBits` as on the command line: "8", "4" or "mixed:R".
@_cdecl("qpb_network")
public func network(
  _ name: UnsafePointer<CChar>, _ weightBits: UnsafePointer<CChar>, _ batch: Int32
) -> UnsafeMutableRawPointer? {
  handle {
    guard batch > 0 else { throw QuasarError(.usage, "a batch of \(batch) images: use at least 1") }
    let architecture = try Architecture.named(String(cString: name))
      .with(weightBits: WeightBits(String(cString: weightBits)), activationBits: 8)
    return NetworkWork(
      model: try Workflow.randomModel(architecture), images: Workflow.noise(Int(batch), architecture.geometry))
  }
}
