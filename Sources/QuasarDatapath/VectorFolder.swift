import Foundation
import QuasarTensor

/// A folder to fill with golden vectors: new, empty, or with older golden vectors that are replaced.
///
/// The manifest is removed first when old vectors are removed and is written last, so a folder with a manifest is
/// complete. `discard` removes everything written.
struct VectorFolder {
  static let manifestName = "manifest.json"

  let path: String
  private let isNew: Bool
  /// Files of the old vectors in the folder.
  private let old: [String]
  private(set) var written: [String] = []

  /// Throws `cannotWrite` for a file and for a folder with other files in it; changes nothing.
  init(_ path: String) throws {
    self.path = path
    var isFolder: ObjCBool = false
    isNew = !FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    guard !isNew else {
      old = []
      return
    }
    guard isFolder.boolValue else {
      throw QuasarError(.cannotWrite, "\(path): this is a file, but vectors are written to a folder; name another path")
    }
    let contents: [String]
    do {
      contents = try FileManager.default.contentsOfDirectory(atPath: path)
    } catch {
      throw QuasarError(.cannotWrite, "\(path): the folder cannot be read (\(error.localizedDescription))")
    }
    guard !contents.isEmpty else {
      old = []
      return
    }
    guard let manifest = GoldenManifest.read("\(path)/\(Self.manifestName)") else {
      throw QuasarError(
        .cannotWrite,
        "\(path): the folder is not empty and has no manifest.json of golden vectors; name a new folder or empty it")
    }
    // A manifest can be edited, so only files inside the folder are touched.
    old = manifest.files.filter { !$0.hasPrefix("/") && !$0.split(separator: "/").contains("..") }
  }

  /// Makes the folder or removes the old vectors from it.
  func clear() throws {
    try? FileManager.default.removeItem(atPath: "\(path)/\(Self.manifestName)")
    remove(old)
    try makeFolder(path)
  }

  /// The path of a file that is about to be written; creates its folder.
  mutating func file(_ name: String) throws -> String {
    if let slash = name.lastIndex(of: "/") { try makeFolder("\(path)/\(name[..<slash])") }
    written.append(name)
    return "\(path)/\(name)"
  }

  /// Number of bytes of everything written.
  var byteCount: Int {
    written.reduce(0) { sum, name in
      let attributes = try? FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")
      return sum + (attributes?[.size] as? Int ?? 0)
    }
  }

  /// Removes everything written, and the folder if it was created for it.
  func discard() {
    remove(written)
    if isNew { rmdir(path) }
  }

  /// Removes files and the folders that become empty.
  private func remove(_ files: [String]) {
    for file in files { unlink("\(path)/\(file)") }
    let folders = Set(files.compactMap { file in file.lastIndex(of: "/").map { String(file[..<$0]) } })
    for folder in folders { rmdir("\(path)/\(folder)") }
  }

  private func makeFolder(_ path: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw QuasarError(.cannotWrite, "\(path): the folder cannot be made (\(error.localizedDescription))")
    }
  }
}
