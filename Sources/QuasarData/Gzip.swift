import CZlib
import QuasarTensor

/// gzip files (RFC 1952), unpacked in memory.
enum Gzip {
  /// The first two bytes of every gzip file.
  static let magic: [UInt8] = [0x1f, 0x8b]

  /// Unpacked sizes above this are refused, so that a small hostile file cannot fill the memory: 2 GiB.
  static let largestOutput = 2 << 30

  /// The contents of a gzip file, or the bytes themselves when they do not begin with the gzip magic.
  ///
  /// Several members one after the other are joined, as gzip does. Throws `badData` for a damaged or truncated stream,
  /// a wrong checksum and bytes after the end.
  static func unpackIfPacked(_ bytes: [UInt8], file: String) throws(QuasarError) -> [UInt8] {
    guard bytes.starts(with: magic) else { return bytes }
    var output: [UInt8] = []
    var offset = 0
    while offset < bytes.count {
      guard bytes[offset...].starts(with: magic) else {
        throw QuasarError(
          .badData,
          "\(file): \(bytes.count - offset) bytes after the end of the gzip stream at byte \(offset); "
            + "fetch the file again")
      }
      offset += try unpackMember(bytes, from: offset, into: &output, file: file)
    }
    return output
  }

  /// Appends one member to `output`; returns the number of packed bytes that it took.
  private static func unpackMember(
    _ bytes: [UInt8], from start: Int, into output: inout [UInt8], file: String
  ) throws(QuasarError) -> Int {
    var stream = z_stream()
    // 15 bits of window; +16 selects the gzip wrapper and its checksum.
    let opened = inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard opened == Z_OK else {
      throw QuasarError(.internal, "\(file): zlib did not start (code \(opened)); check the installed zlib")
    }
    defer { inflateEnd(&stream) }

    var consumed = 0
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let offered = min(bytes.count - start - consumed, 1 << 30)
      var used = 0
      var written = 0
      let code = bytes.withUnsafeBufferPointer { input in
        chunk.withUnsafeMutableBufferPointer { room in
          // zlib does not write through next_in.
          stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.advanced(by: start + consumed))
          stream.avail_in = UInt32(offered)
          stream.next_out = room.baseAddress
          stream.avail_out = UInt32(room.count)
          let code = inflate(&stream, Z_NO_FLUSH)
          used = offered - Int(stream.avail_in)
          written = room.count - Int(stream.avail_out)
          return code
        }
      }
      consumed += used
      guard output.count + written <= largestOutput else {
        throw QuasarError(
          .badData,
          "\(file): unpacks to more than \(largestOutput) bytes; this is not a data set of small images")
      }
      output.append(contentsOf: chunk[..<written])
      if code == Z_STREAM_END { return consumed }
      if code == Z_BUF_ERROR || (code == Z_OK && used == 0 && written == 0) {
        throw QuasarError(
          .badData,
          "\(file): truncated gzip, the file ends at byte \(bytes.count) inside the compressed stream "
            + "(\(output.count) bytes unpacked so far); fetch the file again")
      }
      guard code == Z_OK else {
        let reason = stream.msg.map { String(cString: $0) } ?? "code \(code)"
        throw QuasarError(
          .badData,
          "\(file): damaged gzip near byte \(start + consumed) (\(reason)); fetch the file again")
      }
    }
  }
}
