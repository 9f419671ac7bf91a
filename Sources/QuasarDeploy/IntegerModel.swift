import QuasarQuant
import QuasarSupernet
import QuasarTensor

/// A whole network in integers: from u8 pixels to int32 logit codes, no float in between.
///
/// Built from trained weights (`init(packing:)`) or read from a `.quasar` file; both hold the same integers.
public struct IntegerModel {
  public let spec: ArithmeticSpec
  public let architecture: Architecture
  public let preprocessing: Preprocessing
  public let classNames: [String]
  public let embedding: IntegerEmbedding
  public let blocks: [IntegerBlock]
  public let finalNorm: IntegerLayerNorm
  public let head: IntegerLinear
  /// Real value of one logit code; for people, the decision does not need it.
  public let logitStep: Double
  /// Real value of one code of the residual stream; for people, like `logitStep`.
  public let residualStep: Double

  init(
    spec: ArithmeticSpec, architecture: Architecture, preprocessing: Preprocessing, classNames: [String],
    embedding: IntegerEmbedding, blocks: [IntegerBlock], finalNorm: IntegerLayerNorm, head: IntegerLinear,
    logitStep: Double, residualStep: Double
  ) throws {
    self.spec = spec
    self.architecture = architecture
    self.preprocessing = preprocessing
    self.classNames = classNames
    self.embedding = embedding
    self.blocks = blocks
    self.finalNorm = finalNorm
    self.head = head
    self.logitStep = logitStep
    self.residualStep = residualStep
    try spec.validate()
    try checkShapes()
  }

  /// The integers of one sub-network of a trained supernet.
  ///
  /// Throws with the layer's name when a bias or a factor leaves the range of the contract.
  public init(packing net: Supernet, architecture: Architecture, classNames: [String]) throws {
    try net.checkFits(architecture)
    let head = try net.integerHead(architecture)
    try self.init(
      spec: .standard, architecture: architecture, preprocessing: net.preprocessing, classNames: classNames,
      embedding: net.integerEmbedding(architecture),
      blocks: architecture.blocks.indices.map { try net.integerBlock(architecture, block: $0) },
      finalNorm: net.integerFinalNorm(architecture), head: head.linear, logitStep: head.step,
      residualStep: Double(net.residualStep))
  }

  /// All linear layers in the order of `Architecture.weightMatrices`.
  public var linears: [IntegerLinear] {
    [embedding.linear] + blocks.flatMap { [$0.qkv, $0.projection, $0.expand, $0.contract] } + [head]
  }

  private func checkShapes() throws {
    guard classNames.count == architecture.geometry.classes else {
      throw QuasarError(.badData, "\(classNames.count) class names for \(architecture.geometry.classes) classes")
    }
    let matrices = architecture.weightMatrices
    guard blocks.count == architecture.depth, embedding.tokens == architecture.geometry.tokens else {
      throw QuasarError(.badData, "\(blocks.count) blocks for an architecture of \(architecture.depth)")
    }
    for (matrix, linear) in zip(matrices, linears) {
      let rows8 = linear.rowBits.filter { $0 == 8 }.count
      guard linear.rows == matrix.rows, linear.depth == matrix.depth, rows8 == matrix.rows8 else {
        throw QuasarError(
          .badData,
          "\(matrix.name): weights [\(linear.rows), \(linear.depth)] with \(rows8) 8-bit rows, the "
            + "architecture says [\(matrix.rows), \(matrix.depth)] with \(matrix.rows8)")
      }
    }
    for norm in blocks.flatMap({ [$0.norm1, $0.norm2] }) + [finalNorm] {
      guard norm.width == architecture.embedDimension else {
        throw QuasarError(
          .badData, "\(norm.name): width \(norm.width), expected \(architecture.embedDimension)")
      }
    }
    for (i, block) in blocks.enumerated() where block.attention.heads != architecture.blocks[i].heads {
      throw QuasarError(.badData, "\(block.attention.name): \(block.attention.heads) heads in block \(i)")
    }
  }

  /// int32 logit codes [images, classes] of planar u8 images [images, channels, size, size].
  ///
  /// `units` compute the layers: the kernels of this CPU unless named. `observe` hears how many images are done.
  public func logits(
    _ images: NDArray<UInt8>, on units: any IntegerUnits = KernelUnits(), observe: (Int) -> Void = { _ in }
  ) throws -> NDArray<Int32> {
    let geometry = architecture.geometry
    let expected = [geometry.channels, geometry.imageSize, geometry.imageSize]
    guard images.shape.count == 4, Array(images.shape.dropFirst()) == expected else {
      throw QuasarError(
        .badData,
        "images \(images.shape) do not fit the model's [n, \(expected.map(String.init).joined(separator: ", "))]"
      )
    }
    let count = images.shape[0]
    let result = NDArray<Int32>(uninitialized: [count, geometry.classes])
    for first in stride(from: 0, to: count, by: batchSize) {
      let last = min(first + batchSize, count)
      let codes = try logits(
        PatchBatch(images: images.rows(first..<last), geometry: geometry),
        IntegerExecution(units: units, images: last - first))
      result.rows(first..<last).assign(codes)
      observe(last)
    }
    return result
  }

  /// Images that run through the layers together: about 2,048 tokens, enough to share among threads and few enough for
  /// the caches.
  private var batchSize: Int { max(1, 2048 / architecture.geometry.tokens) }

  private func logits(_ patches: PatchBatch, _ execution: IntegerExecution) throws -> NDArray<Int32> {
    let tokens = architecture.geometry.tokens
    let range = CodeRange.signedNarrow(bits: architecture.activationBits)
    var stream = try embedding.tokens(.unsigned(patches.codes), batch: patches.batch, on: execution)
    for block in blocks {
      let normed = try block.norm1.codes(stream, on: execution)
      let qkv = try block.qkv.codes(.signed(normed), range: range, on: execution)
      let mixed = try block.attention.codes(qkv, batch: patches.batch, tokens: tokens, on: execution)
      stream = try block.projection.residualCodes(.signed(mixed), residual: stream, on: execution)
      let normed2 = try block.norm2.codes(stream, on: execution)
      let hidden = try block.expand.tableCodes(.signed(normed2), table: block.gelu, on: execution)
      stream = try block.contract.residualCodes(.unsigned(hidden), residual: stream, on: execution)
    }
    let width = architecture.embedDimension
    let classCodes = try finalNorm.codes(stream, rows: patches.batch, stride: tokens * width, on: execution)
    return try head.wideCodes(.signed(classCodes), on: execution)
  }
}
