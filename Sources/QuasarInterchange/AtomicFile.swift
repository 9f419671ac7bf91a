import Foundation
import QuasarTensor

/// Writes files that appear completely or not at all.
///
/// The bytes go to a temporary file in the same folder and are forced to the disk. Then the file is renamed, and the
/// folder is forced to the disk as well. A reader sees the old contents or the new ones, never a part. A failed write
/// leaves nothing half-written behind. An existing device or pipe is written to directly.
public enum AtomicFile {
  /// Writes `bytes` to `path`.
  ///
  /// Throws `cannotWrite` when the folder is missing or not writable, `inputOutput` when the disk is full or fails.
  public static func write(_ bytes: [UInt8], to path: String) throws(QuasarError) {
    try write(to: path) { output throws(QuasarError) in try output.append(bytes) }
  }

  /// Writes `data` to `path`; throws the errors of the first `write`.
  public static func write(_ data: Data, to path: String) throws(QuasarError) {
    try write(to: path) { output throws(QuasarError) in try output.append(Array(data)) }
  }

  /// Writes `text` as UTF-8 to `path`; throws the errors of the first `write`.
  public static func write(_ text: String, to path: String) throws(QuasarError) {
    try write(to: path) { output throws(QuasarError) in try output.append(Array(text.utf8)) }
  }

  /// Writes the bytes that `body` appends, piece by piece; after an error of `body` the old file is unchanged.
  public static func write(
    to path: String, _ body: (inout Output) throws(QuasarError) -> Void
  ) throws(QuasarError) {
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      guard status.st_mode & S_IFMT != S_IFDIR else {
        throw QuasarError(
          .cannotWrite, "\(path): a folder stands there, but a file is to be written; name a file")
      }
      // Renaming over /dev/null or a pipe would replace it with a plain file.
      return try writeDirectly(to: path, body)
    }
    let whole = URL(fileURLWithPath: path)
    let folder = whole.deletingLastPathComponent().path
    let temporary =
      folder + "/." + whole.lastPathComponent.prefix(100) + ".\(UUID().uuidString.prefix(8)).part"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw QuasarError(
        .cannotWrite,
        "\(path): cannot be created (\(systemMessage())); check that the folder exists and is writable")
    }
    var output = Output(descriptor: descriptor, path: path)
    do throws(QuasarError) {
      try body(&output)
      guard fsync(descriptor) == 0 else { throw output.failure("could not be forced to the disk") }
    } catch {
      close(descriptor)
      unlink(temporary)
      throw error
    }
    guard close(descriptor) == 0 else {
      let error = output.failure("could not be closed")
      unlink(temporary)
      throw error
    }
    guard rename(temporary, path) == 0 else {
      let error = QuasarError(
        .cannotWrite,
        "\(path): cannot be put in place (\(systemMessage())); check the permissions of the folder")
      unlink(temporary)
      throw error
    }
    // Some file systems refuse to sync a folder; by then the file itself is safe.
    let folderDescriptor = open(folder, O_RDONLY | O_CLOEXEC)
    if folderDescriptor >= 0 {
      fsync(folderDescriptor)
      close(folderDescriptor)
    }
  }

  private static func writeDirectly(
    to path: String, _ body: (inout Output) throws(QuasarError) -> Void
  ) throws(QuasarError) {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw QuasarError(.cannotWrite, "\(path): cannot be opened (\(systemMessage())); check its permissions")
    }
    defer { close(descriptor) }
    var output = Output(descriptor: descriptor, path: path)
    try body(&output)
  }

  /// The text of the last system error.
  fileprivate static func systemMessage() -> String { String(cString: strerror(errno)) }

  /// The file that is being written.
  public struct Output {
    fileprivate let descriptor: Int32
    fileprivate let path: String
    /// Bytes written so far.
    public private(set) var count = 0

    fileprivate init(descriptor: Int32, path: String) {
      self.descriptor = descriptor
      self.path = path
    }

    /// Adds bytes at the end; throws `inputOutput` when the disk is full or fails.
    public mutating func append(_ bytes: [UInt8]) throws(QuasarError) {
      var done = 0
      while done < bytes.count {
        let written = bytes.withUnsafeBytes { buffer in
          Foundation.write(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
        }
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else { throw failure("could not be written after byte \(count)") }
        done += written
        count += written
      }
    }

    fileprivate func failure(_ what: String) -> QuasarError {
      QuasarError(
        .inputOutput,
        "\(path): \(what) (\(AtomicFile.systemMessage())); free space on the disk or choose another folder")
    }
  }
}
