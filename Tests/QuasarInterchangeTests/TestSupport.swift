import Foundation
import QuasarTensor
import Testing

/// A separate folder for one test, removed at the end.
struct TemporaryFolder: ~Copyable {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("quasar-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  /// Everything in the folder, hidden files included.
  var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path).sorted()) ?? [] }

  func bytes(_ name: String) -> [UInt8]? {
    FileManager.default.contents(atPath: path + "/" + name).map { Array($0) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Expects `body` to throw an error whose message contains every one of `parts`.
func expectError(
  _ kind: QuasarError.Kind, holding parts: String..., at location: SourceLocation = #_sourceLocation,
  body: () throws -> Void
) {
  do {
    try body()
    Issue.record("no error was thrown", sourceLocation: location)
  } catch let error as QuasarError {
    #expect(error.kind == kind, "\(error.message)", sourceLocation: location)
    for part in parts {
      #expect(error.message.contains(part), "“\(part)” is not in: \(error.message)", sourceLocation: location)
    }
    #expect(!error.message.contains("\n"), sourceLocation: location)
  } catch {
    Issue.record("another kind of error: \(error)", sourceLocation: location)
  }
}

/// A small random generator (xorshift), so that the fuzz tests are repeatable.
struct SmallRandom: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
