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

  /// Random pixels; the same for every call.
  static func noise(_ count: Int, _ geometry: ImageGeometry) -> NDArray<UInt8> {
    let images = NDArray<UInt8>(
      uninitialized: [count, geometry.channels, geometry.imageSize, geometry.imageSize])
    var random = RandomSource(seed: 1).generator("images")
    for i in 0..<images.count { images.pointer[i] = UInt8(truncatingIfNeeded: random.next()) }
    return images
  }

  /// Random weights, calibrated on one image of noise so that codes and factors are in their usual ranges.
  static func model(_ architecture: Architecture) throws -> IntegerModel {
    let geometry = architecture.geometry
    let channels = geometry.channels
    let net = Supernet(
      size: SupernetSize(architecture),
      preprocessing: Preprocessing(
        mean: Array(repeating: 0.5, count: channels), deviation: Array(repeating: 0.25, count: channels)),
      random: RandomSource(seed: 1))
    let batch = PatchBatch(images: noise(1, geometry), geometry: geometry)
    try net.calibrate([batch], architecture: architecture, weights: false)
    return try IntegerModel(
      packing: net, architecture: architecture, classNames: (0..<geometry.classes).map { "\($0)" })
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
      model: try NetworkWork.model(architecture), images: NetworkWork.noise(Int(batch), architecture.geometry))
  }
}
