import QuasarArithmetic
import QuasarInterchange
import QuasarNetwork
import QuasarTensor

/// A folder with the integers of every layer for given images, for people who build their own hardware.
///
/// `manifest.json` describes it, `README.txt` explains how to read it; each layer has a folder with every tensor as
/// `.npy` and `.hex` and one C header. Equal models and images give equal bytes.
public struct GoldenVectors {
  /// The files that were written.
  public struct Summary: Sendable {
    public var layers: Int
    public var tensors: Int
    public var files: Int
    public var bytes: Int
  }

  public static let readmeName = "README.txt"
  /// Upper bound of the bytes that belong to no tensor: README and the manifest's own part.
  private static let describingBytes = 1 << 15
  /// Default limit of the bytes written: 1 GiB.
  public static let defaultLimit = 1 << 30

  public let model: IntegerModel
  private let names: Set<String>
  private let units: any IntegerUnits
  private let engine: EngineSummary?

  /// The layers to write, by name or by the name of a block ("blocks.0"); with no names, all layers.
  ///
  /// `units` compute them; `engine` is written to the manifest. Throws `usage` for a name that the model does not have.
  public init(
    _ model: IntegerModel, layers: [String] = [], on units: any IntegerUnits = KernelUnits(),
    engine: EngineSummary? = nil
  ) throws {
    let known = model.graph.names
    var names = Set<String>()
    for name in layers {
      let found = known.filter { $0 == name || $0.hasPrefix(name + ".") }
      guard !found.isEmpty else {
        throw QuasarError(
          .usage,
          "no layer '\(name)': use \(known[0]), blocks.0 to blocks.\(model.graph.depth - 1), one of their layers "
            + "(\(known.dropFirst().prefix(7).joined(separator: ", "))), \(known.suffix(2).joined(separator: " or "))")
      }
      names.formUnion(found)
    }
    self.model = model
    self.names = layers.isEmpty ? Set(known) : names
    self.units = units
    self.engine = engine
  }

  /// Runs planar images [n, channels, size, size] and returns their tensors, "network" first.
  public func layers(_ images: NDArray<UInt8>) throws -> [GoldenLayer] {
    let recorder = RecordingUnits(units, layers: names)
    let logits = try model.logits(images, on: recorder)
    return try assemble(recorder, images, logits)
  }

  private func assemble(_ recorder: RecordingUnits, _ images: NDArray<UInt8>, _ logits: NDArray<Int32>) throws
    -> [GoldenLayer]
  {
    let golden = GoldenLayers(model: model, recorder: recorder, images: images.shape[0])
    return [try golden.network(pixels: images, logits: logits)] + (try golden.layers(names))
  }

  /// Writes the vectors of these images to a folder; see `VectorFolder` for the folders that it accepts.
  ///
  /// Nothing is written if the vectors could take more than `limit` bytes (the bound is known after the first image).
  /// `observe` receives (files done, all files) and may throw to stop; then nothing remains.
  public func write(
    _ images: NDArray<UInt8>, to path: String, limit: Int = defaultLimit,
    observe: (_ done: Int, _ total: Int) throws -> Void = { _, _ in }
  ) throws -> Summary {
    let count = images.shape.first ?? 0
    guard count > 0 else { throw QuasarError(.usage, "golden vectors of 0 images: ask for at least 1") }
    var folder = try VectorFolder(path)
    let recorder = RecordingUnits(units, layers: names)
    let first = try model.logits(images.rows(0..<1), on: recorder)
    let bound = try assemble(recorder, images.rows(0..<1), first).flatMap(\.tensors)
      .reduce(Self.describingBytes) { $0 + $1.byteCount(images: count) }
    guard bound <= limit else {
      throw QuasarError(
        .usage,
        "the vectors of \(count) images could take \(Self.mebibytes(bound)) MiB, more than the "
          + "\(Self.mebibytes(limit)) MiB allowed; ask for fewer images or layers (--images, --layer), or allow more "
          + "(--limit)")
    }
    let logits = NDArray<Int32>(uninitialized: [count, first.width])
    logits.rows(0..<1).assign(first)
    if count > 1 { logits.rows(1..<count).assign(try model.logits(images.rows(1..<count), on: recorder)) }
    let layers = try assemble(recorder, images, logits)
    do {
      try folder.clear()
      return try write(layers, images: count, to: &folder, observe)
    } catch {
      folder.discard()
      throw error
    }
  }

  private static func mebibytes(_ bytes: Int) -> Int { (bytes + 1 << 20 - 1) >> 20 }

  private func write(
    _ layers: [GoldenLayer], images: Int, to folder: inout VectorFolder, _ observe: (Int, Int) throws -> Void
  ) throws -> Summary {
    let tensors = layers.reduce(0) { $0 + $1.tensors.count }
    let total = 2 * tensors + layers.count + 2
    func done() throws { try observe(folder.written.count, total) }
    var described: [GoldenManifest.Layer] = []
    for layer in layers {
      var entries: [GoldenManifest.Tensor] = []
      for tensor in layer.tensors {
        let base = "\(layer.name)/\(tensor.role.rawValue)"
        try NumPyFile.write(tensor.values, to: folder.file("\(base).npy"))
        try done()
        try GoldenText.writeHex(tensor, layer: layer.name, to: folder.file("\(base).hex"))
        try done()
        entries.append(
          GoldenManifest.Tensor(
            role: tensor.role, npy: "\(base).npy", hex: "\(base).hex", array: GoldenText.name(layer, tensor),
            shape: tensor.values.shape, axes: tensor.axes, elementType: GoldenText.elementName(tensor),
            bits: tensor.bits, signed: tensor.isSigned, meaning: tensor.meaning, formula: tensor.formula))
      }
      let header = "\(layer.name)/\(layer.identifier).h"
      try GoldenText.writeHeader(layer, to: folder.file(header))
      try done()
      described.append(
        GoldenManifest.Layer(
          name: layer.name, kind: layer.kind, header: header, dimensions: layer.dimensions, tensors: entries))
    }
    try AtomicFile.write(Self.readme, to: folder.file(Self.readmeName))
    try done()
    let packed = try PackedFile.encode(model)
    let manifest = GoldenManifest(
      model: GoldenManifest.Model(crc32: PackedFile.storedChecksum(packed), bytes: packed.count),
      arithmetic: GoldenManifest.Arithmetic(model.spec), architecture: model.architecture, images: images,
      engine: engine, files: (folder.written + [VectorFolder.manifestName]).sorted(), layers: described)
    try AtomicFile.write(manifest.json(), to: folder.file(VectorFolder.manifestName))
    return Summary(
      layers: layers.count - 1, tensors: tensors, files: folder.written.count, bytes: folder.byteCount)
  }

  static let readme = """
    Golden vectors: the integers of a network, layer by layer, for checking hardware bit by bit.

    manifest.json  every file, with shape, width, meaning and the formula that ties each tensor to the others
    LAYER/ROLE.npy NumPy array, row-major: weights [rows, depth], codes [images, tokens, rows]; numpy.load reads it
    LAYER/ROLE.hex the same numbers for $readmemh: one a line, row-major, two's complement in the width named on top
    LAYER/LAYER.h  the same numbers as static const arrays for C, with a macro for each dimension
    network/       pixels of the images and the final logits
    Names in formulas are roles of the same layer (LAYER/ROLE elsewhere); a >> b rounds down, clamp(x, lo, hi) limits.
    Accumulators include the bias. A linear layer without residual: output = clamp((accumulator*M + 2^(S-1)) >> S).
    Integers are wide enough when products and sums are formed in 64 bits.

    """
}
