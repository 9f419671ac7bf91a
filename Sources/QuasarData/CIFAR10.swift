import QuasarTensor

/// The binary layout of CIFAR-10: records of 3073 bytes, a label and 32×32 red, green and blue values.
///
/// A folder holds data_batch_1.bin to data_batch_5.bin (training), test_batch.bin, and batches.meta.txt with the names
/// of the 10 classes. Layout: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
public enum CIFAR10 {
  /// Bytes of one record: 1 + 3·32·32.
  public static let recordSize = 3073
  static let trainingFiles = (1...5).map { "data_batch_\($0).bin" }
  static let testFile = "test_batch.bin"
  static let namesFile = "batches.meta.txt"
  static let folderName = "cifar-10-batches-bin"

  /// Labels and pixels [count, 3, 32, 32] in the bytes of one file.
  ///
  /// Throws `badData` for an empty file, a partial record at the end, and a label above 9.
  public static func records(
    _ bytes: [UInt8], file: String
  ) throws(QuasarError) -> (labels: [UInt8], pixels: [UInt8]) {
    let count = bytes.count / recordSize
    guard bytes.count % recordSize == 0 else {
      throw QuasarError(
        .badData,
        "\(file): \(bytes.count) bytes are not a multiple of the record size \(recordSize): record \(count) at "
          + "byte "
          + "\(count * recordSize) has only \(bytes.count % recordSize) bytes; fetch the file again")
    }
    guard count > 0 else {
      throw QuasarError(
        .badData, "\(file): 0 bytes, but one record alone takes \(recordSize); fetch the file again")
    }
    var labels: [UInt8] = []
    var pixels: [UInt8] = []
    labels.reserveCapacity(count)
    pixels.reserveCapacity(count * (recordSize - 1))
    for record in 0..<count {
      let start = record * recordSize
      guard bytes[start] < 10 else {
        throw QuasarError(
          .badData,
          "\(file): label \(bytes[start]) in record \(record) (byte \(start)), but CIFAR-10 has classes 0 "
            + "to 9; "
            + "check that this is the binary version of CIFAR-10, not of CIFAR-100")
      }
      labels.append(bytes[start])
      pixels.append(contentsOf: bytes[start + 1..<start + recordSize])
    }
    return (labels, pixels)
  }

  /// The 10 class names in the bytes of batches.meta.txt, one per line.
  public static func classNames(_ bytes: [UInt8], file: String) throws(QuasarError) -> [String] {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw QuasarError(.badData, "\(file): no UTF-8 text; it should hold 10 class names, one per line")
    }
    let names = text.split(whereSeparator: \.isNewline).map(trimmingBlanks).filter { !$0.isEmpty }
    guard names.count == 10 else {
      throw QuasarError(
        .badData, "\(file): \(names.count) class names, but CIFAR-10 has 10; write one name per line")
    }
    return names
  }

  /// Training and test set; `directory` is the folder with the files, or the folder that contains cifar-10-batches-bin.
  static func load(_ directory: String) throws(QuasarError) -> ImageDataset {
    try InputFile.requireDirectory(directory)
    let inner = InputFile.join(directory, folderName)
    let folder = InputFile.isDirectory(inner) ? inner : directory
    let namesPath = InputFile.join(folder, namesFile)
    let names = try classNames(InputFile.read(namesPath), file: namesPath)

    var labels: [UInt8] = []
    var pixels: [UInt8] = []
    var firstCount: Int?
    for file in trainingFiles {
      let path = InputFile.join(folder, file)
      let part = try records(InputFile.read(path), file: path)
      // A copy that broke off between two records is detected only here.
      guard part.labels.count == firstCount ?? part.labels.count else {
        throw QuasarError(
          .badData,
          "\(path): \(part.labels.count) records, but \(trainingFiles[0]) has \(firstCount ?? 0); all five "
            + "training "
            + "files have equally many, fetch them again")
      }
      firstCount = part.labels.count
      labels += part.labels
      pixels += part.pixels
    }
    let testPath = InputFile.join(folder, testFile)
    let test = try records(InputFile.read(testPath), file: testPath)
    func set(_ split: String, _ labels: [UInt8], _ pixels: [UInt8]) throws(QuasarError) -> ImageSet {
      try ImageSet(
        name: "CIFAR-10", split: split, channels: 3, height: 32, width: 32, images: pixels, labels: labels,
        classNames: names)
    }
    return try ImageDataset(train: set("train", labels, pixels), test: set("test", test.labels, test.pixels))
  }
}

/// The text without blanks and tabs at both ends.
func trimmingBlanks(_ text: some StringProtocol) -> String {
  let rest = text.drop(while: \.isWhitespace)
  guard let last = rest.lastIndex(where: { !$0.isWhitespace }) else { return "" }
  return String(rest[...last])
}
