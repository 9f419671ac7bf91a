import Foundation
import QuasarTensor

/// Access to folders of data sets, with errors that name the folder and what to do.
extension InputFile {
  /// The path of the first of `names` that is a file in `directory`.
  static func locate(_ names: [String], in directory: String) throws(QuasarError) -> String {
    try requireDirectory(directory)
    for name in names {
      let path = join(directory, name)
      if FileManager.default.fileExists(atPath: path) { return path }
    }
    throw QuasarError(
      .missing,
      "\(directory): holds none of \(names.joined(separator: ", ")); "
        + "give the folder with the data set's files, or download them there")
  }

  static func requireDirectory(_ path: String) throws(QuasarError) {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw QuasarError(
        .missing, "\(path): there is no such folder; check the path in the data specification")
    }
    guard isDirectory.boolValue else {
      throw QuasarError(.badData, "\(path): a file, but a folder is expected; give the folder that holds it")
    }
  }

  /// Names in a folder without hidden ones, sorted by their UTF-8 bytes.
  static func visibleNames(in directory: String) throws(QuasarError) -> [String] {
    try requireDirectory(directory)
    do {
      return try FileManager.default.contentsOfDirectory(atPath: directory)
        .filter { !$0.hasPrefix(".") }
        .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    } catch {
      throw QuasarError(
        .inputOutput, "\(directory): cannot be listed (\(error.localizedDescription)); check its permissions")
    }
  }

  static func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
  }

  static func join(_ directory: String, _ name: String) -> String {
    directory.hasSuffix("/") ? directory + name : directory + "/" + name
  }
}
