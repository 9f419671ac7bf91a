import Foundation
import QuasarArithmetic
import QuasarDatapath
import QuasarInterchange
import QuasarNetwork
import QuasarTensor
import Testing

/// A folder of golden vectors, read back from its files.
final class GoldenFolder {
  let path: String
  private(set) var manifest: [String: Any] = [:]

  /// A path that does not exist yet; it is removed with this object.
  init() {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("vectors-\(UUID().uuidString)").path
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  func write(
    _ model: IntegerModel, _ images: NDArray<UInt8>, layers: [String] = [], on units: any IntegerUnits = KernelUnits(),
    engine: EngineSummary? = nil
  ) throws {
    _ = try GoldenVectors(model, layers: layers, on: units, engine: engine).write(images, to: path)
    try read()
  }

  func read() throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: path + "/manifest.json"))
    manifest = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  /// Every file below the folder, sorted.
  func files() throws -> [String] {
    let all = try #require(FileManager.default.enumerator(atPath: path)).compactMap { $0 as? String }
    return all.filter { name in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: "\(path)/\(name)", isDirectory: &isFolder) && !isFolder.boolValue
    }.sorted()
  }

  struct Tensor {
    var shape: [Int]
    var values: [Int]
  }

  struct Layer {
    var name: String
    var kind: String
    var tensors: [String: Tensor] = [:]

    subscript(role: String) -> Tensor {
      get throws { try #require(tensors[role], "\(name) has no \(role)") }
    }
  }

  /// The layers with the numbers of their .npy files; the .hex files must hold the same numbers.
  func layers() throws -> [Layer] {
    let entries = try #require(manifest["layers"] as? [[String: Any]])
    return try entries.map { entry in
      var layer = Layer(
        name: try #require(entry["name"] as? String), kind: try #require(entry["kind"] as? String))
      for tensor in try #require(entry["tensors"] as? [[String: Any]]) {
        let place = "\(layer.name)/\(tensor["role"] ?? "")"
        let role = try #require(tensor["role"] as? String)
        let file = try NumPyFile.read("\(path)/\(try #require(tensor["npy"] as? String))")
        let values = try GoldenFolder.integers(file)
        #expect(file.shape == tensor["shape"] as? [Int], "\(place)")
        let bits = try #require(tensor["bits"] as? Int)
        let isSigned = try #require(tensor["signed"] as? Bool)
        let hex = try #require(tensor["hex"] as? String)
        #expect(try self.hex(hex, bits: bits, isSigned: isSigned) == values, "\(place): .hex and .npy differ")
        layer.tensors[role] = Tensor(shape: file.shape, values: values)
      }
      return layer
    }
  }

  /// Two's complement of `bits` bits, ⌈bits/4⌉ digits per line, after one comment.
  private func hex(_ name: String, bits: Int, isSigned: Bool) throws -> [Int] {
    let text = try String(contentsOfFile: "\(path)/\(name)", encoding: .ascii)
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.first?.hasPrefix("// ") == true && lines.last == "")
    lines = Array(lines.dropFirst().dropLast())
    return try lines.map { line in
      try #require(line.count == (bits + 3) / 4, "\(name): '\(line)'")
      let word = try #require(UInt64(line, radix: 16), "\(name): '\(line)'")
      try #require(bits == 64 || word >> UInt64(bits) == 0, "\(name): '\(line)' is wider than \(bits) bits")
      // Moves the sign bit to the top of 64 bits and back.
      let unused = UInt64(64 - bits)
      return isSigned ? Int(Int64(bitPattern: word << unused) >> Int64(unused)) : Int(word)
    }
  }

  private static func integers(_ tensor: RawTensor) throws -> [Int] {
    switch tensor.elementType {
    case .int8: try tensor.values(as: Int8.self).map { Int($0) }
    case .uint8: try tensor.values(as: UInt8.self).map { Int($0) }
    case .int16: try tensor.values(as: Int16.self).map { Int($0) }
    case .int32: try tensor.values(as: Int32.self).map { Int($0) }
    case .int64: try tensor.values(as: Int64.self).map { Int($0) }
    case .float32, .float16, .bfloat16: throw QuasarError(.badData, "a golden tensor of floats")
    }
  }
}
