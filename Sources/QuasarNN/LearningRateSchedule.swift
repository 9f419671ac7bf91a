import Foundation

/// Linear warm-up, then half a cosine down to a floor.
public struct LearningRateSchedule: Sendable {
  public var peak: Float
  public var floor: Float
  public var warmUpSteps: Int
  public var totalSteps: Int

  public init(peak: Float, floor: Float = 0, warmUpSteps: Int, totalSteps: Int) {
    self.peak = peak
    self.floor = floor
    self.warmUpSteps = warmUpSteps
    self.totalSteps = totalSteps
  }

  /// peak·(step + 1)/warmUp, then floor + (peak − floor)·(1 + cos π·progress)/2.
  ///
  /// Example: peak 1, floor 0, no warm-up, 100 steps: step 50 → 0.5.
  public func rate(at step: Int) -> Float {
    if step < warmUpSteps { return peak * Float(step + 1) / Float(warmUpSteps) }
    let span = max(1, totalSteps - warmUpSteps)
    let progress = min(1, Double(step - warmUpSteps) / Double(span))
    return floor + (peak - floor) * Float((1 + cos(.pi * progress)) / 2)
  }
}
