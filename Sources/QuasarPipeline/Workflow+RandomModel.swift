import QuasarNetwork
import QuasarSupernet
import QuasarTensor

extension Workflow {
  /// Random pixels [count, channels, size, size], the same in every call.
  public static func noise(_ count: Int, _ geometry: ImageGeometry) -> NDArray<UInt8> {
    let images = NDArray<UInt8>(
      uninitialized: [count, geometry.channels, geometry.imageSize, geometry.imageSize])
    var random = RandomSource(seed: 1).generator("images")
    for i in 0..<images.count { images.pointer[i] = UInt8(truncatingIfNeeded: random.next()) }
    return images
  }

  /// A network with random weights for speed measurements, calibrated on one image of noise so that codes and factors
  /// are in their usual ranges.
  public static func randomModel(_ architecture: Architecture) throws -> IntegerModel {
    let geometry = architecture.geometry
    let net = Supernet(
      size: SupernetSize(architecture),
      preprocessing: Preprocessing(
        mean: Array(repeating: 0.5, count: geometry.channels),
        deviation: Array(repeating: 0.25, count: geometry.channels)),
      random: RandomSource(seed: 1))
    let batch = PatchBatch(images: noise(1, geometry), geometry: geometry)
    try net.calibrate([batch], architecture: architecture, weights: false)
    return try IntegerModel(
      packing: net, architecture: architecture, classNames: (0..<geometry.classes).map { "\($0)" })
  }
}
