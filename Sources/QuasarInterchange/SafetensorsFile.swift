import QuasarTensor

/// Named tensors and text metadata: the contents of a .safetensors file.
///
/// Layout: header length (64 bits, little-endian), JSON header, the tensors' bytes one after the other. The bytes
/// written depend only on the contents: tensors and keys are sorted by the UTF-8 bytes of their names, there are no
/// blanks, and the header is padded with blanks to a multiple of 8. Source: github.com/huggingface/safetensors,
/// "Format".
public struct SafetensorsFile: Sendable, Equatable {
  /// Tensors by name.
  public private(set) var tensors: [String: RawTensor] = [:]
  /// Text by key ("__metadata__" of the header).
  public var metadata: [String: String]

  /// A file without tensors.
  public init(metadata: [String: String] = [:]) {
    self.metadata = metadata
  }

  /// Names of the tensors, sorted by their UTF-8 bytes: the order in the file.
  public var names: [String] { sortedByBytes(tensors.keys) }

  /// Adds a tensor.
  ///
  /// Throws `usage` for the reserved name "__metadata__", an empty name, and a name that is already used.
  public mutating func add(_ tensor: RawTensor, named name: String) throws(QuasarError) {
    guard !name.isEmpty, name != SafetensorsHeader.metadataKey else {
      throw QuasarError(
        .usage, "tensor “\(name)”: this name is reserved in safetensors files; choose another one")
    }
    guard tensors[name] == nil else {
      throw QuasarError(.usage, "tensor “\(name)”: added twice to one file; choose another name")
    }
    tensors[name] = tensor
  }

  /// Adds a tensor of these values; throws the errors of `add` and `RawTensor`.
  public mutating func add<Element: TensorElement>(
    _ values: [Element], shape: [Int], named name: String
  ) throws(QuasarError) {
    try add(RawTensor(values, shape: shape, name: "tensor “\(name)”"), named: name)
  }

  /// The tensor of this name; throws `badData` if there is none.
  public func tensor(named name: String) throws(QuasarError) -> RawTensor {
    guard let tensor = tensors[name] else {
      throw QuasarError(
        .badData,
        "tensor “\(name)”: not among the \(tensors.count) tensors of the file; use a file written for this "
          + "network"
      )
    }
    return tensor
  }

  /// The values of the tensor of this name, in C order.
  ///
  /// Throws `badData` if there is none, its element type differs, or `shape` is given and differs.
  public func values<Element: TensorElement>(
    _ name: String, as type: Element.Type = Element.self, shape: [Int]? = nil
  ) throws(QuasarError) -> [Element] {
    let tensor = try tensor(named: name)
    if let shape, shape != tensor.shape {
      throw QuasarError(
        .badData,
        "tensor “\(name)”: has shape \(tensor.shape), but \(shape) is expected; use a file written for this "
          + "network"
      )
    }
    return try tensor.values(as: type, name: "tensor “\(name)”")
  }

  /// The bytes of the file.
  public func encode() -> [UInt8] {
    names.reduce(into: SafetensorsHeader.encode(self)) { $0 += tensors[$1]?.bytes ?? [] }
  }

  /// Writes the file tensor by tensor; it appears completely or not at all.
  public func write(to path: String) throws(QuasarError) {
    try AtomicFile.write(to: path) { output throws(QuasarError) in
      try output.append(SafetensorsHeader.encode(self))
      for name in names { try output.append(tensors[name]?.bytes ?? []) }
    }
  }

  /// The contents of a file, with all checks of `init(decoding:file:)`.
  public static func read(_ path: String) throws(QuasarError) -> SafetensorsFile {
    try SafetensorsFile(decoding: InputFile.read(path), file: path)
  }

  /// The contents of these bytes; `file` is the file's name in errors.
  ///
  /// Throws `badData`, with the tensor's name and both values, for a header length that does not fit, damaged JSON,
  /// repeated names, unknown element types, shape × size different from the number of bytes, and offsets that overlap,
  /// leave a gap, run past the end or leave bytes over.
  public init(decoding bytes: [UInt8], file: String) throws(QuasarError) {
    let (entries, metadata, start) = try SafetensorsHeader.decode(bytes, file: file)
    self.metadata = metadata
    var end = 0
    var last = "the header"
    for entry in entries.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
      let place = "\(file): tensor “\(entry.name)”"
      guard entry.begin <= entry.end, start + entry.begin <= bytes.count, entry.end <= bytes.count - start
      else {
        throw QuasarError(
          .badData,
          "\(place): offsets \(entry.begin) to \(entry.end), but the file has \(bytes.count - start) bytes "
            + "of data; "
            + "the file is truncated or damaged, fetch it again")
      }
      guard entry.begin == end else {
        let what = entry.begin < end ? "overlaps" : "leaves a gap after"
        throw QuasarError(
          .badData,
          "\(place): begins at offset \(entry.begin) and \(what) \(last), which ends at \(end); write the "
            + "file again"
        )
      }
      tensors[entry.name] = try RawTensor(
        elementType: entry.elementType, shape: entry.shape,
        bytes: Array(bytes[start + entry.begin..<start + entry.end]), name: place)
      end = entry.end
      last = "“\(entry.name)”"
    }
    guard start + end == bytes.count else {
      throw QuasarError(
        .badData,
        "\(file): \(bytes.count - start - end) surplus bytes from byte \(start + end), after \(last); "
          + "write the file again")
    }
  }
}

/// The texts in the order of their UTF-8 bytes.
func sortedByBytes(_ texts: some Sequence<String>) -> [String] {
  texts.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}
