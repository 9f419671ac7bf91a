import QuasarData
import QuasarNetwork
import QuasarTensor

extension ImageSource {
  /// Throws unless images and classes match the geometry.
  public func checkFits(_ geometry: ImageGeometry) throws {
    guard
      channels == geometry.channels, height == geometry.imageSize, width == geometry.imageSize,
      classNames.count == geometry.classes
    else {
      throw QuasarError(
        .badData,
        "\(name), \(split): images of \(channels)×\(height)×\(width) in \(classNames.count) classes, but the "
          + "model takes \(geometry.channels)×\(geometry.imageSize)×\(geometry.imageSize) in "
          + "\(geometry.classes); choose another space or data set")
    }
  }
}
