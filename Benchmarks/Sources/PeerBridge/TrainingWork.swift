// A training step, or a cycle of steps over four sub-networks, as timed work.
import Quasar

final class TrainingWork: TimedWork {
  private let step: TrainingStepWork
  private var loss: NDArray<Float>?

  init(_ step: TrainingStepWork) {
    self.step = step
  }

  override func run() throws {
    loss = NDArray([try step.step()], shape: [1])
  }

  override func copyResult(to target: UnsafeMutableRawPointer, capacity: Int) -> Int {
    copy(loss, to: target, capacity: capacity)
  }
}

/// Training steps of a network of `Architecture.named` on random images; the result is the last loss.
///
/// `mode` as in `TrainingStepMode`: fp32, qat, exact, supernet, supernet-fp32; `products` as in `TrainingProducts`.
@_cdecl("qpb_training")
public func training(
  _ name: UnsafePointer<CChar>, _ mode: UnsafePointer<CChar>, _ products: UnsafePointer<CChar>, _ batch: Int32
) -> UnsafeMutableRawPointer? {
  handle {
    guard batch > 0 else { throw QuasarError(.usage, "a batch of \(batch) images: use at least 1") }
    let text = String(cString: mode)
    guard let mode = TrainingStepMode(rawValue: text) else {
      throw QuasarError(.usage, "training mode '\(text)' is not known")
    }
    guard let products = TrainingProducts(rawValue: String(cString: products)) else {
      throw QuasarError(.usage, "products '\(String(cString: products))' are not known")
    }
    return TrainingWork(
      try TrainingStepWork(.named(String(cString: name)), mode: mode, batch: Int(batch), products: products))
  }
}
