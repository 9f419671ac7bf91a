import QuasarTensor

/// Reads the part of JSON that a safetensors header may hold: objects, strings and lists of whole numbers.
///
/// It is stricter than a general parser: a repeated key is an error, because two readers could disagree on which one
/// counts. Errors give the byte in the file.
struct JSONScanner {
  let bytes: [UInt8]
  var offset: Int
  let end: Int
  let file: String
  /// Text before the reason in errors: the tensor that is being read.
  var context = ""

  init(bytes: [UInt8], offset: Int, end: Int, file: String) {
    self.bytes = bytes
    self.offset = offset
    self.end = end
    self.file = file
  }

  /// Reads {"key": value, …}; `member` reads each value.
  mutating func object(
    _ member: (inout JSONScanner, String) throws(QuasarError) -> Void
  ) throws(QuasarError) {
    try expect("{")
    if take("}") { return }
    var seen: Set<String> = []
    repeat {
      let key = try string()
      guard seen.insert(key).inserted else { throw failure("key “\(key)” comes twice") }
      try expect(":")
      try member(&self, key)
    } while take(",")
    try expect("}")
  }

  /// Reads [0, 1, …]: whole numbers without sign, fraction or exponent.
  mutating func wholeNumbers() throws(QuasarError) -> [Int] {
    var numbers: [Int] = []
    try expect("[")
    if take("]") { return numbers }
    repeat {
      skipBlanks()
      let begin = offset
      while offset < end, (0x30...0x39).contains(bytes[offset]) { offset += 1 }
      let digits = String(decoding: bytes[begin..<offset], as: UTF8.self)
      let isFraction = offset < end && Array(".eE".utf8).contains(bytes[offset])
      guard let number = Int(digits), !isFraction, digits == "0" || !digits.hasPrefix("0") else {
        throw failure("no whole number from 0 to \(Int.max)")
      }
      numbers.append(number)
    } while take(",")
    try expect("]")
    return numbers
  }

  /// Reads "…" with all escapes of JSON.
  mutating func string() throws(QuasarError) -> String {
    try expect("\"")
    var content: [UInt8] = []
    while offset < end, bytes[offset] != UInt8(ascii: "\"") {
      let byte = bytes[offset]
      guard byte >= 0x20 else { throw failure("a control character in a string") }
      offset += 1
      if byte == UInt8(ascii: "\\") {
        content += try escape()
      } else {
        content.append(byte)
      }
    }
    guard offset < end else { throw failure("a string without an end") }
    guard let text = String(validating: content, as: UTF8.self) else {
      throw failure("a string that is no UTF-8")
    }
    offset += 1
    return text
  }

  /// Throws if anything but blanks follows.
  mutating func finish() throws(QuasarError) {
    skipBlanks()
    guard offset == end else { throw failure("more text after the header's object") }
  }

  func failure(_ what: String) -> QuasarError {
    QuasarError(
      .badData,
      "\(file): header damaged at byte \(offset): \(context)\(what); the file has to be written again")
  }

  /// The UTF-8 bytes of the escape after a backslash.
  private mutating func escape() throws(QuasarError) -> [UInt8] {
    guard offset < end else { throw failure("a string without an end") }
    let byte = bytes[offset]
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0c]
    case UInt8(ascii: "n"): return [0x0a]
    case UInt8(ascii: "r"): return [0x0d]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      var code = try fourDigits()
      if (0xd800..<0xdc00).contains(code), offset + 1 < end, bytes[offset] == UInt8(ascii: "\\"),
        bytes[offset + 1] == UInt8(ascii: "u")
      {
        offset += 2
        let low = try fourDigits()
        guard (0xdc00..<0xe000).contains(low) else { throw failure("half of a surrogate pair") }
        code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure("half of a surrogate pair") }
      return Array(String(scalar).utf8)
    default: throw failure("an unknown escape in a string")
    }
  }

  private mutating func fourDigits() throws(QuasarError) -> UInt32 {
    guard offset + 4 <= end,
      bytes[offset..<offset + 4].allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let code = UInt32(String(decoding: bytes[offset..<offset + 4], as: UTF8.self), radix: 16)
    else { throw failure("no four hexadecimal digits after \\u") }
    offset += 4
    return code
  }

  private mutating func skipBlanks() {
    while offset < end, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[offset]) { offset += 1 }
  }

  private mutating func take(_ token: Unicode.Scalar) -> Bool {
    skipBlanks()
    guard offset < end, bytes[offset] == UInt8(ascii: token) else { return false }
    offset += 1
    return true
  }

  private mutating func expect(_ token: Unicode.Scalar) throws(QuasarError) {
    guard take(token) else { throw failure("“\(token)” is expected") }
  }
}
