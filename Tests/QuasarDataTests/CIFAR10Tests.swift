import QuasarData
import QuasarTensor
import Testing

@Suite struct CIFAR10Tests {
  let names = Array("airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n".utf8)

  func writeSet(_ folder: borrowing TemporaryFolder, under prefix: String) throws {
    for part in 1...5 {
      try folder.write(Fixture.cifarRecords([UInt8(part), 0]), prefix + "data_batch_\(part).bin")
    }
    try folder.write(Fixture.cifarRecords([9]), prefix + "test_batch.bin")
    try folder.write(names, prefix + "batches.meta.txt")
  }

  @Test(arguments: ["", "cifar-10-batches-bin/"])
  func readsTheFolderAndTheOneAbove(prefix: String) throws {
    let folder = try TemporaryFolder()
    try writeSet(folder, under: prefix)
    let data = try DataSpecification(parsing: "cifar10:\(folder.path)").load()
    #expect(data.train.labels == [1, 0, 2, 0, 3, 0, 4, 0, 5, 0])
    #expect(data.test.labels == [9])
    #expect(data.classNames[9] == "truck" && data.classNames.count == 10)
    #expect([data.train.channels, data.train.height, data.train.width] == [3, 32, 32])
    #expect(Array(data.train.image(at: 3)) == Array(Fixture.cifarRecords([0, 0])[3074...]))
  }

  @Test func missingFileIsNamed() throws {
    let folder = try TemporaryFolder()
    try folder.write(names, "batches.meta.txt")
    expectError(.missing, holding: "data_batch_1.bin", "no such file") {
      _ = try DataSpecification.cifar10(directory: folder.path).load()
    }
    expectError(.missing, holding: "nowhere", "no such folder") {
      _ = try DataSpecification.cifar10(directory: folder.path + "/nowhere").load()
    }
  }

  @Test func aPartThatBrokeOffBetweenRecords() throws {
    let folder = try TemporaryFolder()
    try writeSet(folder, under: "")
    try folder.write(Fixture.cifarRecords([1]), "data_batch_4.bin")
    expectError(.badData, holding: "data_batch_4.bin: 1 records", "data_batch_1.bin has 2") {
      _ = try DataSpecification.cifar10(directory: folder.path).load()
    }
  }

  @Test func badRecords() {
    let whole = Fixture.cifarRecords([3, 4])
    expectError(.badData, holding: "f: 6145 bytes", "3073", "record 1 at byte 3073 has only 3072") {
      _ = try CIFAR10.records(Array(whole.dropLast()), file: "f")
    }
    expectError(.badData, holding: "f: 0 bytes") { _ = try CIFAR10.records([], file: "f") }
    expectError(.badData, holding: "label 77 in record 1 (byte 3073)", "0 to 9") {
      _ = try CIFAR10.records(Fixture.cifarRecords([3, 77]), file: "f")
    }
    expectError(.badData, holding: "2 class names", "has 10") {
      _ = try CIFAR10.classNames(Array("a\nb\n".utf8), file: "f")
    }
    expectError(.badData, holding: "no UTF-8") { _ = try CIFAR10.classNames([0xff, 0xfe], file: "f") }
  }

  @Test func everyTruncationIsAnError() {
    let whole = Fixture.cifarRecords([3])
    for length in 0..<whole.count {
      expectError(.badData, holding: "f") { _ = try CIFAR10.records(Array(whole[..<length]), file: "f") }
    }
  }
}
