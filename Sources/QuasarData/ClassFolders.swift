import QuasarTensor

/// A data set as folders: DIR/train/CLASS/IMAGE and DIR/val or DIR/test the same way.
///
/// Classes are the folders under `train`, images the files in them, both in the order of their names' bytes.
/// All images need one size. Grey files among coloured ones are widened to three equal channels.
enum ClassFolders {
  /// Training and test set; `val` is the test set where both `val` and `test` are there.
  static func load(_ directory: String) throws(QuasarError) -> ImageDataset {
    try InputFile.requireDirectory(directory)
    guard
      let testSplit = ["val", "test"].first(where: { InputFile.isDirectory(InputFile.join(directory, $0)) })
    else {
      throw QuasarError(
        .missing, "\(directory): neither val nor test is there; class folders need train and one of these")
    }
    let name = directory.split(separator: "/").last.map(String.init) ?? directory
    let train = try pictures(InputFile.join(directory, "train"))
    let test = try pictures(InputFile.join(directory, testSplit))
    let channels = (train.images + test.images).contains { $0.channels == 3 } ? 3 : 1
    return try ImageDataset(
      train: train.set(name: name, split: "train", channels: channels),
      test: test.set(name: name, split: testSplit, channels: channels))
  }

  private struct Pictures {
    var classNames: [String]
    var images: [PortablePixmap.Image]
    var labels: [UInt8]

    func set(name: String, split: String, channels: Int) throws(QuasarError) -> ImageSet {
      var pixels: [UInt8] = []
      pixels.reserveCapacity(images.reduce(0) { $0 + $1.height * $1.width } * channels)
      for image in images {
        for _ in 0..<channels / image.channels { pixels += image.pixels }
      }
      return try ImageSet(
        name: name, split: split, channels: channels, height: images.first?.height ?? 0,
        width: images.first?.width ?? 0, images: pixels, labels: labels, classNames: classNames)
    }
  }

  private static func pictures(_ directory: String) throws(QuasarError) -> Pictures {
    let classNames = try InputFile.visibleNames(in: directory)
      .filter { InputFile.isDirectory(InputFile.join(directory, $0)) }
    guard (1...256).contains(classNames.count) else {
      throw QuasarError(
        .badData,
        "\(directory): \(classNames.count) class folders, but 1 to 256 are read; one folder is one class")
    }
    var all = Pictures(classNames: classNames, images: [], labels: [])
    var firstPath = ""
    for (label, className) in classNames.enumerated() {
      let folder = InputFile.join(directory, className)
      let files = try InputFile.visibleNames(in: folder)
      guard !files.isEmpty else {
        throw QuasarError(
          .badData, "\(folder): 0 images, but each class needs at least 1; add images or remove it")
      }
      for file in files {
        let path = InputFile.join(folder, file)
        let image = try PortablePixmap.decode(InputFile.read(path), file: path)
        if let first = all.images.first, (first.height, first.width) != (image.height, image.width) {
          throw QuasarError(
            .badData,
            "\(path): \(image.width)×\(image.height) pixels, but \(firstPath) has "
              + "\(first.width)×\(first.height); "
              + "scale all images to one size")
        }
        if all.images.isEmpty { firstPath = path }
        all.images.append(image)
        all.labels.append(UInt8(label))
      }
    }
    return all
  }
}
