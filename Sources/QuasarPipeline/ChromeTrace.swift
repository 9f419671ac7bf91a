import QuasarInterchange
import QuasarTensor

/// The intervals of a profile as a file that Perfetto and chrome://tracing show (Trace Event Format, object form).
///
/// Complete events: {"name": "forward products", "ph": "X", "ts": 12.5, "dur": 40, "pid": 1, "tid": 0}, times in µs.
public enum ChromeTrace {
  private struct Event: Encodable {
    let name: String
    var ph = "X"
    let ts: Double
    let dur: Double
    var pid = 1
    let tid: Int
  }

  private struct Trace: Encodable {
    let traceEvents: [Event]
    var displayTimeUnit = "ms"
  }

  public static func json(_ intervals: [Profile.Interval]) throws -> String {
    // Rounded to whole nanoseconds, so that 0.0000125 s is 12.5 µs and not 12.500000000000002.
    func microseconds(_ seconds: Double) -> Double { (seconds * 1e9).rounded() / 1e3 }
    let events = intervals.map {
      Event(name: $0.name, ts: microseconds($0.start), dur: microseconds($0.seconds), tid: $0.thread)
    }
    return try JSONText.encode(Trace(traceEvents: events), pretty: false)
  }
}
