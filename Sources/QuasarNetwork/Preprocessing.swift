/// Mean and standard deviation of the pixels of each channel, on the scale 0…1.
public struct Preprocessing: Codable, Hashable, Sendable {
  public var mean: [Float]
  public var deviation: [Float]

  public init(mean: [Float], deviation: [Float]) {
    self.mean = mean
    self.deviation = deviation
  }
}
