import Foundation
import QuasarSupernet
import QuasarTensor
import QuasarTestSupport
import Testing

@testable import QuasarTrain

/// An independent reader: bit-by-bit CRC, any order of fields.
private struct Reader {
  struct Event: Equatable {
    var wallTime = 0.0
    var step = 0
    var version: String?
    var scalars: [String: Float] = [:]
  }

  enum Fault: Error {
    case truncated, length, data
    case wire(Int)
  }

  static func crc(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var remainder: UInt32 = 0xffff_ffff
    for byte in bytes {
      for bit in 0..<8 {
        let top = (UInt32(byte) >> UInt32(bit) ^ remainder) & 1
        remainder = remainder >> 1 ^ (top == 1 ? 0x82f6_3b78 : 0)
      }
    }
    return remainder ^ 0xffff_ffff
  }

  static func unmask(_ masked: UInt32) -> UInt32 {
    let turned = masked &- 0xa282_ead8
    return turned << 15 | turned >> 17
  }

  static func events(_ path: String) throws -> [Event] {
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    var place = 0
    var events: [Event] = []
    func take(_ count: Int) throws -> ArraySlice<UInt8> {
      guard place + count <= bytes.count else { throw Fault.truncated }
      defer { place += count }
      return bytes[place..<place + count]
    }
    while place < bytes.count {
      let head = try take(8)
      guard unmask(UInt32(number(try take(4)))) == crc(head) else { throw Fault.length }
      let data = try take(Int(number(head)))
      guard unmask(UInt32(number(try take(4)))) == crc(data) else { throw Fault.data }
      events.append(try event(data))
    }
    return events
  }

  static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }

  /// (number, integer bits or length-delimited bytes) of each field of a message.
  static func fields(_ bytes: ArraySlice<UInt8>) throws -> [(number: Int, bits: UInt64, bytes: ArraySlice<UInt8>)] {
    var rest = bytes
    var found: [(Int, UInt64, ArraySlice<UInt8>)] = []
    func varint() -> UInt64 {
      var value: UInt64 = 0
      var shift: UInt64 = 0
      while let byte = rest.popFirst() {
        value |= UInt64(byte & 127) << shift
        if byte & 128 == 0 { break }
        shift += 7
      }
      return value
    }
    while !rest.isEmpty {
      let key = varint()
      switch key & 7 {
      case 0: found.append((Int(key >> 3), varint(), []))
      case 1:
        found.append((Int(key >> 3), number(rest.prefix(8)), []))
        rest = rest.dropFirst(8)
      case 2:
        let length = Int(varint())
        guard length <= rest.count else { throw Fault.truncated }
        found.append((Int(key >> 3), 0, rest.prefix(length)))
        rest = rest.dropFirst(length)
      case 5:
        found.append((Int(key >> 3), number(rest.prefix(4)), []))
        rest = rest.dropFirst(4)
      default: throw Fault.wire(Int(key))
      }
    }
    return found
  }

  static func event(_ bytes: ArraySlice<UInt8>) throws -> Event {
    var event = Event()
    for field in try fields(bytes) {
      switch field.number {
      case 1: event.wallTime = Double(bitPattern: field.bits)
      case 2: event.step = Int(field.bits)
      case 3: event.version = String(decoding: field.bytes, as: UTF8.self)
      case 5:
        for value in try fields(field.bytes) {
          let parts = try fields(value.bytes)
          let tag = parts.first { $0.number == 1 }.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
          event.scalars[tag] = parts.first { $0.number == 2 }.map { Float(bitPattern: UInt32($0.bits)) }
        }
      default: throw Fault.wire(field.number)
      }
    }
    return event
  }
}

@Suite struct EventFileTests {
  private func training(_ step: Int, loss: Double = 1.5) -> LogEntry {
    LogEntry(
      event: .training, step: step, epoch: 0, mode: .full, loss: loss, learningRate: 0.25, imagesPerSecond: 1e3)
  }

  private func file(_ folder: String, time: Double) -> EventFile {
    var file = EventFile(path: folder + "/" + EventFile.name)
    file.now = { time }
    return file
  }

