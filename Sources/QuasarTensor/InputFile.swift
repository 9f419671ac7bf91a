import Foundation

/// Reads files as bytes, with errors that name the file and what to do.
public enum InputFile {
  /// The bytes of one file; throws `missing`, `badData` for a folder, or `inputOutput`.
  public static func read(_ path: String) throws(QuasarError) -> [UInt8] {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw QuasarError(.missing, "\(path): there is no such file; check the path")
    }
    guard !isDirectory.boolValue else {
      throw QuasarError(.badData, "\(path): a folder stands where a file is expected; name the file in it")
    }
    do {
      return [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      throw QuasarError(
        .inputOutput, "\(path): cannot be read (\(error.localizedDescription)); check its permissions")
    }
  }
}
