import Foundation

/// The form in which the learning rate falls after the warm-up.
public enum LearningRateDecay: String, Codable, Sendable, CaseIterable {
  /// Half a cosine down to a floor (Loshchilov & Hutter 2017).
  case cosine
  /// Multiplied by a factor at each of several points.
  case step
}

/// Linear warm-up, then half a cosine down to a floor, or steps down by a factor.
public struct LearningRateSchedule: Sendable {
  public var peak: Float
  public var floor: Float
  public var warmUpSteps: Int
  public var totalSteps: Int
  public var decay: LearningRateDecay
  /// The factor that multiplies the rate at each point of `step` decay.
  public var factor: Float
  /// Points of `step` decay as fractions of all steps, 0…1.
  public var points: [Double]

  public init(
    peak: Float, floor: Float = 0, warmUpSteps: Int, totalSteps: Int, decay: LearningRateDecay = .cosine,
    factor: Float = 1, points: [Double] = []
  ) {
    self.peak = peak
    self.floor = floor
    self.warmUpSteps = warmUpSteps
    self.totalSteps = totalSteps
    self.decay = decay
    self.factor = factor
    self.points = points
  }

  /// peak·(step + 1)/warmUp, then floor + (peak − floor)·(1 + cos π·progress)/2, or peak·factor^(points passed).
  ///
  /// A point p is passed from the first step with step/total ≥ p on. Examples: peak 1, floor 0, no warm-up, 100 steps:
  /// step 50 → 0.5. With steps down by 0.1 at 0.6 and 0.85: step 59 → 1, 60 → 0.1, 85 → 0.01.
  public func rate(at step: Int) -> Float {
    if step < warmUpSteps { return peak * Float(step + 1) / Float(warmUpSteps) }
    switch decay {
    case .cosine:
      let span = max(1, totalSteps - warmUpSteps)
      let progress = min(1, Double(step - warmUpSteps) / Double(span))
      return floor + (peak - floor) * Float((1 + cos(.pi * progress)) / 2)
    case .step:
      let position = Double(step) / Double(max(1, totalSteps))
      return points.reduce(peak) { position >= $1 ? $0 * factor : $0 }
    }
  }
}
