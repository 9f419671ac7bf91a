import QuasarTensor

/// Folders with the four IDX files of MNIST, or of a set with the same file names such as Fashion-MNIST.
enum MNISTFolder {
  static let digitNames = (0...9).map(String.init)
  static let fashionNames = [
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
  ]

  /// Training and test set of one folder.
  static func load(_ directory: String, name: String, classNames: [String]) throws(QuasarError)
    -> ImageDataset
  {
    func set(_ split: String, _ prefix: String) throws(QuasarError) -> ImageSet {
      let images = try InputFile.locate(spellings(prefix + "-images", "idx3-ubyte"), in: directory)
      let labels = try InputFile.locate(spellings(prefix + "-labels", "idx1-ubyte"), in: directory)
      return try IDXFile.imageSet(
        name: name, split: split, images: (try InputFile.read(images), images),
        labels: (try InputFile.read(labels), labels), classNames: classNames)
    }
    return try ImageDataset(train: set("train", "train"), test: set("test", "t10k"))
  }

  /// The usual spellings: "train-images-idx3-ubyte" and "train-images.idx3-ubyte", with and without ".gz".
  private static func spellings(_ stem: String, _ kind: String) -> [String] {
    ["-", "."].flatMap { [stem + $0 + kind + ".gz", stem + $0 + kind] }
  }
}
