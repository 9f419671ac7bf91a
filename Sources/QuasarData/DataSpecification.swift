import Foundation
import QuasarTensor

/// The source of images as users write it: "embedded", "fashion-mnist:DIR", "mnist:DIR", "cifar10:DIR", "folder:DIR" or
/// "cache:DIR".
public enum DataSpecification: Sendable, Hashable, CustomStringConvertible {
  /// The subset of Fashion-MNIST inside the package: 20,000 training and 2,000 test images, 28×28 grey.
  case embedded
  /// Folder with the four IDX files of Fashion-MNIST.
  case fashionMNIST(directory: String)
  /// Folder with the four IDX files of MNIST.
  case mnist(directory: String)
  /// Folder with the binary version of CIFAR-10, or the folder that contains cifar-10-batches-bin.
  case cifar10(directory: String)
  /// Folder with `train` and either `val` or `test`, each with one folder per class.
  case folder(directory: String)
  /// Folder that `quasar data cache` has written.
  case cache(directory: String)

  /// One form of a specification, with a line that explains it (for `quasar data list`).
  public struct Form: Sendable, Hashable {
    /// "cifar10:DIR"
    public let pattern: String
    /// The data that is read, in one line.
    public let summary: String
  }

  /// Every form that `init(parsing:)` takes.
  public static let forms = [
    Form(
      pattern: "embedded",
      summary: "subset of Fashion-MNIST in the package: 20,000 train, 2,000 test, 28×28 grey, 10 classes"),
    Form(pattern: "fashion-mnist:DIR", summary: "the four IDX files of Fashion-MNIST, gzip or not"),
    Form(pattern: "mnist:DIR", summary: "the four IDX files of MNIST, gzip or not"),
    Form(
      pattern: "cifar10:DIR", summary: "data_batch_1..5.bin, test_batch.bin, batches.meta.txt of CIFAR-10"),
    Form(pattern: "folder:DIR", summary: "train and val or test, class folders of JPEG, PNG, PGM or PPM images"),
    Form(pattern: "cache:DIR", summary: "class folders as 'quasar data cache' wrote them; images stay on disk"),
  ]

  /// The specification written as `text`; a leading "~/" of the folder is the home folder.
  ///
  /// Throws `usage` for an unknown name, a missing folder, and a folder after a name that takes none.
  public init(parsing text: String) throws(QuasarError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let name = parts[0]
    let argument = parts.count == 2 ? parts[1] : nil
    let makers: [String: (String) -> DataSpecification] = [
      "fashion-mnist": { .fashionMNIST(directory: $0) }, "mnist": { .mnist(directory: $0) },
      "cifar10": { .cifar10(directory: $0) }, "folder": { .folder(directory: $0) },
      "cache": { .cache(directory: $0) },
    ]
    if name == "embedded" {
      guard argument == nil else {
        throw QuasarError(.usage, "data “\(text)”: “embedded” takes no folder; write just “embedded”")
      }
      self = .embedded
      return
    }
    guard let make = makers[name] else {
      let known = DataSpecification.forms.map(\.pattern).joined(separator: ", ")
      throw QuasarError(.usage, "data “\(text)”: unknown data set “\(name)”; write one of \(known)")
    }
    guard let argument, !argument.isEmpty else {
      throw QuasarError(.usage, "data “\(text)”: the folder is missing; write “\(name):DIR”")
    }
    self = make(argument.hasPrefix("~") ? NSString(string: argument).expandingTildeInPath : argument)
  }

  /// The specification as it is written; parsing it gives the same value.
  public var description: String {
    switch self {
    case .embedded: "embedded"
    case .fashionMNIST(let directory): "fashion-mnist:\(directory)"
    case .mnist(let directory): "mnist:\(directory)"
    case .cifar10(let directory): "cifar10:\(directory)"
    case .folder(let directory): "folder:\(directory)"
    case .cache(let directory): "cache:\(directory)"
    }
  }

  /// The images, read and checked; the images of a cache stay on disk, all others are loaded.
  ///
  /// `size` scales the images of class folders, as in `load`. Throws the errors of `load`.
  public func open(size: Int? = nil) throws(QuasarError) -> ImageSources {
    if case .cache(let directory) = self { return try CachedImages.open(directory) }
    return ImageSources(try load(size: size))
  }

  /// The images in memory, read and checked.
  ///
  /// Class folders are scaled to squares of `size` points (shorter side scaled, middle kept); without `size` all their
  /// images need the same size. The other sets keep their own size. Throws `missing`, `badData` or `inputOutput`, each
  /// with the file, the place in it and what to do.
  public func load(size: Int? = nil) throws(QuasarError) -> ImageDataset {
    switch self {
    case .embedded:
      return try EmbeddedData.load()
    case .fashionMNIST(let directory):
      return try MNISTFolder.load(directory, name: "Fashion-MNIST", classNames: MNISTFolder.fashionNames)
    case .mnist(let directory):
      return try MNISTFolder.load(directory, name: "MNIST", classNames: MNISTFolder.digitNames)
    case .cifar10(let directory):
      return try CIFAR10.load(directory)
    case .folder(let directory):
      return try ClassFolders(directory).load(size: size)
    case .cache(let directory):
      let (train, test) = try CachedImages.parts(directory)
      return try ImageDataset(train: train.loaded(), test: test.loaded())
    }
  }
}
