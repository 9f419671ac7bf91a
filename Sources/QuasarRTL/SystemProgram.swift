import Foundation
import QuasarTensor

/// Programs of the system: simulators, synthesis, make.
public enum SystemProgram {
  /// The path of a program that can be executed, nil when the search path has none of that name.
  public static func find(_ name: String) -> String? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// Standard output and error together, and the exit status.
  static func run(_ name: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    guard let path = name.contains("/") ? name : find(name) else {
      throw QuasarError(.missing, "\(name) is not on the path; install it")
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    do {
      try process.run()
    } catch {
      throw QuasarError(.missing, "\(path): cannot be started (\(error.localizedDescription))")
    }
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }
}
