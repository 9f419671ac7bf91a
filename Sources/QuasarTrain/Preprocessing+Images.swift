import QuasarData
import QuasarNetwork

extension Preprocessing {
  /// Mean and standard deviation of each channel of a set, exact up to one division (integer sums).
  public init(of set: ImageSet) {
    self.init(sums: set.channelSums(), count: Double(set.count * set.height * set.width))
  }

  /// The same for images that may be on disk; throws where their sums cannot be read.
  public init(of source: any ImageSource) throws {
    self.init(sums: try source.channelSums(), count: Double(source.count * source.height * source.width))
  }

  private init(sums: [ChannelSums], count: Double) {
    var means: [Float] = []
    var deviations: [Float] = []
    for channel in sums {
      let mean = Double(channel.sum) / count
      let variance = max(Double(channel.squares) / count - mean * mean, 1)
      means.append(Float(mean / 255))
      deviations.append(Float(variance.squareRoot() / 255))
    }
    self.init(mean: means, deviation: deviations)
  }
}
