import Foundation
import QuasarProcesses
import QuasarTensor
import Synchronization
import Testing

@testable import QuasarTestSupport

/// Tests that start programs or threads leave none of them behind, and no files.
@Suite struct ChildProcessTests {
  /// Whether a process ends within ten seconds.
  private func ends(_ pid: Int32) -> Bool {
    for _ in 0..<1000 {
      if !ChildProcess.isRunning(pid) { return true }
      Thread.sleep(forTimeInterval: 0.01)
    }
    return false
  }

  @Test func statusAndBothStreams() throws {
    let result = try ChildProcess.run("sh", ["-c", "echo to output; echo to errors >&2; exit 7"])
    #expect(result.status == 7 && result.output == "to output\n" && result.errors == "to errors\n")
  }

  @Test func overtimeEndsTheWholeFamily() throws {
    let folder = try TemporaryFolder()
    // A child and a grandchild, each in a process group of its own.
    let inner = "set -m; sleep 600 & echo $! > \(folder.path("grandchild")); wait"
    let script = "set -m; bash -c '\(inner)' & echo $! > \(folder.path("child")); wait"
    let overtime = try #require(throws: ChildProcess.Overtime.self) {
      _ = try ChildProcess.run("bash", ["-c", script], limit: 5)
    }
    #expect(overtime.command.contains("sleep 600") && overtime.seconds == 5)
    for name in ["child", "grandchild"] {
      let text = try String(contentsOfFile: folder.path(name), encoding: .utf8)
      let pid = try #require(Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)))
      #expect(ends(pid), "the \(name) runs on")
    }
  }

  @Test func aProgramEndsWithTheThreadThatStartedIt() throws {
    let started = Mutex<Int32>(0)
    let isDone = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      let process = ChildProcess.prepared("sleep", ["600"])
      try? process.run()
      let pid = process.processIdentifier
      started.withLock { $0 = pid }
      // The request to be killed is made by setpriv, which then becomes sleep.
      while let text = try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8), text != "sleep\n" {
        Thread.sleep(forTimeInterval: 0.01)
      }
      isDone.signal()
    }
    isDone.wait()
    let pid = started.withLock { $0 }
    try #require(pid > 0)
    #expect(ends(pid), "the program outlives its thread")
  }

  @Test func aFolderEndsWithItsOwner() throws {
    var path = ""
    do {
      let folder = try TemporaryFolder()
      path = folder.path("file")
      try "text".write(toFile: path, atomically: true, encoding: .utf8)
      #expect(FileManager.default.fileExists(atPath: path))
      withExtendedLifetime(folder) {}
    }
    #expect(!FileManager.default.fileExists(atPath: URL(fileURLWithPath: path).deletingLastPathComponent().path))
  }

  @Test func aMessageThatNobodyTakesIsAnError() throws {
    let error = try #require(throws: QuasarError.self) {
      _ = try ThreadProcesses.run(2) { processes in
        let (sent, received) = (Tensor([1], shape: [1]), Tensor([0], shape: [1]))
        var exchange = try processes.exchange(
          sending: sent.pointer, receiving: received.pointer, count: 1, partner: 1 - processes.rank, tag: 3)
        if processes.isFirst { try exchange.wait() }
        return received.scalars
      }
    }
    #expect(error.message.contains("0 to 1 under tag 3") && error.message.contains("not taken"))
  }

  @Test func processesThatWaitForEachOtherEnd() throws {
    let error = try #require(throws: QuasarError.self) {
      _ = try ThreadProcesses.run(2, limit: 0.5) { processes in
        // Only one of them adds.
        if processes.isFirst { _ = try processes.any(true) }
        return processes.isFirst
      }
    }
    #expect(error.message.contains("after 0.5 s"))
  }
}
