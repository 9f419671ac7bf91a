import QuasarTensor

/// Sees the numbers between the layers during forward passes; blocks then run operation by operation.
public protocol ActivationObserver: AnyObject {
  /// The values before a quantiser, by its name, with one step for each of `parts` equal parts of a row; or the
  /// residual stream as "residual".
  func record(_ name: String, _ x: Tensor, parts: Int)
  /// The input of a linear layer as its products see it: fake-quantised unless the pass is in `full` mode.
  func recordInput(_ name: String, _ x: Tensor)
}

/// The statistics of activations that calibration needs, gathered during forward passes in `full` mode.
public final class ActivationRecorder: ActivationObserver {
  /// Values kept per tensor and batch.
  private let samplesPerTensor = 4096
  /// Quantisers whose codes have no sign; only their values above 0 count.
  private let unsigned: Set<String>
  /// True if every value goes into `magnitudes` and no samples are kept.
  private let countsMagnitudes: Bool
  private(set) var samples: [String: [[Float]]] = [:]
  private(set) var magnitudes: [String: [MagnitudeHistogram]] = [:]
  private(set) var inputSquares: [String: [Double]] = [:]
  private(set) var largest: [String: Float] = [:]

  /// A recorder that keeps samples.
  public init() {
    (unsigned, countsMagnitudes) = ([], false)
  }

  /// A recorder that counts magnitudes instead: |x|, or max(x, 0) for the quantisers named.
  init(magnitudesWithUnsigned unsigned: Set<String>) {
    (self.unsigned, countsMagnitudes) = (unsigned, true)
  }

  public func record(_ name: String, _ x: Tensor, parts: Int) {
    largest[name] = x.scalars.reduce(largest[name] ?? 0) { max($0, abs($1)) }
    guard name != "residual" else { return }
    if countsMagnitudes { count(name, x, parts: parts) } else { sample(name, x, parts: parts) }
  }

  /// Keeps evenly spaced values of x, separately for each equal part of its rows.
  private func sample(_ name: String, _ x: Tensor, parts: Int) {
    let width = x.width / parts
    var kept = samples[name] ?? Array(repeating: [], count: parts)
    let rowStride = max(1, x.rowCount * width / samplesPerTensor)
    for part in 0..<parts {
      var row = 0
      var column = 0
      // A walk over the values of this part with an odd stride visits rows and columns evenly.
      let stride = rowStride | 1
      while row < x.rowCount {
        kept[part].append(x.pointer[row * x.width + part * width + column])
        column += stride
        row += column / width
        column %= width
      }
    }
    samples[name] = kept
  }

  private func count(_ name: String, _ x: Tensor, parts: Int) {
    let width = x.width / parts
    // Removed while it grows: a second reference would copy it.
    var counts = magnitudes.removeValue(forKey: name) ?? Array(repeating: MagnitudeHistogram(), count: parts)
    let least: Float = unsigned.contains(name) ? 0 : -.infinity
    for row in 0..<x.rowCount {
      for part in 0..<parts {
        for i in row * x.width + part * width..<row * x.width + (part + 1) * width {
          counts[part].add(max(x.pointer[i], least))
        }
      }
    }
    magnitudes[name] = counts
  }

  /// Adds Σ x_k² of each input of a linear layer.
  public func recordInput(_ name: String, _ x: Tensor) {
    var sums = inputSquares[name] ?? Array(repeating: 0, count: x.width)
    for row in 0..<x.rowCount {
      for k in 0..<x.width {
        let value = Double(x.pointer[row * x.width + k])
        sums[k] += value * value
      }
    }
    inputSquares[name] = sums
  }
}
