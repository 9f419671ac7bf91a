import Foundation
import QuasarSupernet
import QuasarTensor
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

@Suite struct TrainingOptionsTests {
  @Test func defaultsAreValid() throws { try TrainingOptions().validate() }

  @Test func everyRangeIsChecked() {
    func noSubnets(_ options: inout TrainingOptions) {
      options.sandwich = false
      options.randomSubnets = 0
    }
    let changes: [(String, (inout TrainingOptions) -> Void)] = [
      ("epochs", { $0.epochs = 0 }), ("batch size", { $0.batchSize = 0 }),
      ("learning rate", { $0.learningRate = 0 }), ("learning rate", { $0.learningRate = .nan }),
      ("learning rate", { $0.learningRate = .infinity }), ("warm-up", { $0.warmUp = 1.5 }),
      ("exact", { $0.exact = 0.7 }), ("exact", { $0.exact = -0.1 }), ("exact", { $0.fullPrecision = .nan }),
      ("label smoothing", { $0.labelSmoothing = 1 }), ("random erasing", { $0.randomErasing = -1 }),
      ("drop-path", { $0.dropPath = 1 }), ("distillation", { $0.distillation = 2 }),
      ("shift", { $0.shift = -1 }), ("random sub-networks", { $0.randomSubnets = -1 }),
      ("sandwich", noSubnets), ("calibration percentile", { $0.calibrationPercentile = 50 }),
      ("calibration percentile", { $0.calibrationPercentile = 100.5 }),
      ("calibration percentile", { $0.calibrationPercentile = .nan }),
      ("oscillation threshold", { $0.oscillationThreshold = 1 }),
      ("oscillation threshold", { $0.oscillationThreshold = -0.1 }),
      ("oscillation momentum", { $0.oscillationMomentum = 0 }),
      ("oscillation momentum", { $0.oscillationMomentum = .nan }),
    ]
    for (says, change) in changes {
      var options = TrainingOptions()
      change(&options)
      let error = quasarError { try options.validate() }
      #expect(error?.kind == .usage, "\(says)")
      #expect(error?.message.contains(says) == true, "\(says): \(error?.message ?? "")")
    }
  }
}
