/// The receiver of the progress of long work: a terminal, a log, or nothing.
public protocol ProgressReporter {
  /// Reports that a named step begins.
  func begin(_ step: String)
  /// Reports `done` of `total` units of the present step, with a short note on how it goes.
  func update(done: Int, total: Int, note: String)
  /// Reports that the step ended after this many seconds; `result` is one short line.
  func end(_ step: String, seconds: Double, result: String)
  /// True once the user has asked to stop.
  var shouldStop: Bool { get }
}
