import QuasarTensor

/// The header of a .safetensors file: length, JSON, padding.
enum SafetensorsHeader {
  static let metadataKey = "__metadata__"
  /// The format's own limit; a longer header is an attack or a damaged length.
  static let largest = 100_000_000

  /// One tensor's entry; begin and end count from the first byte after the header.
  struct Entry {
    var name: String
    var elementType: ElementType
    var shape: [Int]
    var begin: Int
    var end: Int
  }

  static func encode(_ file: SafetensorsFile) -> [UInt8] {
    var members: [(key: String, json: String)] = []
    if !file.metadata.isEmpty {
      let pairs = sortedByBytes(file.metadata.keys).map { "\(quoted($0)):\(quoted(file.metadata[$0] ?? ""))" }
      members.append((metadataKey, "{" + pairs.joined(separator: ",") + "}"))
    }
    var offset = 0
    for name in file.names {
      guard let tensor = file.tensors[name] else { continue }
      let end = offset + tensor.bytes.count
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      members.append(
        (
          name,
          "{\"data_offsets\":[\(offset),\(end)],\"dtype\":\"\(tensor.elementType.rawValue)\","
            + "\"shape\":[\(shape)]}"
        ))
      offset = end
    }
    members.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    var header = Array(
      ("{" + members.map { quoted($0.key) + ":" + $0.json }.joined(separator: ",") + "}").utf8)
    header += [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8)
    return withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header
  }

  /// Entries in the order of the header, metadata, and the offset of the first data byte.
  static func decode(
    _ bytes: [UInt8], file: String
  ) throws(QuasarError) -> (entries: [Entry], metadata: [String: String], start: Int) {
    guard bytes.count >= 8 else {
      throw QuasarError(
        .badData,
        "\(file): truncated, \(bytes.count) bytes but the header length alone takes 8; fetch it again")
    }
    let length = bytes[0..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(min(bytes.count - 8, largest)) else {
      throw QuasarError(
        .badData,
        "\(file): header length \(length) at byte 0, but \(bytes.count - 8) bytes follow (at most "
          + "\(largest) are "
          + "allowed); the file is truncated or no safetensors file")
    }
    let start = 8 + Int(length)
    var json = JSONScanner(bytes: bytes, offset: 8, end: start, file: file)
    var entries: [Entry] = []
    var metadata: [String: String] = [:]
    try json.object { scanner, key throws(QuasarError) in
      if key == metadataKey {
        try scanner.object { inner, key throws(QuasarError) in metadata[key] = try inner.string() }
      } else {
        entries.append(try entry(&scanner, name: key))
      }
    }
    try json.finish()
    return (entries, metadata, start)
  }

  private static func entry(_ json: inout JSONScanner, name: String) throws(QuasarError) -> Entry {
    var typeName: String?
    var shape: [Int]?
    var offsets: [Int]?
    json.context = "tensor “\(name)”, "
    try json.object { scanner, key throws(QuasarError) in
      switch key {
      case "dtype": typeName = try scanner.string()
      case "shape": shape = try scanner.wholeNumbers()
      case "data_offsets": offsets = try scanner.wholeNumbers()
      default: throw scanner.failure("key “\(key)”, but dtype, shape and data_offsets are expected")
      }
    }
    guard let typeName, let shape, let offsets else {
      throw json.failure("dtype, shape or data_offsets is missing")
    }
    guard offsets.count == 2 else {
      throw json.failure("\(offsets.count) data_offsets, but 2 are expected")
    }
    guard let elementType = ElementType(rawValue: typeName) else {
      let known = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
      throw QuasarError(
        .badData,
        "\(json.file): tensor “\(name)”: dtype “\(typeName)”, but \(known) are read; convert the tensor first"
      )
    }
    json.context = ""
    return Entry(name: name, elementType: elementType, shape: shape, begin: offsets[0], end: offsets[1])
  }

  /// A JSON string that escapes only the characters that JSON requires.
  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        result += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
