/// A mistake in the input of the hardware model: what is wrong, where, and what to do about it.
///
/// The message is one line for a user; `kind` tells a command line which exit code fits.
public struct HardwareError: Error, CustomStringConvertible, Hashable, Sendable {
  public enum Kind: String, Codable, Hashable, Sendable {
    /// The contents of a file or of a value are wrong (exit code 65).
    case badInput
    /// A file does not exist or cannot be read (exit code 66).
    case missing
    /// A name or an option is not known (exit code 64).
    case usage
  }

  public var kind: Kind
  public var message: String

  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  public var description: String { message }
}
