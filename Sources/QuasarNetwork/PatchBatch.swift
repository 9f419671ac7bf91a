import CKernels
import QuasarTensor

/// A batch of images as pixel codes of patches.
public struct PatchBatch {
  /// [batch·patches, channels·patch²] u8 pixels.
  public let codes: NDArray<UInt8>
  public let batch: Int

  /// From planar images [batch, channels, size, size].
  public init(images: NDArray<UInt8>, geometry: ImageGeometry) {
    batch = images.shape[0]
    precondition(
      images.count == batch * geometry.channels * geometry.imageSize * geometry.imageSize,
      "images \(images.shape) for \(geometry)")
    codes = NDArray(uninitialized: [batch * geometry.patches, geometry.patchInputs])
    qk_patch_codes(
      batch, geometry.channels, geometry.imageSize, geometry.patchSize, images.pointer, codes.pointer)
  }
}
