import Foundation
import QuasarSupernet
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarTrain

@Suite struct TrainingLogTests {
  private func entry(_ step: Int) -> LogEntry {
    LogEntry(event: .training, step: step, epoch: step / 10, mode: .full, loss: 1.5, learningRate: 0.25)
  }

  private func withLog(_ steps: [Int], _ body: (TrainingLog) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let log = TrainingLog(path: folder + "/log.jsonl")
      try log.restart(before: 0)
      for step in steps { try log.append(entry(step)) }
      try body(log)
    }
  }

  @Test func readsWhatWasAppended() throws {
    try withLog([4, 9, 14]) { log in
      let entries = log.read()
      #expect(entries.map(\.step) == [4, 9, 14] && entries.map(\.epoch) == [0, 0, 1])
      #expect(entries.allSatisfy { $0.loss == 1.5 && $0.learningRate == 0.25 && $0.accuracy == nil })
      let text = try String(contentsOfFile: log.path, encoding: .utf8)
      #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count == 4)
    }
  }

  @Test func tornLastLineIsDropped() throws {
    try withLog([4, 9, 14]) { log in
      let whole = try Data(contentsOf: URL(fileURLWithPath: log.path))
      let lastStart = try #require(whole.dropLast().lastIndex(of: 10)) + 1
      for length in lastStart..<whole.count - 1 {
        try whole.prefix(length).write(to: URL(fileURLWithPath: log.path))
        #expect(log.read().map(\.step) == [4, 9], "\(length) bytes")
      }
      try log.restart(before: 100)
      try log.append(entry(20))
      #expect(log.read().map(\.step) == [4, 9, 20])
    }
  }

  @Test func restartsBeforeAStep() throws {
    try withLog([4, 9, 14]) { log in
      try log.restart(before: 9)
      #expect(log.read().map(\.step) == [4])
      try log.restart(before: 0)
      #expect(log.read().isEmpty && FileManager.default.fileExists(atPath: log.path))
    }
  }

  @Test func unwritableLogIsAnError() throws {
    try withTemporaryFolder { folder in
      let log = TrainingLog(path: folder + "/none/log.jsonl")
      #expect(log.read().isEmpty)
      #expect(quasarError { try log.append(entry(1)) }?.kind == .cannotWrite)
      #expect(quasarError { try log.restart(before: 1) }?.kind == .cannotWrite)
    }
  }
}
