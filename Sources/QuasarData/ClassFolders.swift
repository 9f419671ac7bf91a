import QuasarTensor

/// A data set as folders: DIR/train/CLASS/IMAGE, and DIR/val or DIR/test in the same form.
///
/// Classes are the folders under `train`, images the files in them, both in the byte order of their names. Listing
/// opens no image. Grey files among coloured ones are widened to three equal channels.
struct ClassFolders: Sendable {
  /// The files of one part, class after class.
  struct Part: Sendable {
    /// "train", "val" or "test".
    let split: String
    let classNames: [String]
    let classCounts: [Int]
    /// "train/CLASS/IMAGE"
    let files: [String]

    var labels: [UInt16] {
      classCounts.enumerated().flatMap { Array(repeating: UInt16($0.offset), count: $0.element) }
    }
  }

  let directory: String
  /// The last part of the directory's path.
  let name: String
  let train: Part
  let test: Part

  /// Images that take more memory than this are refused: 4 GiB.
  static let largestInMemory = 4 << 30

  /// Lists the folders; if both `val` and `test` exist, `val` is the test set.
  init(_ directory: String) throws(QuasarError) {
    try InputFile.requireDirectory(directory)
    guard
      let testSplit = ["val", "test"].first(where: { InputFile.isDirectory(InputFile.join(directory, $0)) })
    else {
      throw QuasarError(
        .missing, "\(directory): neither val nor test is there; class folders need train and one of these")
    }
    self.directory = directory
    name = directory.split(separator: "/").last.map(String.init) ?? directory
    train = try ClassFolders.list(directory, "train")
    test = try ClassFolders.list(directory, testSplit)
    try requireSameClasses(name, ("train", train.classNames), (testSplit, test.classNames))
  }

  private static func list(_ root: String, _ split: String) throws(QuasarError) -> Part {
    let directory = InputFile.join(root, split)
    let classNames = try InputFile.visibleNames(in: directory)
      .filter { InputFile.isDirectory(InputFile.join(directory, $0)) }
    guard (1...largestClassCount).contains(classNames.count) else {
      throw QuasarError(
        .badData,
        "\(directory): \(classNames.count) class folders, but 1 to \(largestClassCount) are read; one folder is one "
          + "class")
    }
    var files: [String] = []
    var counts: [Int] = []
    for className in classNames {
      let folder = InputFile.join(directory, className)
      let names = try InputFile.visibleNames(in: folder)
      guard !names.isEmpty else {
        throw QuasarError(
          .badData, "\(folder): 0 images, but each class needs at least 1; add images or remove it")
      }
      files += names.map { "\(split)/\(className)/\($0)" }
      counts.append(names.count)
    }
    return Part(split: split, classNames: classNames, classCounts: counts, files: files)
  }

  func path(_ file: String) -> String { InputFile.join(directory, file) }

  /// The picture in one file; a larger JPEG is decoded at least `covering` points wide and high.
  func picture(_ file: String, covering size: Int? = nil) throws(QuasarError) -> Raster {
    let path = path(file)
    return try ImageFile.decode(InputFile.read(path), file: path, covering: size)
  }

  /// 3 if any file has colour, otherwise 1; reads headers up to the first file with colour.
  ///
  /// Throws `badData` for the first damaged file before that, unless such files are skipped.
  func channels(skippingDamaged: Bool = false) throws(QuasarError) -> Int {
    for file in train.files + test.files {
      let path = path(file)
      let bytes = try InputFile.read(path)
      do throws(QuasarError) {
        if try ImageFile.channels(bytes, file: path) == 3 { return 3 }
      } catch {
        guard skippingDamaged, error.kind == .badData else { throw error }
      }
    }
    return 1
  }

  /// Both parts in memory, scaled to squares of `size`; without `size` all images need the same size.
  func load(size: Int?) throws(QuasarError) -> ImageDataset {
    let train = try load(train, size: size)
    let test = try load(test, size: size)
    let channels = max(train.channels, test.channels)
    return try ImageDataset(
      train: train.set(name: name, channels: channels), test: test.set(name: name, channels: channels))
  }

  /// The images at `indices` of a part (all by default), scaled to squares of `size`, or all of one size.
  func load(_ part: Part, indices: [Int]? = nil, size: Int?) throws(QuasarError) -> LoadedPart {
    guard size.map({ (1...SquareResize.largestSize).contains($0) }) ?? true else {
      throw QuasarError(.usage, "size \(size ?? 0): use 1 to \(SquareResize.largestSize) points")
    }
    let labels = part.labels
    let chosen = indices ?? Array(part.files.indices)
    var loaded = LoadedPart(part: part)
    for index in chosen {
      let picture = try picture(part.files[index], covering: size)
      let side = (height: size ?? picture.height, width: size ?? picture.width)
      if loaded.labels.isEmpty {
        (loaded.height, loaded.width) = side
        let bytes = checkedProduct([chosen.count, picture.channels, side.height, side.width])
        guard let bytes, bytes <= ClassFolders.largestInMemory else {
          throw QuasarError(
            .badData,
            "\(directory): \(chosen.count) images of \(side.width)×\(side.height) in \(part.split) take more than "
              + "\(ClassFolders.largestInMemory >> 30) GiB of memory; train with --cache DIR, or write them to disk once "
              + "with 'quasar data cache folder:\(directory) --size N --out DIR' and use cache:DIR")
        }
      }
      guard side == (loaded.height, loaded.width) else {
        throw QuasarError(
          .badData,
          "\(path(part.files[index])): \(picture.width)×\(picture.height) pixels, but "
            + "\(path(part.files[chosen[0]])) has \(loaded.width)×\(loaded.height); name a size that all are scaled "
            + "to, or make them equal")
      }
      loaded.channels = max(loaded.channels, picture.channels)
      loaded.images.append(size.map { SquareResize.planar(picture, size: $0) } ?? picture.planar)
      loaded.labels.append(labels[index])
    }
    return loaded
  }

  /// Planar images of one size; some may be grey and some coloured.
  struct LoadedPart {
    let part: Part
    var channels = 1
    var height = 0
    var width = 0
    var images: [[UInt8]] = []
    var labels: [UInt16] = []

    init(part: Part) { self.part = part }

    func set(name: String, channels: Int) throws(QuasarError) -> ImageSet {
      var pixels: [UInt8] = []
      pixels.reserveCapacity(images.count * height * width * channels)
      for image in images {
        for _ in 0..<channels * height * width / image.count { pixels += image }
      }
      return try ImageSet(
        name: name, split: part.split, channels: channels, height: height, width: width, images: pixels,
        labels: labels, classNames: part.classNames)
    }
  }
}
