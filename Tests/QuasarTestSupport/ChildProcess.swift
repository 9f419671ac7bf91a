import Foundation

/// A program that a test runs. It leaves neither files nor processes, however the test ends.
public enum ChildProcess {
  /// How a program ended, and what it wrote.
  public struct Result: Sendable {
    public var status: Int32
    public var output: String
    public var errors: String
  }

  /// A program that was killed because it ran longer than its limit.
  public struct Overtime: Error {
    public var command: String
    public var seconds: Double
    public var errors: String
  }

  /// Runs a program of the search path, or one by its path, to its end.
  ///
  /// After `limit` seconds the program and all that it started are killed, and `Overtime` is thrown.
  public static func run(_ program: String, _ arguments: [String], limit: Double = 1200) throws -> Result {
    let folder = try TemporaryFolder()
    // Files instead of pipes: a full pipe would block the program.
    let (output, errors) = (folder.path("out"), folder.path("err"))
    for path in [output, errors] { _ = FileManager.default.createFile(atPath: path, contents: nil) }
    func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }
    let ended = DispatchSemaphore(value: 0)
    let process = prepared(program, arguments)
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
    process.terminationHandler = { _ in ended.signal() }
    try process.run()
    if ended.wait(timeout: .now() + limit) == .timedOut {
      for pid in family(of: process.processIdentifier) { kill(pid, SIGKILL) }
      ended.wait()
      throw Overtime(
        command: ([program] + arguments).joined(separator: " "), seconds: limit, errors: (try? text(errors)) ?? "")
    }
    return Result(status: process.terminationStatus, output: try text(output), errors: try text(errors))
  }

  /// A process that the kernel kills when the thread that starts it ends: with a crash of the test program at the latest.
  static func prepared(_ program: String, _ arguments: [String]) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
    process.arguments = ["--pdeathsig", "KILL", program] + arguments
    process.standardInput = FileHandle.nullDevice
    return process
  }

  /// A process and all that it and its children have started, parents first.
  static func family(of pid: Int32) -> [Int32] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    let parents = all.compactMap { Int32($0) }.compactMap { pid in status(of: pid).map { (pid, $0.parent) } }
    let children = Dictionary(grouping: parents) { $0.1 }.mapValues { $0.map(\.0) }
    var found = [pid]
    var next = 0
    while next < found.count {
      found += children[found[next]] ?? []
      next += 1
    }
    return found
  }

  /// Whether a process runs; one that has ended and waits for its parent does not.
  static func isRunning(_ pid: Int32) -> Bool {
    status(of: pid).map { $0.state != "Z" && $0.state != "X" } ?? false
  }

  /// "PID (NAME) STATE PARENT …"; the name may hold blanks and brackets.
  private static func status(of pid: Int32) -> (state: Substring, parent: Int32)? {
    guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return nil }
    let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].dropFirst().split(separator: " ")
    guard fields.count > 1, let parent = Int32(fields[1]) else { return nil }
    return (fields[0], parent)
  }
}
