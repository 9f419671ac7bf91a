import QuasarData
import QuasarSupernet

extension Preprocessing {
  /// Mean and standard deviation of each channel of a set, exact up to one division (integer sums).
  public init(of set: ImageSet) {
    let area = set.height * set.width
    var means: [Float] = []
    var deviations: [Float] = []
    for channel in 0..<set.channels {
      var sum = 0
      var squares = 0
      for image in 0..<set.count {
        let first = (image * set.channels + channel) * area
        for i in first..<first + area {
          let value = Int(set.images[i])
          sum += value
          squares += value * value
        }
      }
      let count = Double(set.count * area)
      let mean = Double(sum) / count
      let variance = max(Double(squares) / count - mean * mean, 1)
      means.append(Float(mean / 255))
      deviations.append(Float(variance.squareRoot() / 255))
    }
    self.init(mean: means, deviation: deviations)
  }
}
