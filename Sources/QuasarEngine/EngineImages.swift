import QuasarNetwork
import QuasarTensor

extension EngineNetwork {
  /// Pixels of the images in the order of the engine's stream, one after the other, `imageBytes` each.
  ///
  /// For each group of `drain` patches, for each input, the pixels of the group, padded to a power of two. The top bit of
  /// a pixel is flipped: the engine computes with x − 128.
  public func pixels(_ patches: PatchBatch) -> [UInt8] {
    let geometry = graph.geometry
    let beat = shape.pixelBeatBytes
    var bytes = [UInt8](repeating: 0, count: imageBytes * patches.batch)
    for image in 0..<patches.batch {
      for patch in 0..<geometry.patches {
        let group = image * imageBytes + patch / shape.drain * geometry.patchInputs * beat + patch % shape.drain
        let source = patches.codes.pointer + (image * geometry.patches + patch) * geometry.patchInputs
        for input in 0..<geometry.patchInputs { bytes[group + input * beat] = source[input] ^ 0x80 }
      }
    }
    withExtendedLifetime(patches) {}
    return bytes
  }
}
