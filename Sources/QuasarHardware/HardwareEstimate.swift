/// Cycles of one layer of an estimate.
public struct LayerEstimate: Codable, Hashable, Sendable {
  /// The activity that sets the time of a layer.
  public enum Bound: String, Codable, Hashable, Sendable {
    /// The array of DSPs (for norm and softmax: the vector lanes).
    case compute
    /// Reading weights (in attention: keys and values).
    case weights
    /// Reading inputs and writing outputs.
    case activations
    /// Requantising outputs.
    case requantisation
  }

  public var name: String
  public var kind: Workload.Kind
  public var multiplyAccumulates: Int
  public var rows4: Int
  public var rows8: Int
  /// Row tiles run in the 4-bit and 8-bit mode (in attention: per head, in the attention mode).
  public var tiles4: Int
  public var tiles8: Int
  /// Cycles if every multiplier of the array worked in every cycle; 0 for norm and softmax, which do not use the array.
  public var idealCycles: Int
  /// Cycles with the array (or vector unit) busy.
  public var computeCycles: Int
  public var weightCycles: Int
  public var inputCycles: Int
  public var outputCycles: Int
  /// Cycles that the layer adds to the latency: steps overlapped, fill and drain.
  public var totalCycles: Int
  public var bound: Bound
  /// idealCycles / totalCycles.
  public var dspEfficiency: Double

  /// weightCycles + inputCycles + outputCycles
  public var transferCycles: Int { weightCycles + inputCycles + outputCycles }
}

/// Latency, throughput and resources of one network on one engine and device.
public struct HardwareEstimate: Codable, Hashable, Sendable {
  /// One of the five resources.
  public enum Resource: String, Codable, CaseIterable, Hashable, Sendable {
    case dsp, lut, ff, bram18, uram
  }

  /// used / available of each resource: 0…1, or above if it does not fit.
  public struct Utilisation: Codable, Hashable, Sendable {
    public var dsp: Double
    public var lut: Double
    public var ff: Double
    public var bram18: Double
    public var uram: Double

    public subscript(_ resource: Resource) -> Double {
      switch resource {
      case .dsp: dsp
      case .lut: lut
      case .ff: ff
      case .bram18: bram18
      case .uram: uram
      }
    }
  }

  public var device: String
  public var clockMHz: Double
  public var engine: EngineConfiguration
  public var chainLengths: ChainLengths
  public var memoryPlan: MemoryPlan
  public var layers: [LayerEstimate]
  public var multiplyAccumulates: Int
  /// Cycles from the first pixel to the last logit of one image.
  public var cycles: Int
  /// cycles / clock, in milliseconds.
  public var latencyMilliseconds: Double
  /// clock / cycles: images per second, one after another.
  public var fps: Double
  /// clock / max(array, vector units, memory): images per second with several images in flight.
  ///
  /// Every unit works on another image, so the activation memories are needed twice (`pipelinedBRAM18`).
  public var pipelinedFPS: Double
  public var dsp: Int
  public var lut: Int
  public var ff: Int
  public var bram18: Int
  public var uram: Int
  /// bram18 with a second set of activation memories.
  public var pipelinedBRAM18: Int
  /// DSPs of the array alone.
  public var arrayDSP: Int
  public var utilisation: Utilisation
  /// True if every resource is within the cap of the device.
  public var fits: Bool
  /// The resource closest to (or furthest above) its cap.
  public var bindingCap: Resource
  /// Bytes of all weight codes and row parameters.
  public var weightBytes: Int
  /// Bytes read and written in external memory per image.
  public var ddrBytesPerImage: Int
  /// multiplyAccumulates / (cycles · array DSPs): products per DSP and cycle.
  public var productsPerDSPAndCycle: Double

  /// Σ totalCycles of the layers with that bound, divided by all cycles.
  public func share(of bound: LayerEstimate.Bound) -> Double {
    let part = layers.reduce(0) { $0 + ($1.bound == bound ? $1.totalCycles : 0) }
    return cycles == 0 ? 0 : Double(part) / Double(cycles)
  }
}
