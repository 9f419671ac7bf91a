import CTurboJPEG
import QuasarTensor

extension Fixture {
  /// A JPEG file of interleaved samples: 1 grey, 3 RGB, 4 inks in Adobe's form; colour at full resolution.
  static func jpeg(
    _ pixels: [UInt8], width: Int, height: Int, samples: Int, quality: Int = 100, progressive: Bool = false
  ) throws -> [UInt8] {
    let format = samples == 1 ? TJPF_GRAY : (samples == 3 ? TJPF_RGB : TJPF_CMYK)
    let handle = tjInitCompress()
    defer { tjDestroy(handle) }
    var file: UnsafeMutablePointer<UInt8>?
    var count: UInt = 0
    defer { tjFree(file) }
    let code = tjCompress2(
      handle, pixels, Int32(width), 0, Int32(height), format.rawValue, &file, &count,
      Int32((samples == 1 ? TJSAMP_GRAY : TJSAMP_444).rawValue), Int32(quality),
      TJFLAG_ACCURATEDCT | (progressive ? TJFLAG_PROGRESSIVE : 0))
    guard code == 0, let file else {
      throw QuasarError(.internal, String(cString: tjGetErrorStr2(handle)))
    }
    return Array(UnsafeBufferPointer(start: file, count: Int(count)))
  }
}
