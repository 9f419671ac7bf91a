import QuasarArithmetic
import QuasarData
import QuasarNetwork
import QuasarTensor

extension IntegerModel {
  /// int32 logit codes [images, classes] of a whole set; images on disk are read 1,000 at a time.
  ///
  /// `observe` receives the number of images done. Throws the errors of `logits`, and an error where an image cannot be
  /// read.
  public func logits(
    of source: any ImageSource, on units: any IntegerUnits = KernelUnits(), observe: (Int) -> Void = { _ in }
  ) throws -> NDArray<Int32> {
    let part = source.isInMemory ? source.count : 1000
    let result = NDArray<Int32>(uninitialized: [source.count, architecture.geometry.classes])
    for first in stride(from: 0, to: source.count, by: part) {
      let range = first..<min(first + part, source.count)
      result.rows(range).assign(try logits(source.array(range), on: units) { observe(first + $0) })
    }
    return result
  }
}
