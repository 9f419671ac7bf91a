import QuasarNetwork
import QuasarTensor

/// The answer whether a network reaches a frame rate on a device, with the limit if it does not.
public struct FeasibilityReport: Codable, Hashable, Sendable {
  public enum Limit: String, Codable, Hashable, Sendable {
    /// The array is the limit and its DSPs are at the cap.
    case dsp
    /// The array is the limit and LUTs or FFs are at the cap.
    case logic
    /// Reading weights from memory.
    case weightBandwidth
    /// Reading and writing activations that do not fit on chip.
    case activationBandwidth
    /// Memory on chip is at its cap and keeps the engine small or makes it stream.
    case onChipMemory
    /// Requantisation of outputs.
    case requantisation
    /// Layer normalisation and softmax.
    case vectorUnits
  }

  public var targetFPS: Double
  public var feasible: Bool
  /// FPS of the fastest engine for this network, one image after another.
  public var fastestFPS: Double
  /// The limit that sets the time of the fastest engine.
  public var limit: Limit
  /// One line for a user.
  public var message: String
  public var estimate: HardwareEstimate
}

extension HardwareModel {
  /// feasible ⇔ fastest FPS ≥ target; with the limit and one line of explanation.
  ///
  /// With a fixed engine "fastest" means that engine.
  public func feasibility(
    _ architecture: Architecture, targetFPS: Double, engine: EngineChoice = .optimised
  ) throws -> FeasibilityReport {
    guard targetFPS > 0 else {
      throw QuasarError(.usage, "target of \(targetFPS) frames per second: use a positive number")
    }
    let estimate = try estimate(architecture, engine: engine)
    let limit = Self.limit(of: estimate)
    let feasible = estimate.fits && estimate.fps >= targetFPS
    let fps = (estimate.fps * 10).rounded() / 10
    let place = "\(device.name) at \(clockMHz) MHz"
    var message = "\(targetFPS) FPS on \(place): "
    if !estimate.fits {
      message +=
        "does not fit: \(estimate.bindingCap.rawValue) is above its cap; use another engine or device"
    } else if feasible {
      message += "reached, the fastest engine does \(fps)"
    } else {
      message += "not reached, the fastest engine does \(fps); \(limit.advice)"
    }
    return FeasibilityReport(
      targetFPS: targetFPS, feasible: feasible, fastestFPS: estimate.fps, limit: limit, message: message,
      estimate: estimate)
  }

  private static func limit(of estimate: HardwareEstimate) -> FeasibilityReport.Limit {
    var cycles: [FeasibilityReport.Limit: Int] = [:]
    for layer in estimate.layers {
      let limit: FeasibilityReport.Limit
      switch (layer.kind, layer.bound) {
      case (.layerNorm, .compute), (.softmax, _): limit = .vectorUnits
      case (_, .weights): limit = .weightBandwidth
      case (_, .activations): limit = .activationBandwidth
      case (_, .requantisation): limit = .requantisation
      case (_, .compute): limit = .dsp
      }
      cycles[limit, default: 0] += layer.totalCycles
    }
    let order: [FeasibilityReport.Limit] = [
      .dsp, .weightBandwidth, .activationBandwidth, .requantisation, .vectorUnits,
    ]
    var top = order[0]
    for limit in order where cycles[limit, default: 0] > cycles[top, default: 0] { top = limit }
    guard top == .dsp else { return top }
    switch estimate.bindingCap {
    case .dsp: return .dsp
    case .lut, .ff: return .logic
    case .bram18, .uram: return .onChipMemory
    }
  }
}

extension FeasibilityReport.Limit {
  /// The change that a user can make.
  var advice: String {
    switch self {
    case .dsp: "DSPs are the limit: fewer 8-bit rows, 6-bit activations, a smaller network or a larger device"
    case .logic: "LUTs or FFs are the limit: a smaller network or a larger device"
    case .weightBandwidth: "reading weights is the limit: fewer 8-bit rows or a smaller network"
    case .activationBandwidth: "moving activations is the limit: a narrower network or more on-chip memory"
    case .onChipMemory: "on-chip memory is the limit: fewer 8-bit rows, a smaller network or a larger device"
    case .requantisation: "requantisation of outputs is the limit: fewer layers or a larger device"
    case .vectorUnits: "norm and softmax are the limit: fewer layers, heads or tokens, or a larger device"
    }
  }
}
