import CProcesses
import Foundation
import QuasarTensor

/// The processes that `mpirun` started, connected by MPI (package trait `MPI`).
///
/// All calls of a process come from one thread.
public struct MPIProcesses: ProcessGroup {
  public let rank: Int
  public let size: Int

  /// Variables by which Open MPI, PMIx and MPICH tell a process the number of processes started.
  private static let sizeVariables = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"]

  /// The number of processes that a launcher announces; 1 without a launcher.
  public static func announced(environment: [String: String] = ProcessInfo.processInfo.environment) -> Int {
    sizeVariables.compactMap { environment[$0].flatMap { Int($0) } }.max() ?? 1
  }

  /// The group that this process was started in: a `SingleProcess` unless a launcher started several.
  ///
  /// Throws `usage` for several processes of a program without MPI, or a number of processes that is not a power of
  /// two.
  public static func launched(environment: [String: String] = ProcessInfo.processInfo.environment) throws
    -> any ProcessGroup
  {
    announced(environment: environment) > 1 ? try MPIProcesses() : SingleProcess()
  }

  private init() throws {
    var (rank, size): (Int32, Int32) = (0, 1)
    let status = MPIProcesses.withMessage { qk_processes_start(&rank, &size, $0) }
    if case .failure(let error) = status { throw error }
    guard size & (size - 1) == 0 else {
      throw QuasarError(
        .usage, "\(size) processes: gradients are added over a binary tree, start 2, 4, 8, … processes")
    }
    (self.rank, self.size) = (Int(rank), Int(size))
  }

  public func exchange(
    sending: UnsafePointer<Float>, receiving: UnsafeMutablePointer<Float>, count: Int, partner: Int, tag: Int
  ) throws -> any Exchange {
    guard let length = Int32(exactly: count) else {
      throw QuasarError(.internal, "an exchange of \(count) floats is too long for MPI")
    }
    var exchange = qk_exchange()
    try MPIProcesses.withMessage {
      qk_exchange_start(sending, receiving, length, Int32(partner), Int32(tag), &exchange, $0)
    }.get()
    return MPIExchange(exchange: exchange)
  }

  /// Leaves the group in good order; every process has to call it.
  public static func finish() { qk_processes_finish() }

  /// Ends all processes at once with an exit code; to be called after an error in one of them.
  public static func abort(_ code: Int32) { qk_processes_abort(code) }

  fileprivate static func withMessage(
    _ body: (UnsafeMutablePointer<CChar>) -> qk_processes_status
  ) -> Result<Void, QuasarError> {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(QK_PROCESSES_MESSAGE)) { buffer in
      guard let message = buffer.baseAddress else { return .failure(QuasarError(.internal, "no memory")) }
      message.pointee = 0
      switch body(message) {
      case QK_PROCESSES_OK: return .success(())
      case QK_PROCESSES_ABSENT:
        return .failure(
          QuasarError(
            .usage,
            "mpirun started several processes of a program without MPI: build it with 'swift build -c release "
              + "--traits MPI' (libopenmpi-dev), or start one process"))
      default:
        return .failure(QuasarError(.inputOutput, "MPI between the processes failed: \(String(cString: message))"))
      }
    }
  }
}

private struct MPIExchange: Exchange {
  var exchange: qk_exchange

  mutating func isDone() throws -> Bool {
    var done: Int32 = 0
    try MPIProcesses.withMessage { qk_exchange_test(&exchange, &done, $0) }.get()
    return done != 0
  }

  mutating func wait() throws {
    try MPIProcesses.withMessage { qk_exchange_wait(&exchange, $0) }.get()
  }
}
