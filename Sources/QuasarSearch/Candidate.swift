import QuasarNetwork

/// One scored sub-network with its place in the search.
public struct Candidate: Codable, Sendable {
  public enum Origin: String, Codable, Sendable {
    case smallest, largest, random, crossover, mutation
  }
  /// Number in the order of scoring.
  public var id: Int
  public var origin: Origin
  /// Ids of the candidates that it was made from.
  public var parents: [Int]
  public var generation: Int
  /// FPS target of the evolution that it belongs to.
  public var target: Double
  public var architecture: Architecture
  /// Predicted frames per second, one image after another.
  public var fps: Double
  public var dsp: Int
  public var lut: Int
  public var bram18: Int
  /// Accuracy on held-out training images with fake quantisation.
  public var accuracy: Double
  public var averageWeightBits: Double
}

extension Candidate {
  /// Orders by higher accuracy; among equals by fewer weight bits, then higher speed, then the lower id.
  static func ranksBefore(_ a: Candidate, _ b: Candidate) -> Bool {
    if a.accuracy != b.accuracy { return a.accuracy > b.accuracy }
    if a.averageWeightBits != b.averageWeightBits { return a.averageWeightBits < b.averageWeightBits }
    if a.fps != b.fps { return a.fps > b.fps }
    return a.id < b.id
  }
}

/// The sub-network found for one target.
public struct TargetResult: Codable, Sendable {
  public var target: Double
  public var candidate: Candidate
}

/// The complete result of a search.
public struct SearchResult: Codable, Sendable {
  public var space: String
  public var device: String
  public var clockMHz: Double
  public var seed: UInt64
  public var options: SearchOptions
  /// One per target, in ascending order of target; the architectures differ.
  public var results: [TargetResult]
  /// Ids of candidates that no other candidate beats in both FPS and accuracy, by falling FPS.
  public var pareto: [Int]
  /// Every scored candidate: the lineage.
  public var candidates: [Candidate]
  /// Draws refused by the constraints before any accuracy was measured.
  public var refused: Int
}
