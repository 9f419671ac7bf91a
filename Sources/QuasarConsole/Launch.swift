import Foundation
import Quasar

/// A command that several processes, started by `mpirun`, can work on together.
package protocol SharedCommand {}

/// The processes that a launcher started with this one.
package enum Launch {
  /// Set once, before the command runs.
  nonisolated(unsafe) package private(set) static var processes: any ProcessGroup = SingleProcess()

  /// Joins the others; refuses commands that would only get in each other's way.
  package static func join(for command: Any) throws {
    guard MPIProcesses.announced() > 1 else { return }
    guard command is SharedCommand else {
      throw QuasarError(
        .usage,
        "several processes can share train, finetune, search and bench exchange; start this command without mpirun")
    }
    processes = try MPIProcesses.launched()
  }

  /// A progress bar of the first process; the others are silent. A recording is collected at every update.
  package static func progress(_ step: String? = nil, recording: ProfileRecording? = nil) -> any ProgressReporter {
    let progress: any ProgressReporter = processes.isFirst ? ConsoleProgress() : SilentProgress()
    if let step { progress.begin(step) }
    return recording.map { ProfiledProgress(progress: progress, recording: $0) } ?? progress
  }

  /// body() of the first process, and after it those of the others, which find what it left on disk.
  package static func inTurn<Result>(_ body: () throws -> Result) throws -> Result {
    if !processes.isFirst { _ = try processes.any(false) }
    let result = try body()
    if processes.isFirst { _ = try processes.any(false) }
    return result
  }

  /// Leaves together with the others.
  package static func finish() {
    if processes.size > 1 { MPIProcesses.finish() }
  }

  /// Says what is wrong and ends all processes, in good order where all of them stop.
  package static func fail(_ error: QuasarError) -> Never {
    if processes.size > 1 {
      if error.kind == .interrupted {
        if processes.isFirst { Console.error(error.message) }
        MPIProcesses.finish()
        exit(processes.isFirst ? error.kind.rawValue : 0)
      }
      // Most errors meet all processes: the first one, which speaks for them, goes first.
      if !processes.isFirst { Thread.sleep(forTimeInterval: 0.5) }
      Console.error("process \(processes.rank): \(error.message)")
      MPIProcesses.abort(error.kind.rawValue)
    }
    Console.error(error.message)
    exit(error.kind.rawValue)
  }
}

/// The progress of a process that has nothing to say.
struct SilentProgress: ProgressReporter {
  init() { Interruption.watch() }

  var shouldStop: Bool { Interruption.isRequested }
  func begin(_ step: String) {}
  func update(done: Int, total: Int, note: String) {}
  func end(_ step: String, seconds: Double, result: String) {}
}