  @Test func anotherReaderFindsWhatWasWritten() throws {
    try withTemporaryFolder { folder in
      let events = file(folder, time: 1_700_000_000.5)
      try events.restart(keeping: [])
      try events.append(training(0))
      try events.append(training(300))
      try events.append(
        LogEntry(event: .evaluation, step: 1 << 33, epoch: 2, mode: .exact, subnet: "smallest", accuracy: 0.75))
      let read = try Reader.events(events.path)
      var followed = training(1 << 34)
      (followed.oscillating, followed.frozen) = (0.125, 0.5)
      try events.append(followed)
      let last = try Reader.events(events.path).last
      #expect(last?.scalars["weights/oscillating"] == 0.125 && last?.scalars["weights/frozen"] == 0.5)
      #expect(read.map(\.step) == [0, 0, 300, 1 << 33])
      #expect(read.map(\.version) == ["brain.Event:2", nil, nil, nil])
      #expect(read.allSatisfy { $0.wallTime == 1_700_000_000.5 })
      #expect(read[0].scalars.isEmpty)
      let expected: [String: Float] = [
        "train/loss": 1.5, "train/learning_rate": 0.25, "train/images_per_second": 1000,
      ]
      #expect(read[1].scalars == expected && read[2].scalars == expected)
      #expect(read[3].scalars == ["accuracy/smallest": 0.75])
    }
  }

  @Test func restartKeepsTimesAndDoublesNothing() throws {
    try withTemporaryFolder { folder in
      let first = file(folder, time: 100)
      try first.restart(keeping: [])
      for step in [0, 19, 39] { try first.append(training(step)) }
      // The process died within a record.
      let whole = try Data(contentsOf: URL(fileURLWithPath: first.path))
      try whole.dropLast(3).write(to: URL(fileURLWithPath: first.path))
      #expect(throws: Reader.Fault.self) { try Reader.events(first.path) }

      let second = file(folder, time: 200)
      try second.restart(keeping: [training(0), training(19), training(29)])
      try second.append(training(39, loss: 1.25))
      let read = try Reader.events(second.path)
      #expect(read.map(\.step) == [0, 0, 19, 29, 39])
      #expect(read.map(\.wallTime) == [100, 100, 100, 200, 200])
      #expect(read.last?.scalars["train/loss"] == 1.25)
    }
  }

  /// A run was cut off after logging a step that its checkpoint does not have, and then continued.
  @Test func eventsOfAResumedRunAreItsLog() throws {
    try withTemporaryFolder { folder in
      let data = try Tiny.toySet(48, seed: 1)
      let directory = RunDirectory(folder + "/run")
      func run(stopAt: Int?) throws {
        let checkpoint = directory.hasCheckpoint ? try directory.load() : nil
        let trainer = try Trainer(
          net: checkpoint?.net ?? Tiny.net(data: data), plan: .fixed(Tiny.architecture), data: data,
          options: Tiny.options(epochs: 3), seed: 1)
        try checkpoint?.restore(trainer.optimizer)
        let session = try TrainingSession(
          trainer: trainer, directory: directory, classNames: Tiny.classNames, heldOut: data)
        try session.run(shouldStop: { trainer.step == stopAt })
      }
      #expect(quasarError { try run(stopAt: 4) }?.kind == .interrupted)
      try directory.log.append(training(5))
      try directory.events.append(training(5))
      try run(stopAt: nil)
      let entries = directory.log.read()
      #expect(entries.map(\.step) == [2, 5, 8, 8])
      let events = try Reader.events(directory.events.path).dropFirst()
      #expect(events.map(\.step) == entries.map(\.step))
      for (entry, event) in zip(entries, events) {
        #expect(event.scalars["train/loss"] == entry.loss.map { Float($0) })
        #expect(event.scalars["accuracy/network"] == entry.accuracy.map { Float($0) })
        #expect(event.wallTime > 1.6e9)
      }
    }
  }

  @Test func unwritableFileIsAnError() throws {
    let nowhere = EventFile(path: "/nowhere/" + EventFile.name)
    #expect(quasarError { try nowhere.restart(keeping: []) }?.kind == .cannotWrite)
    #expect(quasarError { try nowhere.append(training(0)) }?.kind == .cannotWrite)
  }
}
