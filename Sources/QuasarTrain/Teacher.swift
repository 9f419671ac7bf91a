import QuasarNetwork
import QuasarSupernet
import QuasarTensor

/// A network whose outputs serve as targets.
public struct Teacher {
  public var net: Supernet
  public var architecture: Architecture
  public var mode: ForwardMode

  public init(net: Supernet, architecture: Architecture, mode: ForwardMode) {
    self.net = net
    self.architecture = architecture
    self.mode = mode
  }

  /// The network of a run, or the largest one of its supernet, with the kind of numbers in which its training ended: a
  /// run in fp32 throughout teaches in fp32.
  public init(_ run: Checkpoint) throws {
    net = run.net
    let description = run.description
    guard let largest = description.plan?.largest else {
      throw QuasarError(.badData, "the teacher's checkpoint names neither a space nor an architecture")
    }
    architecture = largest
    mode = description.options.fullPrecision == 1 ? .full : .quantized
  }

  /// The same from the run's folder.
  public init(folder: String) throws { try self.init(RunDirectory(folder).load()) }

  /// Throws `badData` unless the teacher accepts the images and has the classes of a network of this geometry.
  func checkFits(_ geometry: ImageGeometry) throws {
    let own = net.size.geometry
    guard
      (own.imageSize, own.channels, own.classes) == (geometry.imageSize, geometry.channels, geometry.classes)
    else {
      func text(_ geometry: ImageGeometry) -> String {
        "\(geometry.channels)×\(geometry.imageSize)×\(geometry.imageSize) images in \(geometry.classes) classes"
      }
      throw QuasarError(
        .badData, "the teacher was trained on \(text(own)), the network takes \(text(geometry)); choose another teacher"
      )
    }
  }
}
