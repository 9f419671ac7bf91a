/// A user-facing failure: what is wrong, where, and what to do, in one line.
///
/// The kinds follow sysexits, so the command line can map them to exit codes.
public struct QuasarError: Error, Sendable, CustomStringConvertible {
  public enum Kind: Int32, Sendable {
    /// Wrong use of a command or an interface.
    case usage = 64
    /// Input exists but is not what it should be: wrong magic number, shape, key, checksum.
    case badData = 65
    /// Input is missing.
    case missing = 66
    /// A speed or resource target cannot be met.
    case infeasible = 69
    /// A bug in Quasar.
    case `internal` = 70
    /// Output cannot be created.
    case cannotWrite = 73
    /// Reading or writing failed half-way.
    case inputOutput = 74
    /// Stopped by the user; a resumable checkpoint was written.
    case interrupted = 75
  }

  public var kind: Kind
  public var message: String

  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  public var description: String { message }
}
