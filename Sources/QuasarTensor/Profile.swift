import CKernels
import Foundation

/// The time of steps: sums over named phases of all threads, and the intervals that they come from.
///
/// A profile records from its initialisation until `stop` or its end. There is one recording at a time in a process.
/// Phases are measured in the C core (`qk_phase_begin`) and with `measure`. Nothing that is measured influences the
/// work.
public final class Profile {
  /// The resource that bounds the speed of a phase, and the unit of its work.
  public enum Resource: String, Codable, CaseIterable, Sendable {
    case none
    /// Operations on 8-bit codes; a multiplication with its addition counts as two.
    case int8
    /// Operations on 16-bit codes.
    case int16
    /// Operations in fp32.
    case float
    /// Bytes of rows that fit the cache of a core, read and written.
    case cache
    /// Bytes of arrays that do not fit it.
    case memory

    fileprivate var kernel: qk_resource {
      switch self {
      case .none: return QK_RESOURCE_NONE
      case .int8: return QK_RESOURCE_INT8
      case .int16: return QK_RESOURCE_INT16
      case .float: return QK_RESOURCE_FLOAT
      case .cache: return QK_RESOURCE_CACHE
      case .memory: return QK_RESOURCE_MEMORY
      }
    }

    fileprivate init(_ kernel: qk_resource) {
      self = Resource.allCases.first { $0.kernel == kernel } ?? .none
    }
  }

  /// A finished interval; times in seconds after the start of the recording.
  public struct Interval: Equatable, Sendable {
    public var name: String
    public var thread: Int
    public var start: Double
    public var seconds: Double

    public init(name: String, thread: Int, start: Double, seconds: Double) {
      self.name = name
      self.thread = thread
      self.start = start
      self.seconds = seconds
    }
  }

  /// All intervals of one name within the steps; an interval shared by several threads counts once.
  public struct Phase: Codable, Equatable, Sendable {
    public var name: String
    public var resource: Resource
    public var count = 0
    /// Time outside nested intervals, over all threads. Example: a step 0…10 with a product 2…5 in it → step 7, product
    /// 3.
    public var seconds = 0.0
    /// Operations or bytes.
    public var work = 0.0

    public init(name: String, resource: Resource = .none, count: Int = 0, seconds: Double = 0, work: Double = 0) {
      self.name = name
      self.resource = resource
      self.count = count
      self.seconds = seconds
      self.work = work
    }
  }

  /// The totals of everything recorded.
  public struct Sums: Equatable, Sendable {
    public var steps = 0
    /// Time of all steps.
    public var seconds = 0.0
    /// The phases, the longest first, equal times by name.
    public var phases: [Phase] = []
    /// Number of intervals that the buffer could not hold; the times are too small by these intervals.
    public var lost = 0

    public init(steps: Int = 0, seconds: Double = 0, phases: [Phase] = [], lost: Int = 0) {
      self.steps = steps
      self.seconds = seconds
      self.phases = phases
      self.lost = lost
    }
  }

  /// The intervals of the first steps, in the order of their ends.
  public private(set) var traced: [Interval] = []

  private let step: String
  private let tracedSteps: Int
  private let buffer: UnsafeMutableBufferPointer<qk_interval>
  private var total = Sums()
  private var phases: [String: Phase] = [:]

  /// `step` is the phase that counts as a step; intervals outside it are left out. `capacity` is the number of
  /// intervals between two calls of `collect`. `clock` gives nanoseconds and never goes back; nil means the monotonic
  /// clock.
  public init(
    step: String = "step", tracedSteps: Int = 10, capacity: Int = 1 << 18, clock: (@convention(c) () -> UInt64)? = nil
  ) {
    self.step = step
    self.tracedSteps = tracedSteps
    buffer = .allocate(capacity: capacity)
    qk_profile_start(buffer.baseAddress, capacity, clock)
  }

  deinit {
    stop()
    buffer.deallocate()
  }

  /// Ends the recording.
  public func stop() {
    qk_profile_stop()
  }

  /// Runs `body`, recorded under `name` with `work` units of `resource`, even if it throws; without a recording it only
  /// runs `body`.
  public static func measure<Value>(
    _ name: StaticString, _ resource: Resource = .none, work: Double = 0, _ body: () throws -> Value
  ) rethrows -> Value {
    var phase = qk_phase()
    return try withUnsafeMutablePointer(to: &phase) { phase in
      name.withUTF8Buffer { text in
        // Literals end with a zero byte and live as long as the program.
        qk_phase_begin(phase, UnsafeRawPointer(text.baseAddress)?.assumingMemoryBound(to: CChar.self))
      }
      defer { qk_phase_end(phase, resource.kernel, work) }
      return try body()
    }
  }

  /// Adds the recorded intervals to the sums; call it between steps, while nothing runs.
  public func collect() {
    var lostNow = 0
    let recorded = buffer.prefix(qk_profile_count(&lostNow))
    total.lost += lostNow
    var names: [UnsafePointer<CChar>: String] = [:]
    func name(_ interval: qk_interval) -> String {
      guard let pointer = interval.name else { return "" }
      if let known = names[pointer] { return known }
      let text = String(cString: pointer)
      names[pointer] = text
      return text
    }
    let found = recorded.filter { $0.is_part == 0 && name($0) == step }
    for one in found { total.seconds += Double(one.duration) * 1e-9 }
    for interval in recorded {
      guard found.contains(where: { $0.start <= interval.start && interval.start <= $0.start + $0.duration }) else {
        continue
      }
      let name = name(interval)
      var phase = phases[name] ?? Phase(name: name)
      if interval.resource != QK_RESOURCE_NONE { phase.resource = Resource(interval.resource) }
      if interval.is_part == 0 { phase.count += 1 }
      phase.seconds += Double(interval.own) * 1e-9
      phase.work += interval.work
      phases[name] = phase
      if total.steps < tracedSteps {
        traced.append(
          Interval(
            name: name == step && interval.is_part == 1 ? "part of a \(step)" : name, thread: Int(interval.thread),
            start: Double(interval.start) * 1e-9, seconds: Double(interval.duration) * 1e-9))
      }
    }
    total.steps += found.count
    qk_profile_rewind()
  }

  public var sums: Sums {
    var sums = total
    sums.phases = phases.values.sorted { ($1.seconds, $0.name) < ($0.seconds, $1.name) }
    return sums
  }
}
