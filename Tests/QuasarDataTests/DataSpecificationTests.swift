import QuasarData
import QuasarTensor
import Testing

@Suite struct DataSpecificationTests {
  @Test(arguments: ["embedded", "fashion-mnist:d", "mnist:/a b/c:d", "cifar10:d", "folder:d/e"])
  func parsesAndPrints(text: String) throws {
    #expect(try DataSpecification(parsing: text).description == text)
  }

  @Test func refusesOtherTexts() {
    expectError(.usage, holding: "unknown data set “imagenet”", "cifar10:DIR") {
      _ = try DataSpecification(parsing: "imagenet:x")
    }
    expectError(.usage, holding: "“mnist:DIR”") { _ = try DataSpecification(parsing: "mnist") }
    expectError(.usage, holding: "“mnist:DIR”") { _ = try DataSpecification(parsing: "mnist:") }
    expectError(.usage, holding: "takes no folder") { _ = try DataSpecification(parsing: "embedded:x") }
    expectError(.usage, holding: "unknown data set “”") { _ = try DataSpecification(parsing: "") }
  }

  @Test func mnistFolderInAnySpelling() throws {
    let folder = try TemporaryFolder()
    let images = Fixture.idxImages(count: 3, height: 4, width: 4)
    let labels = Fixture.idxLabels([9, 0, 5])
    // Plain bytes under a .gz name and the reverse: only the contents decide.
    try folder.write(images, "train-images-idx3-ubyte.gz")
    try folder.write(Fixture.gzip(labels), "train-labels-idx1-ubyte")
    try folder.write(images, "t10k-images.idx3-ubyte")
    expectError(.missing, holding: "t10k-labels-idx1-ubyte.gz", "download") {
      _ = try DataSpecification.mnist(directory: folder.path).load()
    }
    try folder.write(labels, "t10k-labels-idx1-ubyte")
    let digits = try DataSpecification.mnist(directory: folder.path).load()
    #expect(digits.name == "MNIST" && digits.classNames[9] == "9" && digits.test.labels == [9, 0, 5])
    let fashion = try DataSpecification.fashionMNIST(directory: folder.path + "/").load()
    #expect(fashion.name == "Fashion-MNIST" && fashion.classNames[9] == "Ankle boot")
    try folder.write(Fixture.idxImages(count: 3, height: 5, width: 4), "t10k-images.idx3-ubyte")
    expectError(.badData, holding: "train images are 1×4×4", "test images are 1×5×4") {
      _ = try DataSpecification.mnist(directory: folder.path).load()
    }
  }

  @Test func aFileWhereAFolderIsExpected() throws {
    let folder = try TemporaryFolder()
    try folder.write([1], "file")
    for name in ["mnist", "cifar10", "folder"] {
      expectError(.badData, holding: "file: a file, but a folder") {
        _ = try DataSpecification(parsing: "\(name):\(folder.path)/file").load()
      }
    }
  }

  @Test func embeddedSet() throws {
    let data = try DataSpecification.embedded.load()
    #expect(data.train.count == 20_000 && data.test.count == 2_000)
    #expect(data.train.classCounts == [Int](repeating: 2_000, count: 10))
    #expect(data.test.classCounts == [Int](repeating: 200, count: 10))
    #expect([data.train.channels, data.train.height, data.train.width] == [1, 28, 28])
    // The published files begin with these labels.
    #expect(data.train.labels.prefix(10) == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5])
    #expect(data.test.labels.prefix(10) == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7])
    // CRC-32 of the unpacked pixels, from Python's zlib.
    #expect(Fixture.crc32(data.train.images) == trainPixels)
    #expect(Fixture.crc32(data.test.images) == testPixels)
  }

  let trainPixels: UInt32 = 0x6829_2446
  let testPixels: UInt32 = 0x58BD_C0E4
}
