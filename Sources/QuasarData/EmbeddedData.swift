import Foundation
import QuasarTensor

/// The subset of Fashion-MNIST that ships inside the package: 20,000 training and 2,000 test images.
///
/// It has the first 2,000 training images and the first 200 test images of each of the 10 classes, in the order of the
/// original files. `tools/make-embedded-data` writes the files; the folder's NOTICE names the source.
enum EmbeddedData {
  static let name = "Fashion-MNIST, embedded subset"

  /// Training and test set from the package's resources.
  static func load() throws(QuasarError) -> ImageDataset {
    func file(_ name: String) throws(QuasarError) -> (bytes: [UInt8], file: String) {
      guard let root = Bundle.module.resourcePath else {
        throw QuasarError(
          .missing,
          "Embedded/\(name): the package's resources are gone; build again, or name another data set")
      }
      let path = InputFile.join(InputFile.join(root, "Embedded"), name)
      return (try InputFile.read(path), path)
    }
    let train = try IDXFile.imageSet(
      name: name, split: "train",
      parts: [file("train-images-1-idx3-ubyte.gz"), file("train-images-2-idx3-ubyte.gz")],
      labels: file("train-labels-idx1-ubyte.gz"), classNames: MNISTFolder.fashionNames)
    let test = try IDXFile.imageSet(
      name: name, split: "test", images: file("test-images-idx3-ubyte.gz"),
      labels: file("test-labels-idx1-ubyte.gz"), classNames: MNISTFolder.fashionNames)
    return try ImageDataset(train: train, test: test)
  }
}
