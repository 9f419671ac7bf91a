import QuasarTensor

/// The report of a training profile: the phases with their bounds, and the rest of the time.
public struct ProfileReport: Encodable, Sendable {
  /// One phase of a step; times are sums over all threads, divided by the number of threads.
  public struct Line: Encodable, Sendable {
    public let name: String
    public let resource: Profile.Resource
    public let callsPerStep: Double
    public let millisecondsPerStep: Double
    /// Share of the time of all threads.
    public let share: Double
    /// Operations or bytes per second of one thread.
    public let rate: Double
    /// rate / the most that one thread reaches; nil without a bound.
    public let ofBound: Double?
  }

  public let steps: Int
  public let threads: Int
  public let millisecondsPerStep: Double
  public let imagesPerSecond: Double
  public let lines: [Line]
  /// Share of the threads' time in which nothing was recorded: they waited for the main thread.
  public let idleShare: Double
  /// The time of all products at their bounds / their actual time.
  public let productsOfBound: Double
  /// Milliseconds per image of everything but products, with all threads.
  public let restPerImage: Double
  /// The most units per second that one thread reaches while the other threads work.
  public let bounds: [String: Double]
  public let lostIntervals: Int

  /// `images`: images per step. `bounds`: bounds of one thread, by resource.
  public init(_ sums: Profile.Sums, images: Int, threads: Int, bounds: [Profile.Resource: Double]) {
    let steps = max(1, sums.steps)
    let total = max(sums.seconds, 1e-9) * Double(threads)
    self.steps = sums.steps
    self.threads = threads
    self.bounds = Dictionary(uniqueKeysWithValues: bounds.map { ($0.key.rawValue, $0.value) })
    lostIntervals = sums.lost
    millisecondsPerStep = 1e3 * sums.seconds / Double(steps)
    imagesPerSecond = Double(images * sums.steps) / max(sums.seconds, 1e-9)
    func ideal(_ phase: Profile.Phase) -> Double? { bounds[phase.resource].map { phase.work / $0 } }
    lines = sums.phases.map { phase in
      Line(
        name: phase.name, resource: phase.resource, callsPerStep: Double(phase.count) / Double(steps),
        millisecondsPerStep: 1e3 * phase.seconds / Double(steps * threads), share: phase.seconds / total,
        rate: phase.work / max(phase.seconds, 1e-9), ofBound: ideal(phase).map { $0 / max(phase.seconds, 1e-9) })
    }
    idleShare = max(0, 1 - sums.phases.reduce(0) { $0 + $1.seconds } / total)
    let products = sums.phases.filter { $0.name.hasSuffix("products") }
    let spent = products.reduce(0) { $0 + $1.seconds }
    productsOfBound = products.reduce(0) { $0 + (ideal($1) ?? 0) } / max(spent, 1e-9)
    restPerImage = 1e3 * (total - spent) / Double(threads * steps * max(1, images))
  }

  /// The columns of the table: phase, calls per step, ms per step, share, rate, bound, of the bound.
  public static let header = ["phase", "calls/step", "ms/step", "share", "rate of a thread", "bound", "of bound"]

  public var rows: [[String]] {
    lines.map { line in
      [
        line.name, Workflow.fixed(line.callsPerStep, 1), Workflow.fixed(line.millisecondsPerStep, 2),
        Workflow.fixed(100 * line.share, 1) + " %", ProfileReport.rate(line.rate, line.resource),
        ProfileReport.bound(line.resource),
        line.ofBound.map { Workflow.fixed(100 * $0, 0) + " %" } ?? "",
      ]
    } + [
      [
        "idle", "", Workflow.fixed(idleShare * millisecondsPerStep, 2), Workflow.fixed(100 * idleShare, 1) + " %", "",
        "", "",
      ]
    ]
  }

  /// The sums of the figures, and the time that they leave out.
  public var summary: String {
    "\(steps) steps of \(Workflow.fixed(millisecondsPerStep, 1)) ms, \(Workflow.fixed(imagesPerSecond, 0)) images/s, "
      + "\(threads) thread(s)\n"
      + "products at \(Workflow.fixed(100 * productsOfBound, 0)) % of their bound, everything else "
      + "\(Workflow.fixed(restPerImage, 2)) ms an image"
      + (lostIntervals > 0 ? "\n\(lostIntervals) intervals did not fit and are missing" : "")
  }

  private static func rate(_ rate: Double, _ resource: Profile.Resource) -> String {
    switch resource {
    case .none: return ""
    case .int8, .int16, .float: return Workflow.fixed(rate / 1e9, 0) + " GOP/s"
    case .cache, .memory: return Workflow.fixed(rate / 1e9, 1) + " GB/s"
    }
  }

  private static func bound(_ resource: Profile.Resource) -> String {
    switch resource {
    case .none: return ""
    case .int8: return "int8 peak"
    case .int16: return "int16 peak"
    case .float: return "fp32 peak"
    case .cache: return "copy in cache"
    case .memory: return "copy in memory"
    }
  }
}
