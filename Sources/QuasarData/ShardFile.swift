import CZlib
import Foundation
import QuasarTensor

/// One shard of an image cache: a header, a table of pixel sums, the pixels, and two checksums.
///
/// | bytes | contents |
/// | --- | --- |
/// | 8 | "QSRIMGS\n" |
/// | 24 | u32 version 1, checksum of the source list, channels, size, number of images, place of the first one |
/// | 16·channels·count | for each image and channel u64 Σp, u64 Σp²; all ones for an image that could not be decoded |
/// | 4 | CRC-32 of everything before it |
/// | channels·size²·count | pixels, planar |
/// | 4 | CRC-32 of everything before it |
///
/// All numbers are little-endian. The table has its own checksum, so the mean of a data set can be computed without
/// reading its pixels.
struct ShardFile: Sendable {
  let source: UInt32
  let channels: Int
  let size: Int
  /// Index of the first image in its part of the data set.
  let first: Int
  let count: Int

  static let magic = Array("QSRIMGS\n".utf8)
  static let headerBytes = 32

  var bytesPerImage: Int { channels * size * size }
  var tableEnd: Int { ShardFile.headerBytes + 16 * channels * count }
  var pixels: Int { tableEnd + 4 }
  var byteCount: Int { pixels + count * bytesPerImage + 4 }

  private var header: [UInt8] {
    ShardFile.magic
      + [1, source, UInt32(channels), UInt32(size), UInt32(count), UInt32(first)].flatMap(ShardFile.littleEndian)
  }

  /// The bytes of the file; `image` gives the planar pixels at an index, nil if the image cannot be decoded.
  func encode(_ image: (Int) throws(QuasarError) -> [UInt8]?) throws(QuasarError) -> [UInt8] {
    var body: [UInt8] = []
    body.reserveCapacity(byteCount - pixels)
    var table: [UInt8] = []
    for place in first..<first + count {
      if let found = try image(place) {
        precondition(found.count == bytesPerImage, "\(found.count) bytes in a shard of \(bytesPerImage)")
        for sums in ShardFile.sums(found, channels: channels) {
          table += ShardFile.littleEndian(UInt64(sums.sum)) + ShardFile.littleEndian(UInt64(sums.squares))
        }
        body += found
      } else {
        table += [UInt8](repeating: 255, count: 16 * channels)
        body += [UInt8](repeating: 0, count: bytesPerImage)
      }
    }
    var file = header + table
    file.reserveCapacity(byteCount)
    file += ShardFile.littleEndian(ShardFile.crc(file))
    file += body
    return file + ShardFile.littleEndian(ShardFile.crc(file))
  }

  static func sums(_ image: [UInt8], channels: Int) -> [ChannelSums] {
    let area = image.count / channels
    return image.withUnsafeBufferPointer { pixels in
      (0..<channels).map { channel in
        var sums = ChannelSums()
        sums.add(UnsafeBufferPointer(rebasing: pixels[channel * area..<(channel + 1) * area]))
        return sums
      }
    }
  }

