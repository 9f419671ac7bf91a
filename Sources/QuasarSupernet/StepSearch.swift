import CKernels
import QuasarArithmetic

/// Initial quantiser steps from data.
public enum StepSearch {
  /// The step that minimises Σ (x − step·clamp(round(x/step), low, high))² over 40 candidates.
  ///
  /// Candidates are maximum·(i/40)/high, i = 4…40, on at most 16,384 evenly spaced samples. Never below 1e-6.
  public static func activationStep(_ samples: [Float], range: CodeRange) -> Float {
    let stride = max(1, (samples.count + 16383) / 16384)
    let used = Swift.stride(from: 0, to: samples.count, by: stride).map { samples[$0] }
    return used.withUnsafeBufferPointer {
      leastSquaresStep($0, low: Float(range.low), high: Float(range.high))
    }
  }

  /// (v + depth)/high, where v is the magnitude that `percent` % of the values do not exceed; larger values are
  /// clipped.
  ///
  /// `depth` is the amount that codes without a sign must reach below 0. The result is never below 1e-6.
  /// Example: 99.9 % of |x| up to 3.2, codes −127…127 → 3.2/127. Source: percentile calibration of McKinstry et al. 2019
  /// and Wu et al. 2020.
  public static func percentileStep(
    _ values: MagnitudeHistogram, _ percent: Double, range: CodeRange, depth: Float = 0
  ) -> Float {
    max(1e-6, min(values.percentile(percent) + depth, .greatestFiniteMagnitude) / Float(range.high))
  }

  /// The search of `activationStep` for one weight row.
  public static func rowStep(_ row: UnsafeBufferPointer<Float>, bits: Int) -> Float {
    let range = CodeRange.signedNarrow(bits: bits)
    return leastSquaresStep(row, low: Float(range.low), high: Float(range.high))
  }

  private static func leastSquaresStep(_ x: UnsafeBufferPointer<Float>, low: Float, high: Float) -> Float {
    let positive = x.reduce(0) { max($0, $1) }
    let negative = x.reduce(0) { max($0, -$1) }
    // A side without codes sets no step: all its values are clamped.
    let full = max(high > 0 ? positive / high : 0, low < 0 ? negative / -low : 0, 1e-6)
    let steps = (4...40).map { max(1e-6, full * Float($0) / 40) }
    var errors = [Float](repeating: 0, count: steps.count)
    qk_step_errors(x.count, x.baseAddress, low, high, steps.count, steps, &errors)
    var best = (error: Float.infinity, step: full)
    for (error, step) in zip(errors, steps) where error < best.error { best = (error, step) }
    return best.step
  }
}
