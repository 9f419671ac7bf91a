import QuasarTensor

/// NumPy's .npy files, version 1.0: little-endian, C order.
///
/// Magic "\x93NUMPY", version 1 0, header length (16 bits), a Python dictionary padded with blanks and a line end to a
/// multiple of 64 bytes, the elements. Source: numpy.lib.format, "NPY format".
public enum NumPyFile {
  private static let magic: [UInt8] = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]

  /// The bytes of an .npy file, equal to those that numpy.save writes. bfloat16 becomes float32, which holds its
  /// values.
  public static func encode(_ tensor: RawTensor) -> [UInt8] {
    guard let name = tensor.elementType.numPyName else { return encode(tensor.widened) }
    let extents = tensor.shape.map(String.init).joined(separator: ", ") + (tensor.shape.count == 1 ? "," : "")
    var header = Array(
      "{'descr': '\(name)', 'fortran_order': False, 'shape': (\(extents)), }".utf8)
    // numpy leaves room for the first extent to grow to 21 digits in place, then pads to 64.
    if let first = tensor.shape.first { header += blanks(21 - String(first).utf8.count) }
    header += blanks((64 - (magic.count + 4 + header.count + 1) % 64) % 64)
    header.append(0x0a)
    // A shape of thousands of extents would not fit version 1.0; numpy itself stops at 64.
    precondition(header.count <= UInt16.max, "\(tensor.shape.count) extents")
    return magic + [1, 0, UInt8(header.count & 255), UInt8(header.count >> 8)] + header + tensor.bytes
  }

  /// Writes an .npy file; it appears completely or not at all.
  public static func write(_ tensor: RawTensor, to path: String) throws(QuasarError) {
    try AtomicFile.write(encode(tensor), to: path)
  }

  /// The tensor in an .npy file.
  public static func read(_ path: String) throws(QuasarError) -> RawTensor {
    try decode(InputFile.read(path), file: path)
  }

  /// The tensor in the bytes of an .npy file; `file` is its name in errors.
  ///
  /// Throws `badData` for another magic or version, big-endian or Fortran order, an unknown element type, and
  /// a number of bytes that does not fit the shape.
  public static func decode(_ bytes: [UInt8], file: String) throws(QuasarError) -> RawTensor {
    guard bytes.starts(with: magic) else {
      throw QuasarError(
        .badData,
        "\(file): begins with \(hexadecimal(bytes.prefix(6))), but an .npy file begins with "
          + "\(hexadecimal(magic[...])); "
          + "save it with numpy.save")
    }
    guard bytes.count >= 10 else {
      throw QuasarError(
        .badData, "\(file): truncated, \(bytes.count) bytes but the preamble takes 10; write the file again")
    }
    guard bytes[6] == 1, bytes[7] == 0 else {
      throw QuasarError(
        .badData,
        "\(file): version \(bytes[6]).\(bytes[7]) at byte 6, but 1.0 is read; save it as version 1.0")
    }
    let end = 10 + Int(bytes[8]) + Int(bytes[9]) << 8
    guard bytes.count >= end else {
      throw QuasarError(
        .badData,
        "\(file): truncated, \(bytes.count) bytes but the header ends at byte \(end); write the file again")
    }
    var parser = NumPyHeader(bytes: bytes, offset: 10, end: end, file: file)
    let header = try parser.parse()
    guard let elementType = ElementType.allCases.first(where: { $0.numPyName == header.descr }) else {
      let known = ElementType.allCases.compactMap(\.numPyName).joined(separator: ", ")
      throw QuasarError(
        .badData,
        "\(file): element type “\(header.descr)”, but \(known) are read; convert the array with astype")
    }
    guard !header.fortranOrder else {
      throw QuasarError(
        .badData,
        "\(file): the array is in Fortran order, but C order is read; save numpy.ascontiguousarray of it")
    }
    return try RawTensor(
      elementType: elementType, shape: header.shape, bytes: Array(bytes[end...]),
      name: "\(file), data from byte \(end)")
  }

  private static func blanks(_ count: Int) -> [UInt8] { [UInt8](repeating: 0x20, count: max(0, count)) }

  private static func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
    bytes.isEmpty
      ? "nothing" : bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
  }
}

/// Parses the Python dictionary in the header.
private struct NumPyHeader {
  let bytes: [UInt8]
  var offset: Int
  let end: Int
  let file: String

  mutating func parse() throws(QuasarError) -> (descr: String, fortranOrder: Bool, shape: [Int]) {
    var descr: String?
    var fortranOrder: Bool?
    var shape: [Int]?
    try expect("{")
    while !take("}") {
      let key = try text()
      try expect(":")
      switch key {
      case "descr" where descr == nil: descr = try text()
      case "fortran_order" where fortranOrder == nil: fortranOrder = try boolean()
      case "shape" where shape == nil: shape = try extents()
      default: throw failure("key “\(key)”, but descr, fortran_order and shape are expected once each")
      }
      if take("}") { break }
      try expect(",")
    }
    skipBlanks()
    guard offset == end else { throw failure("more text after the dictionary") }
    guard let descr, let fortranOrder, let shape else {
      throw failure("the dictionary ends without descr, fortran_order or shape")
    }
    return (descr, fortranOrder, shape)
  }

  private mutating func text() throws(QuasarError) -> String {
    let quote: String = take("'") ? "'" : "\""
    if quote == "\"" { try expect(quote) }
    let begin = offset
    while offset < end, bytes[offset] != quote.utf8.first { offset += 1 }
    guard offset < end else { throw failure("a text without an end") }
    defer { offset += 1 }
    return String(decoding: bytes[begin..<offset], as: UTF8.self)
  }

  private mutating func boolean() throws(QuasarError) -> Bool {
    if take("True") { return true }
    guard take("False") else { throw failure("neither True nor False") }
    return false
  }

  private mutating func extents() throws(QuasarError) -> [Int] {
    var shape: [Int] = []
    try expect("(")
    while !take(")") {
      skipBlanks()
      let begin = offset
      while offset < end, (0x30...0x39).contains(bytes[offset]) { offset += 1 }
      guard let extent = Int(String(decoding: bytes[begin..<offset], as: UTF8.self)) else {
        throw failure("no whole number in the shape")
      }
      shape.append(extent)
      if take(")") { break }
      try expect(",")
    }
    return shape
  }

  private mutating func skipBlanks() {
    while offset < end, bytes[offset] == 0x20 || bytes[offset] == 0x0a { offset += 1 }
  }

  private mutating func take(_ token: String) -> Bool {
    skipBlanks()
    guard bytes[offset..<end].starts(with: token.utf8) else { return false }
    offset += token.utf8.count
    return true
  }

  private mutating func expect(_ token: String) throws(QuasarError) {
    guard take(token) else { throw failure("“\(token)” is expected") }
  }

  private func failure(_ what: String) -> QuasarError {
    QuasarError(
      .badData, "\(file): header damaged at byte \(offset): \(what); save the array again with numpy.save")
  }
}