  /// The sums of each image and channel in the table, nil for images that could not be decoded.
  ///
  /// Throws `missing` or `badData`, naming the file and `advice`.
  func table(of path: String, advice: String) throws(QuasarError) -> [[ChannelSums]?] {
    let file = try RandomAccessFile(path, advice: advice)
    let bytes = try file.read(at: 0, count: pixels)
    guard bytes.starts(with: header) else {
      throw QuasarError(.badData, "\(path): the header is that of another shard; \(advice)")
    }
    try ShardFile.compare(
      ShardFile.crc(bytes.dropLast(4)), ShardFile.number(bytes.suffix(4)), path, "its table", advice)
    func sum(_ place: Int) -> UInt64 {
      bytes[place..<place + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    return (0..<count).map { image in
      let start = ShardFile.headerBytes + 16 * channels * image
      guard sum(start) != .max else { return nil }
      return (0..<channels).map { channel in
        let place = start + 16 * channel
        return ChannelSums(
          sum: Int(truncatingIfNeeded: sum(place)), squares: Int(truncatingIfNeeded: sum(place + 8)))
      }
    }
  }

  /// The CRC-32 of a whole shard, read through once and compared with its own last four bytes and with `expected`.
  func checksum(of path: String, expected: UInt32? = nil, advice: String) throws(QuasarError) -> UInt32 {
    let file = try RandomAccessFile(path, advice: advice)
    guard file.byteCount == byteCount else {
      throw QuasarError(
        .badData, "\(path): \(file.byteCount) bytes, but this shard has \(byteCount); \(advice)")
    }
    var crc: UInt32 = 0
    var offset = 0
    while offset < byteCount - 4 {
      let piece = try file.read(at: offset, count: min(1 << 20, byteCount - 4 - offset))
      if offset == 0, !piece.starts(with: header) {
        throw QuasarError(.badData, "\(path): the header is that of another shard; \(advice)")
      }
      crc = ShardFile.crc(piece, after: crc)
      offset += piece.count
    }
    let own = ShardFile.number(try file.read(at: byteCount - 4, count: 4)[...])
    try ShardFile.compare(crc, own, path, "its last bytes", advice)
    if let expected { try ShardFile.compare(crc, expected, path, "the manifest", advice) }
    return crc
  }

  private static func compare(
    _ found: UInt32, _ expected: UInt32, _ path: String, _ witness: String, _ advice: String
  ) throws(QuasarError) {
    guard found == expected else {
      throw QuasarError(
        .badData,
        "\(path): damaged shard, CRC-32 \(hexadecimal(found)) but \(witness) say \(hexadecimal(expected)); \(advice)")
    }
  }

  static func crc(_ bytes: some Collection<UInt8>, after start: UInt32 = 0) -> UInt32 {
    bytes.withContiguousStorageIfAvailable { buffer in
      UInt32(truncatingIfNeeded: crc32_z(UInt(start), buffer.baseAddress, buffer.count))
    } ?? crc(Array(bytes), after: start)
  }

  static func hexadecimal(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }

  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }
}

/// A file that is read piece by piece. If it shrinks meanwhile, that is an error and not a crash as with a mapped file.
struct RandomAccessFile: ~Copyable {
  let path: String
  let byteCount: Int
  private let descriptor: Int32
  private let advice: String

  /// Opens a file; throws `missing` or `inputOutput` with its name and `advice`.
  init(_ path: String, advice: String) throws(QuasarError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      let kind: QuasarError.Kind = errno == ENOENT ? .missing : .inputOutput
      throw QuasarError(kind, "\(path): cannot be opened (\(String(cString: strerror(errno)))); \(advice)")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      close(descriptor)
      throw QuasarError(.inputOutput, "\(path): its size cannot be asked; check the disk")
    }
    self.path = path
    self.descriptor = descriptor
    self.advice = advice
    byteCount = Int(status.st_size)
  }

  deinit { close(descriptor) }

  /// Fills `target` with the bytes from `offset` on; throws `badData` where the file ends before.
  func read(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws(QuasarError) {
    var done = 0
    while done < target.count {
      let got = pread(
        descriptor, target.baseAddress?.advanced(by: done), target.count - done, off_t(offset + done))
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else {
        throw QuasarError(
          .inputOutput,
          "\(path): cannot be read at byte \(offset + done) (\(String(cString: strerror(errno)))); check the disk")
      }
      guard got > 0 else {
        throw QuasarError(
          .badData,
          "\(path): ends before byte \(offset + done), but the \(target.count - done) from there are needed; \(advice)")
      }
      done += got
    }
  }

  /// `count` bytes from `offset` on.
  func read(at offset: Int, count: Int) throws(QuasarError) -> [UInt8] {
    var failure: QuasarError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { room, filled in
      do throws(QuasarError) {
        try read(
          at: offset, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(room)[..<count]))
        filled = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }
}
