/// Where long work reports to: a terminal, a log, or nothing.
public protocol ProgressReporter {
  /// A named step begins.
  func begin(_ step: String)
  /// `done` of `total` units of the present step, with a few words on how it goes.
  func update(done: Int, total: Int, note: String)
  /// The step ended after so many seconds; `result` is one short line.
  func end(_ step: String, seconds: Double, result: String)
  /// True once the user asked to stop.
  var shouldStop: Bool { get }
}
